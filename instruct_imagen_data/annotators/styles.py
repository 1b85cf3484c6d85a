"""Style transfer: what its networks offer, and how strongly a style is put on.

A style is a vector, its code; so is the style that a content picture has of itself. On the way
from the one to the other lies every strength.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

STYLE_SIDE = 256  # pixels of a style picture, as Ghiasi's networks were trained


class StyleNetwork(Protocol):
    """What every network of the role style_transfer offers."""

    @classmethod
    def load(
        cls,
        weights: Path | None,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> Self:
        """The network with its weights, ready for inference."""
        ...

    def prepare_style(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [h, w, 3], as large as the network looks at it, of a style picture of that kind."""
        ...

    def codes(self, styles: Sequence[np.ndarray]) -> np.ndarray:
        """Codes float32 [n, d] of prepared styles, one each, in order."""
        ...

    def prepare_content(self, rgb: np.ndarray, side: int) -> np.ndarray:
        """uint8 [h, w, 3] of a content picture of that kind: its shorter side about `side` pixels,
        both sides multiples of what the network needs.
        """
        ...

    def content_codes(self, contents: Sequence[np.ndarray]) -> np.ndarray:
        """Codes float32 [n, d] of the style that prepared contents have of themselves."""
        ...

    def __call__(self, contents: Sequence[np.ndarray], codes: np.ndarray) -> list[np.ndarray]:
        """Prepared contents repainted, each by its own code: uint8 [h, w, 3], one each, in order,
        as large as the content.
        """
        ...


def at_strength(content_codes: np.ndarray, codes: np.ndarray, strength: float) -> np.ndarray:
    """Codes float32 [n, d] that put a style on with `strength`, 0 (not at all) to 1 (fully).

    Both codes are [n, d]. Source: Ghiasi et al. 2017, section 3.4; FACTS 64.
    """
    between: np.ndarray = (1 - strength) * content_codes + strength * codes
    return between.astype(np.float32)
