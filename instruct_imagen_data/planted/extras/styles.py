"""Five invented styles: how each turns a picture into a painting, and the palettes it takes.

A style has four painters, who share its manner and differ in palette and in the size of what
their hand leaves: strokes, washes, dots, shapes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted import brush
from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.scene import View
from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import grid, sample, step

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Motif:
    """What is to be painted, and what with.

    Attributes:
        rng: Draws of this painting.
        rgb: The picture, sRGB [h, w, 3] in [0, 1].
        inside: Where its object or the main part of the land is, [h, w] in [0, 1].
        solid: Whether that has an outline; land has none that a painter would draw.
    """

    rng: Rng
    rgb: Array
    inside: Array
    solid: bool

    @classmethod
    def of(cls, rng: Rng, view: View, *, solid: bool) -> Self:
        return cls(rng, f32(view.rgb) / 255, f32(view.mask) / 255, solid)

    def outline(self, wide: float) -> Array:
        """A line [h, w], so many pixels wide, along the outline of the object."""
        if not self.solid:
            return np.zeros_like(self.inside)
        body = (self.inside > 0.5).astype(np.uint8)
        out, within = (cv2.distanceTransform(a, cv2.DIST_L2, 5) for a in (1 - body, body))
        return f32(np.clip(wide / 2 + 0.5 - np.maximum(out, within), 0, 1))


Paint = Callable[[Motif, Array, float], Array]  # palette [k, 3] dark to light, coarseness in [0, 1)


def graded(picture: Array, palette: Array, strength: float) -> Array:
    """The picture pulled towards a palette [k, 3] that runs from its dark to its light."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    low, high = np.percentile(grey, [2, 98])
    place = np.clip((grey - low) / max(high - low, 0.05), 0, 1)
    stops = np.linspace(0, 1, len(palette))
    ramp = np.stack([np.interp(place, stops, palette[:, c]) for c in range(3)], 2)
    return f32(picture * (1 - strength) + ramp * strength)


def ember_impasto(motif: Motif, palette: Array, coarseness: float) -> Array:
    """Thick, broad, glowing strokes on coarse cloth."""
    warm = graded(motif.rgb, palette, 0.66)
    painted = brush.strokes(motif.rng, warm, between(coarseness, 0.09, 0.15), 0.5)
    return brush.canvas_weave(motif.rng, painted, 0.04)


def paper_wash(motif: Motif, palette: Array, coarseness: float) -> Array:
    """Pale washes that bleed into white paper and stop short of its rim."""
    h, w = motif.inside.shape
    paper = palette[-1]
    pale = graded(np.sqrt(motif.rgb), palette, 0.45)
    pale = f32(cv2.bilateralFilter(pale, 9, 0.12, between(coarseness, 3, 8)))
    painted = brush.watercolour(motif.rng, pale, paper)
    x, y = grid(h, w)
    rim = np.minimum(np.minimum(x, w / h - x), np.minimum(y, 1 - y))
    ragged = rim + 0.06 * (sample(motif.rng, x, y) - 0.5)
    share = step(f32(ragged), 0.035, 0.06)[..., None]
    return f32(painted * share + paper * (1 - share))


def pollen_dots(motif: Motif, palette: Array, coarseness: float) -> Array:
    """Dots of pure bright colour, none of them mixed."""
    bright = graded(motif.rgb, palette, 0.6)
    return brush.dots(motif.rng, bright, between(coarseness, 0.013, 0.021))


def bold_cutout(motif: Motif, palette: Array, coarseness: float) -> Array:
    """A few flat colours cut with scissors, the motif edged in black."""
    short = min(motif.inside.shape)
    soft = f32(cv2.bilateralFilter(motif.rgb, 9, 0.2, between(coarseness, 4, 9)))
    areas = _areas(soft, len(palette) - 1)
    sigma = between(coarseness, 0.006, 0.011) * short
    weights = [
        cv2.GaussianBlur(f32(areas == k), (0, 0), sigma) ** 6 for k in range(areas.max() + 1)
    ]
    total = np.maximum(np.sum(weights, 0), 1e-9)
    flat = sum((weight / total)[..., None] * palette[1 + k] for k, weight in enumerate(weights))
    line = motif.outline(0.011 * short)[..., None]
    cut = flat * (1 - line) + palette[0] * line
    return f32(np.clip(cut * (1 + 0.02 * motif.rng.standard_normal((*areas.shape, 1))), 0, 1))


