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
_REDUCED = 4  # photos of more than so many times the size are decoded at a lower one
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
    rgb = images.read(data, _limits(data, size, role)).rgb
    height, wide = rgb.shape[:2]
    side = min(height, wide)
    if width:
        rgb = _dilated(rgb, round(width * side / size))
    left, top = (wide - side) * frame.along, (height - side) * frame.along
    if side == size:
        left, top = round(left), round(top)
        rgb = rgb[top : top + side, left : left + side]
    else:
        box = (left, top, left + side, top + side)
        resampling = _RESAMPLING.get(role, Image.Resampling.LANCZOS)
        rgb = np.asarray(Image.fromarray(rgb).resize((size, size), resampling, box))
    return np.ascontiguousarray(rgb[:, ::-1] if frame.flipped else rgb)


def _limits(data: bytes, size: int, role: str) -> images.Limits:
    """At which size a picture is decoded: maps as they are, large photos at twice the size."""
    wide, height = images.size(data)
    shorter = min(wide, height)
    if role in _RESAMPLING or shorter <= _REDUCED * size:
        return images.STORED
    longest = -(-max(wide, height) * 2 * size // shorter)
    return dataclasses.replace(images.STORED, max_side=longest)


def _dilated(rgb: Pixels, width: int) -> Pixels:
    """Bright lines on black, each pixel the brightest of a square of width * width around it."""
    grown = rgb[..., 0]
    before = width // 2
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (before, max(0, width - 1 - before))
        padded = np.pad(grown, pad)
        length = grown.shape[axis]
        grown = np.take(padded, range(length), axis)
        for shift in range(1, max(1, width)):
            grown = np.maximum(grown, np.take(padded, range(shift, shift + length), axis))
    return np.repeat(grown[..., None], 3, axis=2)
