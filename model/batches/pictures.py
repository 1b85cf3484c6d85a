"""Encoded pictures as the network sees them: a square of them, perhaps mirrored, in one size.

Nothing of a picture's shorter side is cut off; where the square lies along the longer side is
drawn. It is a share of what is free, so that one frame cuts pictures of one geometry alike whatever
their size in pixels.
"""

import dataclasses
import re
from collections.abc import Iterable

import numpy as np
from PIL import Image

from instruct_imagen_data import images
from model.batches.records import Pixels

EDGES = "edge"
# Masks stay black and white; thin lines are averaged, not skipped; depth has no ringing.
_RESAMPLING = {
    "mask": Image.Resampling.NEAREST,
    EDGES: Image.Resampling.BOX,
    "sketch": Image.Resampling.BOX,
    "depth": Image.Resampling.BILINEAR,
}
_REDUCING_GAP = 2.0  # large photos are averaged to twice the size wanted before they are resized
_SIDED = re.compile(r"\b(left|right)(most|wards?|hand(ed)?|side)?\b", re.IGNORECASE)
_LETTERED = re.compile(
    r"\b(text|letter(s|ing)?|words?|logos?|signs?|signage|posters?|labels?|typography|calligraphy"
    r"|(hand)?writing|alphabet|digits?)\b",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """What of a picture is shown.

    Attributes:
      along: Where the square lies along the longer side, 0 to 1.
      flipped: Mirrored, left to right.
    """

    along: float
    flipped: bool


def may_flip(instruction: str, texts: Iterable[str], captions: Iterable[str]) -> bool:
    """Whether a sample may be mirrored: nothing is said of left and right, nothing is to be read.

    Args:
      instruction: Stored text.
      texts: Stored text of each reference.
      captions: Of the pictures, which say where there is lettering; the texts do, too.
    """
    texts = [*texts]
    sided = any(_SIDED.search(one) for one in (instruction, *texts))
    return not sided and not any(_LETTERED.search(one) for one in (*texts, *captions))


def shown(data: bytes, size: int, frame: Frame, role: str = "", width: float = 0.0) -> Pixels:
    """A picture, framed: uint8 [size, size, 3], sRGB.

    Args:
      role: Of a reference, which says how it is resized; '' for the target.
      width: By how much the lines of edges are widened, in pixels of the result.

    Raises:
      DecodeError: the bytes are no picture.
    """
    image = images.reread(data) if role in _RESAMPLING else images.reread(data, size)
    side = min(image.size)
    if width:
        image = _dilated(image, round(width * side / size))
    left, top = ((one - side) * frame.along for one in image.size)
    if side == size:
        left, top = round(left), round(top)
        image = image.crop((left, top, left + side, top + side))
    else:
        box = (left, top, left + side, top + side)
        if role in _RESAMPLING:
            image = image.resize((size, size), _RESAMPLING[role], box)
        else:
            bicubic = Image.Resampling.BICUBIC
            image = image.resize((size, size), bicubic, box, reducing_gap=_REDUCING_GAP)
    if frame.flipped:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image)


def _dilated(image: Image.Image, width: int) -> Image.Image:
    """Bright lines on black, each pixel the brightest of a square of width * width around it."""
    grown = np.asarray(image)[..., 0]
    before = width // 2
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (before, max(0, width - 1 - before))
        padded = np.pad(grown, pad)
        length = grown.shape[axis]
        grown = np.take(padded, range(length), axis)
        for shift in range(1, width):
            grown = np.maximum(grown, np.take(padded, range(shift, shift + length), axis))
    return Image.fromarray(np.repeat(grown[..., None], 3, axis=2))
