"""Scenery: each noun is layers of land, water and sky under a time of day."""

from collections.abc import Callable

import numpy as np

from instruct_imagen_data.planted.draws import between, generator, spread
from instruct_imagen_data.planted.landscapes.heights import (
    canyon,
    mountain_lake,
    snowy_hills,
    waterfall,
)
from instruct_imagen_data.planted.landscapes.land import Land
from instruct_imagen_data.planted.landscapes.plains import (
    desert,
    forest,
    lavender_field,
    sunset_sea,
)
from instruct_imagen_data.planted.settings.frame import Frame
from instruct_imagen_data.planted.textures import MOODS, sky
from instruct_imagen_data.planted.world import Entity

PAINTERS: dict[str, Callable[[Land], None]] = {
    "mountain lake": mountain_lake,
    "desert": desert,
    "sunset sea": sunset_sea,
    "forest": forest,
    "waterfall": waterfall,
    "canyon": canyon,
    "snowy hills": snowy_hills,
    "lavender field": lavender_field,
}


_DAYS = ("noon", "morning", "golden", "overcast", "sunset")


_EVENINGS = ("sunset", "dusk", "golden")


def paint(
    entity: Entity, view_index: int, seed: int, h: int, w: int, noun: str | None = None
) -> Land:
    """The entity's landscape [h, w] in linear light, seen from a place and hour of its own."""
    noun = noun or entity.noun
    u = spread(view_index, 6, "land", seed, entity.name)
    moods = _EVENINGS if noun == "sunset sea" else _DAYS
    frame = Frame(
        generator("land", seed, entity.name, view_index), h, w, between(u[0], 0.36, 0.60),
        -1.0 if u[1] < 0.5 else 1.0, moods[int(u[2] * len(moods))],
    )  # fmt: skip
    backdrop = sky(frame.rng, h, w, MOODS[frame.mood], frame.horizon, frame.side)
    own = generator("place", entity.name, *entity.shape)
    depth, motif = np.zeros((2, h, w), np.float32)
    shift, zoom = between(u[3], 0, 6), between(u[4], 0.75, 1.6)
    land = Land(frame, entity, own, shift, zoom, backdrop, depth, motif)
    PAINTERS[noun](land)
    return land
