"""What networks see in a picture: depth, edge, mask and contour maps, and what guards them.

Polarity: depth is bright where near, edges and contours are white lines on black, masks white on
black. A map is made at the network's detection size and then resized, as ControlNet's apps do.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import cv2
import numpy as np

from instruct_imagen_data.annotators.precision import BATCH

# Pixels that go through a fully convolutional network together: 16 pictures of 256 x 256. Its
# activations are hundreds of bytes a pixel, and 32 pictures of 512 x 704 would take gigabytes.
BATCH_PIXELS = 16 * 256 * 256
_MULTIPLE = 64  # pixels; sides of pictures for networks that halve them up to six times
_LONGEST = 4  # longer side of such a picture, in shorter sides
MIN_CONFIDENCE = 0.5
MIN_AREA, MAX_AREA = 0.02, 0.8
_HALF = 128  # of 255: from here on a mask is the object


@dataclasses.dataclass(frozen=True, slots=True)
class Map:
    """What a network sees in one picture.

    Attributes:
        pixels: uint8 [h, w] at its detection size.
        confidence: In 0..1, what the guards look at. Mask: the network's maximum before the map
            is stretched to 0..255; depth: 0 for a constant map; else 1.
    """

    pixels: np.ndarray
    confidence: float = 1.0


class Refused(ValueError):
    """A map that a condition must not be made of.

    Attributes:
        reason: Fixed, snake_case: `flat_depth`, `no_object`, `mask_area`.
        detail: The number that was looked at.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class MapNetwork(Protocol):
    """What every network of the roles depth, edge, mask and contour offers."""

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> Self:
        """The network with its weights, ready for inference."""
        ...

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """A model-sized array of a picture uint8 [h, w, 3], by its authors' preprocessing."""
        ...

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Maps of prepared pictures, one each, in order."""
        ...


def to_size(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """A map uint8 [h, w] at the size of its picture, uint8 [height, width]; linear (FACTS 75)."""
    resized: np.ndarray = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized


def depth_map(found: Map) -> np.ndarray:
    """The pixels of a depth map.

    Raises:
      Refused: `flat_depth`, all is equally far.
    """
    if found.confidence == 0:
        raise Refused("flat_depth", "a constant map")
    return found.pixels


def binary_mask(found: Map, width: int, height: int) -> np.ndarray:
    """The object uint8 [height, width], 255 on 0, of a salient-object map.

    The map is resized first and cut at a half afterwards, so that its border stays smooth.

    Raises:
      Refused: `no_object` if the network was nowhere sure (every map is stretched to 0..255, so
        that an empty scene gives noise), `mask_area` if the object is a speck or nearly all.
    """
    if found.confidence < MIN_CONFIDENCE:
        raise Refused("no_object", f"at most {found.confidence:.2f} sure")
    mask = np.where(to_size(found.pixels, width, height) >= _HALF, 255, 0).astype(np.uint8)
    area = float(np.mean(mask > 0))
    if not MIN_AREA <= area <= MAX_AREA:
        raise Refused("mask_area", f"{area:.1%} of the picture")
    return mask


def to_detection_size(rgb: np.ndarray, side: int, multiple: int = _MULTIPLE) -> np.ndarray:
    """A picture uint8 [h, w, 3] with its shorter side `side`, both sides multiples of `multiple`.

    As `resize_image` of ControlNet's and controlnet-aux's annotators (FACTS 70). Departure: a
    picture of more than 1:4 is made as if it were 1:4, so that no picture takes all memory.
    """
    height, width = rgb.shape[:2]
    scale = side / min(height, width)
    sides = [min(one * scale, _LONGEST * side) for one in (width, height)]
    rounded = [int(np.round(one / multiple)) * multiple for one in sides]
    method = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA
    resized: np.ndarray = cv2.resize(rgb, rounded, interpolation=method)
    return resized


def min_max(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """(uint8 [h, w] from the least to the greatest value, whether they differ).

    float32 [h, w] in; a constant map is all 0. Truncated like the original annotators' maps.
    """
    low, high = float(values.min()), float(values.max())
    if not low < high:
        return np.zeros(values.shape, np.uint8), False
    return to_bytes((values - low) / (high - low)), True


def to_bytes(values: np.ndarray) -> np.ndarray:
    """uint8 of values in 0..1, truncated."""
    return (values * 255).clip(0, 255).astype(np.uint8)


def by_shape(
    pictures: Sequence[np.ndarray], see: Callable[[np.ndarray], Sequence[Map]]
) -> list[Map]:
    """Maps of pictures, one each, in order.

    Args:
      pictures: Arrays [h, w, ...].
      see: Gives the maps of pictures that go through a network together, [n, h, w, ...]: of one
        shape, and few enough.
    """
    found: dict[int, Map] = {}
    for some in together(pictures):
        found.update(zip(some, see(np.stack([pictures[i] for i in some])), strict=True))
    return [found[position] for position in range(len(pictures))]


def together(pictures: Sequence[np.ndarray]) -> Iterator[list[int]]:
    """Positions of pictures [h, w, ...] that go through a network together, each position once:
    of one shape, and few enough.
    """
    shapes: dict[tuple[int, ...], list[int]] = {}
    for position, picture in enumerate(pictures):
        shapes.setdefault(picture.shape, []).append(position)
    for (height, width, *_), positions in shapes.items():
        size = min(BATCH, max(1, BATCH_PIXELS // (height * width)))
        for start in range(0, len(positions), size):
            yield positions[start : start + size]


def check_config(config: Mapping[str, Any], *known: str) -> None:
    """Raises ValueError for a key of a role's config that its network does not know."""
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise ValueError(f"unknown config {unknown}; known: {', '.join(known) or 'none'}")
