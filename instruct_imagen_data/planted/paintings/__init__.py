"""Art: each noun is a manner of painting; an entity is a painter's series with its own palette."""

from collections.abc import Callable

import cv2
import numpy as np

from instruct_imagen_data.planted import brush
from instruct_imagen_data.planted.draws import between, generator, spread
from instruct_imagen_data.planted.paintings.easel import Easel, Painting
from instruct_imagen_data.planted.paintings.oil import abstract_painting, oil_seascape, still_life
from instruct_imagen_data.planted.paintings.paper import (
    ink_mountains,
    mosaic,
    pointillist_garden,
    watercolour_flowers,
)
from instruct_imagen_data.planted.solids import f32
from instruct_imagen_data.planted.textures import grid
from instruct_imagen_data.planted.world import Entity

PAINTERS: dict[str, Callable[[Easel], Painting]] = {
    "still life": still_life,
    "abstract painting": abstract_painting,
    "oil seascape": oil_seascape,
    "watercolour flowers": watercolour_flowers,
    "ink mountains": ink_mountains,
    "mosaic": mosaic,
    "pointillist garden": pointillist_garden,
}


_ON_CANVAS = frozenset({"still life", "abstract painting", "oil seascape", "pointillist garden"})


def paint(entity: Entity, view_index: int, seed: int, h: int, w: int) -> Painting:
    """One work of the series [h, w]; every third hangs framed on a wall."""
    u = spread(view_index, 3, "hang", seed, entity.name)
    rng = generator("painting", seed, entity.name, view_index)
    if u[0] > 0.36:
        return _finished(Easel(entity, rng, view_index, seed, h, w))
    rim = int(between(u[1], 0.08, 0.20) * min(h, w))
    inner = _finished(Easel(entity, rng, view_index, seed, h - 2 * rim, w - 2 * rim))
    return _hung(inner, rim, rng, h, w)


def _finished(easel: Easel) -> Painting:
    done = PAINTERS[easel.entity.noun](easel)
    if easel.entity.noun not in _ON_CANVAS:
        return done
    return Painting(brush.canvas_weave(easel.rng, done.rgb), done.depth, done.motif)


def _hung(inner: Painting, rim: int, rng: np.random.Generator, h: int, w: int) -> Painting:
    """The work in a frame on a plain wall, with the frame's shadow."""
    x, y = grid(h, w)
    walls = ([0.91, 0.90, 0.87], [0.74, 0.78, 0.76], [0.86, 0.80, 0.74], [0.42, 0.45, 0.50])
    wall = f32(walls[int(rng.integers(4))]) * (1.04 - 0.12 * y - 0.05 * x)[..., None]
    rgb = np.asarray(wall, np.float32)
    depth, motif = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    wide = max(int(rim * 0.45), 3)
    shadow = np.zeros((h, w), np.float32)
    shadow[rim - wide + 3 : h - rim + wide + 5, rim - wide + 3 : w - rim + wide + 5] = 0.5
    rgb = rgb * (1 - cv2.GaussianBlur(shadow, (0, 0), wide / 2.5))[..., None]
    woods = ([0.72, 0.55, 0.25], [0.30, 0.20, 0.13], [0.93, 0.92, 0.90], [0.12, 0.12, 0.13])
    frame = f32(woods[int(rng.integers(4))])
    for step_in in range(wide):
        shade = 0.75 + 0.45 * np.sin(np.pi * (step_in + 0.5) / wide)
        at = rim - wide + step_in
        rgb[at : h - at, at : w - at] = np.clip(frame * shade, 0, 1)
    window = (slice(rim, h - rim), slice(rim, w - rim))
    rgb[window], depth[window], motif[window] = inner.rgb, 0.4 + 0.6 * inner.depth, inner.motif
    return Painting(rgb, depth, motif)
