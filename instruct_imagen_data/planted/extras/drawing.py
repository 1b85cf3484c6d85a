"""Contours of an object by its true shape, and a hand that draws them with a dark pen on white."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.trace import Layer

_AROUND = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))


@dataclass(frozen=True)
class Hand:
    """Who draws.

    Attributes:
        detail: From 0, the outline and what stands well before the rest, to 1, every edge.
        wobble: How far lines stray, as a share of the picture's shorter side.
        gaps: How often the pen is lifted, 0 to 1.
        smooth: How far corners are rounded, as a share of the shorter side.
    """

    detail: float
    wobble: float
    gaps: float
    smooth: float


def outlines(layer: Layer) -> list[Array]:
    """Closed lines [n, 2] (x, y) round the object and its holes, specks left out."""
    inside = (layer.alpha > 0.5).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    least = 0.06 * min(inside.shape)
    return [f32(line[:, 0]) for line in found if len(line) >= least]


def jumps(layer: Layer, detail: float) -> NDArray[np.bool_]:
    """[h, w]: where one part of the object stands before another, or its surface has an edge.

    The more detail, the smaller steps count; edges count from 0.5 on.
    """
    inner = cv2.erode((layer.alpha > 0.99).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    dx, dy = (cv2.Sobel(layer.relief, cv2.CV_32F, *axis) / 8 for axis in ((1, 0), (0, 1)))
    strong = 12 - 7 * detail  # pixels of height, over one pixel
    steps = [np.clip(slope * 16, -4000, 4000).astype(np.int16) for slope in (dx, dy)]
    found = cv2.Canny(steps[0], steps[1], strong * 8, strong * 16) > 0
    if detail >= 0.5:
        normal = np.dstack([-dx, -dy, np.ones_like(dx)])
        normal /= np.linalg.norm(normal, axis=2, keepdims=True)
        shades = np.asarray(cv2.GaussianBlur(normal, (0, 0), 1.0) * 127 + 128, np.uint8)
        level = 220 - 80 * detail
        near = cv2.dilate(found.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        found |= (cv2.Canny(shades, level, 2 * level) > 0) & ~near
    return np.asarray(found & inner)


def chains(lines: NDArray[np.bool_], least: float) -> list[Array]:
    """The lines of a thin map as paths [n, 2] (x, y), those shorter than `least` left out."""
    left = set(zip(*(axis.tolist() for axis in np.nonzero(lines)), strict=True))
    ends = sorted(left, key=lambda at: (_neighbours(at, left) != 1, at))
    found = []
    for start in ends:
        if start in left:
            left.discard(start)
            # Both ways from the start, so that a closed line is one path too.
            path = [*_walked(start, left)[::-1], start, *_walked(start, left)]
            if len(path) >= least:
                found.append(f32(path)[:, ::-1])
    return found


def _neighbours(at: tuple[int, int], among: set[tuple[int, int]]) -> int:
    return sum((at[0] + y, at[1] + x) in among for y, x in _AROUND)


def _walked(at: tuple[int, int], left: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pixels met from a start on, straight on where the way forks; they are taken from `left`."""
    path = [at]
    while True:
        (y, x), (y0, x0) = path[-1], path[-4:][0]
        ahead = [(y + dy, x + dx) for dy, dx in _AROUND if (y + dy, x + dx) in left]
        if not ahead:
            return path[1:]
        after = max(ahead, key=lambda one: ((one[0] - y) * (y - y0) + (one[1] - x) * (x - x0), one))
        left.discard(after)
        path.append(after)


def draw(layer: Layer, hand: Hand, rng: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 [h, w]: the object's contours as the hand draws them, dark lines on white."""
    h, w = layer.alpha.shape
    short = min(h, w)
    sheet = np.full((h, w), 255, np.uint8)
    inner = chains(jumps(layer, hand.detail), (0.10 - 0.05 * hand.detail) * short)
    paths = [(line, True) for line in outlines(layer)] + [(line, False) for line in inner]
    thick = max(round(short / 110), 2)
    for path, closed in paths:
        for stroke in _strokes(path, closed, hand, rng, short):
            points = np.round(stroke * 16).astype(np.int32)
            cv2.polylines(sheet, [points], False, 20, thick, cv2.LINE_AA, shift=4)
    return sheet


def _strokes(
    path: Array, closed: bool, hand: Hand, rng: np.random.Generator, short: int
) -> list[Array]:
    """The path as the hand takes it: rounded, straying, in pieces that leave gaps or overlap."""
    count = len(path)
    if closed:  # once round from anywhere, and on until the start is met again
        path = np.roll(path, -int(rng.integers(count)), 0)
        path = np.concatenate([path, path[: max(count // 30, 2)]])
    line = _rounded(path, max(hand.smooth * short, 0.8))
    line = line + _stray(len(line), hand.wobble * short, 0.12 * short, rng)
    pieces, at = [], 0
    while at < len(line) - 2:
        until = at + int(rng.uniform(0.25, 0.8) * short)
        if len(line) - until < 0.08 * short:
            until = len(line)
        pieces.append(line[at:until])
        lifted = rng.random() < hand.gaps
        at = until + int((rng.uniform(0.01, 0.04) if lifted else -0.01) * short)
    return [piece for piece in pieces if len(piece) > 2]


def _rounded(path: Array, sigma: float) -> Array:
    """The path [n, 2] smoothed along its way; its ends stay."""
    reach = min(int(3 * sigma), len(path) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    # Mirrored through its end points, or a stroke would shrink.
    before, after = 2 * path[0] - path[reach:0:-1], 2 * path[-1] - path[-2 : -reach - 2 : -1]
    longer = np.concatenate([before, path, after])
    return f32(np.stack([np.convolve(longer[:, axis], kernel / kernel.sum(), "valid")
                         for axis in (0, 1)], 1))  # fmt: skip


def _stray(count: int, far: float, pace: float, rng: np.random.Generator) -> Array:
    """Offsets [count, 2] that wander within about `far` pixels, anew every `pace` pixels."""
    knots = max(int(count / pace), 1) + 2
    at = np.linspace(0, knots - 1, count)
    wander = rng.normal(0, far, (knots, 2))
    return _rounded(
        f32(np.stack([np.interp(at, np.arange(knots), wander[:, axis]) for axis in (0, 1)], 1)),
        pace / 3,
    )
