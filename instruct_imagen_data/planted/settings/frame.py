"""What a backdrop is drawn for, and what comes of it."""

from dataclasses import dataclass

import numpy as np

from instruct_imagen_data.planted.light import Light
from instruct_imagen_data.planted.solids import Array
from instruct_imagen_data.planted.textures import (
    grid,
)


@dataclass(frozen=True)
class Frame:
    """What a backdrop is drawn for.

    Attributes:
        rng: Draws of this picture.
        h: Height, in pixels.
        w: Width, in pixels.
        horizon: Row of the horizon as a share of the height; may be negative.
        side: Where the sun stands: -1 left, 1 right.
        mood: Name of the time of day.
    """

    rng: np.random.Generator
    h: int
    w: int
    horizon: float
    side: float
    mood: str


@dataclass(frozen=True)
class Backdrop:
    """A picture without its object: linear rgb [h, w, 3], depth [h, w] in [0, 1] (near = 1), light;
    `shadow` is how dark cast shadows are, 0 where nothing catches them."""

    rgb: Array
    depth: Array
    light: Light
    shadow: float


def plane_depth(frame: Frame) -> Array:
    """Depth [h, w] of a ground that runs to the horizon: 0 there and above, 1 at the lower edge."""
    _, y = grid(frame.h, frame.w)
    share = np.clip((y - frame.horizon) / (1 - frame.horizon), 0, 1)
    return np.asarray(share / (0.35 + 0.65 * share), np.float32)
