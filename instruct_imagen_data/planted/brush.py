"""Turning a picture into paint: brush strokes, washes, ink, tiles and dots."""

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import sample, step

Indices = NDArray[np.int_]
Source = Array  # linear or sRGB picture [h, w, 3] in [0, 1]; what comes back is of the same kind


def _flow(source: Source, sigma: float) -> Array:
    """Angle [h, w] along which the picture changes least."""
    grey = cv2.GaussianBlur(source.mean(2), (0, 0), sigma)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    # Smooth the tensor, not the angle, so that opposite gradients do not cancel.
    xx, yy, xy = (cv2.GaussianBlur(a, (0, 0), 2 * sigma) for a in (dx * dx, dy * dy, dx * dy))
    return np.asarray(0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2, np.float32)


def strokes(rng: np.random.Generator, source: Source, size: float, boldness: float) -> Source:
    """Oil: three layers of strokes, large to small, that follow the picture, with raised paint.

    size: length of a large stroke as a share of the shorter side; boldness in [0, 1]: how far the
    colours stray and how few fine strokes there are.
    """
    h, w = source.shape[:2]
    short = min(h, w)
    canvas = cv2.GaussianBlur(source, (0, 0), size * short / 4) * np.float32(0.9)
    height = np.full((h, w), 0.5, np.float32)
    angles = _flow(source, size * short / 10)
    for scale, keep in ((1.0, 1.0), (0.55, 1.0), (0.28, 0.75 - 0.5 * boldness)):
        length = max(size * short * scale, 3)
        seen = f32(cv2.GaussianBlur(source, (0, 0), max(length / 5, 0.6)))
        x, y = _places(rng, h, w, length, keep)
        _lay(rng, (canvas, height), (x, y), seen[y, x], angles[y, x], length, boldness)
    return relieved(canvas, height, 0.35)


def _places(
    rng: np.random.Generator, h: int, w: int, length: float, keep: float
) -> tuple[Indices, Indices]:
    """Columns and rows of strokes of one length: a jittered grid in random order, a share kept."""
    pace = max(length * 0.42, 2)
    y, x = np.mgrid[pace / 2 : h : pace, pace / 2 : w : pace].reshape(2, -1)
    x, y = (np.clip(a + rng.normal(0, pace / 2, a.size), 0, top - 1) for a, top in ((x, w), (y, h)))
    order = rng.permutation(x.size)[: int(keep * x.size)]
    return x[order].astype(int), y[order].astype(int)


def _lay(
    rng: np.random.Generator,
    targets: tuple[Source, Array],
    places: tuple[Indices, Indices],
    colours: Array,
    angles: Array,
    length: float,
    boldness: float,
) -> None:
    """Strokes onto the targets (canvas, height), colours [n, 3] and angles [n] straying."""
    canvas, height = targets
    x, y = places
    stray = 0.05 + 0.10 * boldness
    angles = angles + rng.normal(0, 0.25, x.size)
    colours = colours * (1 + rng.normal(0, stray, (x.size, 1)))
    colours = np.clip(colours + rng.normal(0, stray / 3, (x.size, 3)), 0, 1)
    rise = rng.uniform(0.2, 0.9, x.size)
    reach = np.stack([np.cos(angles), np.sin(angles)], 1) * length / 2
    middle = np.stack([x, y], 1)
    starts, ends = ((middle + side * reach).astype(int).tolist() for side in (-1, 1))
    thick = max(int(length * 0.36), 1)
    strokes_ = zip(starts, ends, colours.tolist(), rise.tolist(), strict=True)
    for start, end, colour, level in strokes_:
        cv2.line(canvas, start, end, colour, thick, cv2.LINE_4)
        cv2.line(height, start, end, level, thick, cv2.LINE_4)


def relieved(picture: Source, height: Array, strength: float) -> Source:
    """The picture lit from the upper left over a surface of that height [h, w]."""
    smooth = cv2.GaussianBlur(height, (0, 0), 0.8)
    slope = smooth - np.roll(np.roll(smooth, 1, 0), 1, 1)
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.5)
    return np.asarray(np.clip(blurred * (1 + strength * slope[..., None]), 0, 1), np.float32)


def canvas_weave(rng: np.random.Generator, picture: Source, strength: float = 0.05) -> Source:
    """The weave of the cloth under the paint."""
    h, w = picture.shape[:2]
    y, x = np.ogrid[:h, :w]
    weave = np.sin(x * 2.2) * np.sin(y * 2.2) + 0.5 * rng.standard_normal((h, w))
    return np.asarray(np.clip(picture * (1 + strength * weave[..., None]), 0, 1), np.float32)


