"""Captioners: pictures in, one caption each out, or the reason why there is none.

Two of them: a model of the transformers library out of a local folder, and any OpenAI-compatible
endpoint, whose answers are kept so that no picture is ever asked about twice.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from instruct_imagen_data.annotators.captioner.captions import (
    MALFORMED,
    REFUSED,
    NoCaption,
    caption_of,
)

__all__ = ["MALFORMED", "REFUSED", "Captioner", "NoCaption", "caption_of"]


class Captioner(Protocol):
    """What every network of the role captioner offers."""

    @classmethod
    def load(
        cls,
        weights: Path | None,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> Self:
        """The captioner, ready to be asked."""
        ...

    def captions(self, pictures: Sequence[np.ndarray]) -> list[str | NoCaption]:
        """Captions of pictures uint8 [h, w, 3] of any size, one each, in order.

        Raises:
          UsageError: there is no answer at all, now: an endpoint is down, or the money is spent.
        """
        ...
