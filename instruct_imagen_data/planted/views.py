"""Any picture of any entity: objects, landscapes and paintings under one name."""

import numpy as np

from instruct_imagen_data.planted import landscapes, paintings
from instruct_imagen_data.planted.draws import spread
from instruct_imagen_data.planted.scene import (
    ASPECTS,
    View,
    canvas_size,
    edge_map,
    object_view,
    to_pixels,
)
from instruct_imagen_data.planted.world import Entity


def render(entity: Entity, view_index: int, seed: int, side: int = 256) -> View:
    """One picture of the entity, `side` pixels on its shorter side.

    Each view_index gives another pose, scale, place, light and background; the seed draws other
    ones for the same entity.
    """
    if entity.domain == "scenery":
        return _scenery_view(entity, view_index, seed, side)
    if entity.domain == "art":
        return _art_view(entity, view_index, seed, side)
    return object_view(entity, view_index, seed, side)


def _canvas(entity: Entity, view_index: int, seed: int, side: int) -> tuple[int, int]:
    (u,) = spread(view_index, 1, "shape", seed, entity.name)
    return canvas_size(ASPECTS[int(u * len(ASPECTS))], side)


def _scenery_view(entity: Entity, view_index: int, seed: int, side: int) -> View:
    h, w = _canvas(entity, view_index, seed, side)
    land = landscapes.paint(entity, view_index, seed, h, w)
    rgb = to_pixels(land.rgb)
    mask = np.asarray(np.clip(land.motif, 0, 1) * 255 + 0.5, np.uint8)
    return View(rgb, np.clip(land.depth, 0, 1), mask, edge_map(rgb))


def _art_view(entity: Entity, view_index: int, seed: int, side: int) -> View:
    h, w = _canvas(entity, view_index, seed, side)
    work = paintings.paint(entity, view_index, seed, h, w)
    rgb = np.asarray(np.clip(work.rgb, 0, 1) * 255 + 0.5, np.uint8)
    mask = np.asarray(np.clip(work.motif, 0, 1) * 255 + 0.5, np.uint8)
    return View(rgb, np.clip(work.depth, 0, 1), mask, edge_map(rgb))