def watercolour(rng: np.random.Generator, source: Source, paper: Array) -> Source:
    """Washes that bleed, darken at their rims and leave white paper."""
    h, w = source.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    bleed = min(h, w) * 0.03
    dx = (sample(rng, x / h * 0.9, y / h * 0.9) - 0.5) * bleed
    dy = (sample(rng, x / h * 0.9, y / h * 0.9) - 0.5) * bleed
    wet = cv2.remap(source, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    wet = cv2.bilateralFilter(wet, 5, 0.15, 5)
    blurred = cv2.GaussianBlur(wet, (0, 0), bleed / 4)
    rims = np.abs(wet - blurred).mean(2)
    wash = 0.75 + 0.35 * sample(rng, x / h * 0.8, y / h * 0.8) + 0.10 * rng.standard_normal((h, w))
    strength = np.clip(wash * 0.95, 0, 1)[..., None]
    inked = paper * (1 - strength) + blurred * strength
    return np.asarray(
        np.clip(inked * (1 - 1.6 * np.clip(rims, 0, 0.3))[..., None], 0, 1), np.float32
    )


def dots(rng: np.random.Generator, source: Source, size: float) -> Source:
    """Pointillism: round touches of pure colour, set beside one another."""
    h, w = source.shape[:2]
    canvas = np.full_like(source, 0.93)
    for scale in (1.5, 1.0, 0.8):
        radius = max(size * min(h, w) * scale, 1.6)
        pace = radius * 1.35
        y, x = np.mgrid[0:h:pace, 0:w:pace].reshape(2, -1)
        x, y = (
            np.clip(a + rng.normal(0, pace / 2.5, a.size), 0, t - 1) for a, t in ((x, w), (y, h))
        )
        picked = source[y.astype(int), x.astype(int)]
        grey = picked.mean(1, keepdims=True)
        vivid = np.clip(grey + (picked - grey) * 1.5 + rng.normal(0, 0.09, picked.shape), 0, 1)
        centres = np.stack([x, y], 1).astype(int).tolist()
        for at, colour in zip(centres, vivid.tolist(), strict=True):
            cv2.circle(canvas, at, int(radius * 0.8), colour, -1, cv2.LINE_4)
    return f32(cv2.GaussianBlur(canvas, (0, 0), 0.6))


def tiles(rng: np.random.Generator, source: Source, size: float) -> Source:
    """Mosaic: small stones in rows that waver, with light grout between."""
    h, w = source.shape[:2]
    pace = max(size * min(h, w), 4)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    u = x / pace + 0.9 * sample(rng, x / h * 0.5, y / h * 0.5)
    v = y / pace + 0.9 * sample(rng, x / h * 0.5, y / h * 0.5)
    u = u + 0.5 * (np.floor(v) % 2)
    column, row = np.floor(u).astype(int), np.floor(v).astype(int)
    width = int(column.max()) + 1
    index = (row * width + column).ravel()
    count = np.maximum(np.bincount(index), 1)
    means = [np.bincount(index, source[..., c].ravel()) / count for c in range(3)]
    stray = 1 + rng.normal(0, 0.12, count.size)
    stones = np.stack([(m * stray)[index].reshape(h, w) for m in means], 2)
    inner = np.maximum(np.abs(u - column - 0.5), np.abs(v - row - 0.5))
    bevel = 1 + 0.25 * ((0.5 - (u - column)) + (0.5 - (v - row)))
    grout = step(np.asarray(inner, np.float32), 0.38, 0.48)[..., None]
    laid = np.clip(stones * bevel[..., None], 0, 1) * (1 - grout) + f32([0.8, 0.77, 0.7]) * grout
    return np.asarray(laid, np.float32)


def ink(rng: np.random.Generator, tone: Array, paper: Array) -> Source:
    """Black ink in water on paper [3]; tone [h, w] in [0, 1] is how much of it there is."""
    h, w = tone.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    grain = 0.72 + 0.5 * sample(rng, x / h * 1.4, y / h * 1.4)
    dark = np.clip(tone * grain, 0, 1)[..., None]
    return np.asarray(paper * (1 - dark) + f32([0.07, 0.08, 0.11]) * dark, np.float32)
