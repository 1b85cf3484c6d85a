"""What every derived row must be and fulfil: its target, its licence, its checks."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from instruct_imagen_data import images, keys, licences, schema
from instruct_imagen_data.schema import Check, RejectRow
from instruct_imagen_data.stages.blocks import Reject


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a row teaches to paint.

    Attributes:
      rgb: uint8 [h, w, 3], the target as stored: decoded from its own bytes.
      encoded: JPEG.
    """

    rgb: np.ndarray
    encoded: bytes


def target_of(picture: images.Picture, side: int) -> Target:
    """A picture as target: JPEG, shorter side `side`, nothing cropped, never enlarged.

    A JPEG that is no larger keeps its bytes.
    """
    rgb = images.shrink(picture.rgb, side)
    if rgb is picture.rgb and picture.format == "JPEG":
        return Target(rgb, picture.encoded)
    encoded = images.encode_jpeg(rgb)
    return Target(images.read(encoded, images.STORED).rgb, encoded)


def describe(image: schema.Image, reject: Reject, stage: str) -> RejectRow:
    """The reject row of a picture that was opened."""
    return RejectRow(
        key=image.key,
        origin=image.origin,
        url=image.url,
        stage=stage,
        reason=reject.reason,
        detail=reject.detail,
        sha256=image.sha256,
        survivor=reject.survivor,
        value=reject.value,
        threshold=reject.limit,
    )


def similarity_check(name: str, cosine: float) -> Check:
    """A cosine as a check: a negative one is as useless as none."""
    return Check(name, min(1.0, max(0.0, float(cosine))))


@dataclasses.dataclass(frozen=True)
class Terms:
    """What every derived row must fulfil, whatever it is made of.

    Attributes:
      licences: One of licences.CHOICES.
      min_check: Least value of a row's worst check, from 0 to 1.
    """

    licences: str = "all"
    min_check: float = 0.0

    def licence(self, parents: Iterable[str]) -> str:
        """The licence of a row, from those of its parents and of the networks that made it.

        Raises:
          Reject: `licence`: only commercial use will do, and one is not known to allow it.
        """
        joined = keys.join_licences(parents)
        if self.licences == "commercial" and not licences.allows_commercial_use(joined):
            raise Reject("licence", joined)
        return joined

    def check(self, checks: Sequence[Check]) -> tuple[Check, ...]:
        """The checks of a row, as they are; the worst condition decides (FACTS 39, 110).

        Raises:
          Reject: `check`: the worst of them is below the limit; names it.
        """
        worst = min(checks, key=lambda one: one.value, default=None)
        if worst is not None and worst.value < self.min_check:
            raise Reject("check", worst.name, worst.value, self.min_check)
        return tuple(checks)