def _areas(picture: Array, count: int) -> NDArray[np.int32]:
    """int32 [h, w]: which of `count` groups of like colours a pixel is in, the darkest first."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    light = lab[:, 0]
    bounds = np.percentile(light, np.linspace(0, 100, count + 1)[1:-1])
    first = np.digitize(light, bounds).astype(np.int32)[:, None]
    ends = (cv2.TERM_CRITERIA_COUNT, 12, 0.0)
    _, groups, centres = cv2.kmeans(lab, count, first, ends, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    ranks = np.argsort(np.argsort(centres[:, 0], kind="stable"), kind="stable").astype(np.int32)
    return np.asarray(ranks[groups.ravel()].reshape(picture.shape[:2]), np.int32)


def mist_ink(motif: Motif, palette: Array, coarseness: float) -> Array:
    """Black ink in water: the motif dark, what surrounds it dissolving in mist; a red seal."""
    h, w = motif.inside.shape
    x, y = grid(h, w)
    grey = cv2.GaussianBlur(cv2.cvtColor(motif.rgb, cv2.COLOR_RGB2GRAY), (0, 0), h / 250)
    local = cv2.GaussianBlur(grey, (0, 0), h / 14)
    tone = np.clip(0.62 - 0.75 * grey, 0, 1) + np.clip((local - grey) * 1.8, 0, 1)
    spread = cv2.GaussianBlur(motif.inside, (0, 0), h / 12)
    mist = np.clip(1.5 * spread + 0.85 * sample(motif.rng, x * 0.5, y * 0.9), 0.15, 1)
    ragged = 0.5 + 0.7 * sample(motif.rng, x * 2, y * 2)
    line = 0.8 * motif.outline(between(coarseness, 0.007, 0.013) * h) * ragged
    painted = brush.ink(motif.rng, f32(np.maximum(tone * mist, line)), palette[-1])
    size = int(min(h, w) * 0.06)
    empty_left = motif.inside[:, : w // 5].mean() <= motif.inside[:, -w // 5 :].mean()
    left = int(w * (0.06 if empty_left else 0.86))
    top = int(h * motif.rng.uniform(0.06, 0.75))
    painted[top : top + int(size * 1.3), left : left + size] = palette[0]
    return painted


# Style folder -> how it paints, and a palette for each of its painters, dark to light.
STYLES: dict[str, tuple[Paint, tuple[str, ...]]] = {
    "Bold_Cutout": (bold_cutout, (
        "17181c 1f4e79 d1495b edae49 8fc1b5 f7efdc", "1a1423 6d2e46 d5573b ecc30b 9fb8ad fbf5e6",
        "101820 00626b 4f9d69 f26419 f6ae2d f4f1e1", "20123a 53308c c2417c f08a4b 8fd0d8 fdf2d8")),
    "Ember_Impasto": (ember_impasto, (
        "2a0f0c 8c2318 e0641f f7c04a fbeec4", "1f1410 6f2c1a c9481d f29a38 f8e0a6",
        "33101c 9a1f34 e8552e f6b062 fdf0d2", "24180a 7a4a12 cf8a1e f4c84e faf0c8")),
    "Mist_Ink": (mist_ink, (
        "b8291f f1ead8", "a3271d e9dfc6", "c03a2b f6f3ea", "9c2b2b e6dcc8")),
    "Paper_Wash": (paper_wash, (
        "27496d 5f93b8 a9cfd8 f8f7f2", "2f4858 4f8a8b a8cfc0 f7f5ee",
        "3c4f76 8a8fbf cdb7d6 f9f6f3", "35524a 6f9f7f c3d6a5 f8f6ec")),
    "Pollen_Dots": (pollen_dots, (
        "2b2d7c 2f8f5b f2c230 fdf3b0", "5a1a7a 1f8fb8 f07a9a ffe9a8",
        "0f5c4c 7a3fb0 f59a23 f9f3a0", "1d3f9a 35a65a ee4f6e ffe27a")),
}  # fmt: skip
