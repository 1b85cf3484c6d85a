"""What a training step of a map network sees: windows of pictures, spoilt a little, with truth."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from instruct_imagen_data import planted
from instruct_imagen_data.training.views import Truth

_BLANK = 0.06  # share of pictures that are nothing but a colour, a slope and noise
_WITHOUT = 0.12  # share that shows what is beside, above or below the object
_STORED, _SPOILT = 0.6, 0.08  # shares that went through a JPEG, and that are degraded
_QUALITIES = (55, 97)  # of the JPEGs
_ZOOM = (0.78, 1.0)  # of a window, against the size that the network sees at work
_HALF_WIDTH = 1.5  # pixels from the middle of a line to its end; half way it is half as bright
_BLANK_CONTRAST = 12  # of 255, most of a blank's slope


@dataclasses.dataclass(frozen=True, slots=True)
class Windows:
    """Pictures uint8 [n, h, w, 3]; what shall be seen in them, float32 [n, kinds, h, w]."""

    pixels: np.ndarray
    target: np.ndarray


def draw(
    truths: Sequence[Truth],
    kinds: Sequence[str],
    side: int,
    shape: tuple[int, int],
    count: int,
    rng: np.random.Generator,
) -> Windows:
    """`count` windows of this shape out of pictures that have `side` pixels on the shorter side."""
    pixels, targets = [], []
    for index in rng.integers(len(truths), size=count):
        if rng.random() < _BLANK:
            pixels.append(blank(shape, rng))
            targets.append(np.zeros((len(kinds), *shape), np.float32))
            continue
        truth = truths[index]
        box = _window(truth, side, shape, rng)
        rgb = spoilt(resized(truth.rgb[box], shape), rng)
        target = np.stack([as_target(kind, truth, box, shape) for kind in kinds])
        if rng.random() < 0.5:
            rgb, target = rgb[:, ::-1], target[..., ::-1]
        pixels.append(rgb)
        targets.append(target)
    return Windows(np.stack(pixels), np.stack(targets))


def blank(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """uint8 [h, w, 3]: a colour, at most a soft slope and grain: there is nothing to see."""
    y, x = np.mgrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    slope = rng.uniform(-1, 1, (2, 3)) * _BLANK_CONTRAST * rng.integers(2)
    plain = rng.integers(0, 256, 3) + y[..., None] * slope[0] + x[..., None] * slope[1]
    grain = rng.standard_normal(shape)[..., None] * rng.uniform(0, 4) * rng.integers(2)
    return (plain + grain).clip(0, 255).astype(np.uint8)


def spoilt(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture as the planted web shows it: most went through a JPEG, a few are degraded."""
    if rng.random() < _SPOILT:
        kinds = sorted(planted.DEGRADATIONS)
        rgb = planted.degrade(rgb, kinds[rng.integers(len(kinds))], rng.random(), rng)
    if rng.random() < _STORED:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*_QUALITIES))]
        _, encoded = cv2.imencode(".jpg", rgb[..., ::-1], quality)  # cv2 wants blue first
        rgb = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), np.uint8)
    return rgb


def as_target(
    kind: str, truth: Truth, box: tuple[slice, slice], shape: tuple[int, int]
) -> np.ndarray:
    """What a network of a kind shall see in a window of a picture: float32 [h, w] in 0..1."""
    if kind in ("depth", "mask"):
        found = (truth.depth if kind == "depth" else truth.mask)[box]
        return resized(found, shape).astype(np.float32) / 255
    return drawn((truth.edges if kind == "edge" else truth.contours)[box], shape)


def drawn(lines: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Lines uint8 [h, w] at another size, float32 in 0..1: two pixels wide, with soft borders.

    Lines themselves cannot be resized: they would fade. Their distance can.
    """
    away = np.where(lines > 0, 0, 255).astype(np.uint8)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_5)
    distance = np.minimum(distance, sum(lines.shape))  # where there is none it is endless
    scale = float(np.sqrt(shape[0] / lines.shape[0] * shape[1] / lines.shape[1]))
    there = cv2.resize(distance, shape[::-1], interpolation=cv2.INTER_LINEAR) * scale
    painted: np.ndarray = (_HALF_WIDTH - there).clip(0, 1).astype(np.float32)
    return painted


def resized(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """uint8 at another size (height, width)."""
    method = cv2.INTER_AREA if shape[0] < pixels.shape[0] else cv2.INTER_CUBIC
    found: np.ndarray = cv2.resize(np.ascontiguousarray(pixels), shape[::-1], interpolation=method)
    return found


def _window(
    truth: Truth, side: int, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[slice, slice]:
    """A random window, near to what the network sees of such a picture, or one without object."""
    size = truth.mask.shape
    if rng.random() < _WITHOUT and (free := without_object(truth.mask)) is not None:
        return free
    zoom = rng.uniform(*_ZOOM) * min(size) / side
    slices = []
    for whole, wanted in zip(size, shape, strict=True):
        length = min(whole, round(wanted * zoom))
        start = int(rng.integers(whole - length + 1))
        slices.append(slice(start, start + length))
    return slices[0], slices[1]


def without_object(mask: np.ndarray) -> tuple[slice, slice] | None:
    """The largest stripe of a picture beside its object, if it is a third of a side at least."""
    ys, xs = (np.flatnonzero((mask > 8).any(axis=axis)) for axis in (1, 0))
    if not len(ys):
        return None
    (height, width), whole = mask.shape, slice(None)
    stripes = {
        ys[0] / height: (slice(0, int(ys[0])), whole),
        1 - (ys[-1] + 1) / height: (slice(int(ys[-1]) + 1, height), whole),
        xs[0] / width: (whole, slice(0, int(xs[0]))),
        1 - (xs[-1] + 1) / width: (whole, slice(int(xs[-1]) + 1, width)),
    }
    share = max(stripes)
    return stripes[share] if share >= 1 / 3 else None
