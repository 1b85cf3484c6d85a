"""Studio, shelf and table top."""

import cv2
import numpy as np

from instruct_imagen_data.planted.light import Light
from instruct_imagen_data.planted.settings.frame import Backdrop, Frame, plane_depth
from instruct_imagen_data.planted.solids import f32
from instruct_imagen_data.planted.textures import (
    GROUNDS,
    grid,
    ground,
    hexes,
    mix,
    step,
)

_STUDIO = (
    "f3eee6 cfc6b8", "e3edf2 a9bfcc", "f6e3dc d9a998", "e8efe1 b3c4a2", "f4ecd0 d8c07a",
    "ececf0 b4b4be", "d9d2e6 a294bd", "5a6470 2f363d", "f9f9f7 dcdcd8", "cfe6e2 8db9b3",
)  # fmt: skip


def studio(frame: Frame) -> Backdrop:
    """A seamless sweep of paper under a soft lamp."""
    x, y = grid(frame.h, frame.w)
    light, dark = hexes(_STUDIO[int(frame.rng.integers(len(_STUDIO)))])
    lamp_x = frame.w / frame.h * (0.5 + 0.3 * frame.side)
    far = np.hypot((x - lamp_x) * 0.8, y - 0.3)
    sweep = step(far, 0.05, 1.15) * 0.8 + 0.28 * np.exp(-(((y - frame.horizon) / 0.1) ** 2))
    rgb = mix(light, dark, np.clip(sweep, 0, 1).astype(np.float32))
    lamp = Light(
        (0.6 * frame.side, 0.9, 0.7), (0.80, 0.78, 0.74), (0.46, 0.46, 0.47), (0.34, 0.33, 0.32)
    )
    return Backdrop(rgb, plane_depth(frame) * 0.9 + 0.05, lamp, 0.5)


def room(frame: Frame) -> Backdrop:
    """A shelf or table top before a wall that is out of focus."""
    rng, h, w = frame.rng, frame.h, frame.w
    x, y = grid(h, w)
    wall, shade = hexes(_STUDIO[int(rng.integers(len(_STUDIO)))])
    rgb = mix(wall, shade * 0.7, step(np.hypot(x - w / h * (0.5 + 0.4 * frame.side), y), 0.1, 1.3))
    for _ in range(int(rng.integers(2, 5))):
        left, top = rng.uniform(0, w / h), rng.uniform(0, frame.horizon * 0.8)
        wide, high = rng.uniform(0.1, 0.4, 2)
        inside = step(x, left, left + 0.03) * (1 - step(x, left + wide, left + wide + 0.03))
        inside *= step(y, top, top + 0.03) * (1 - step(y, top + high, top + high + 0.03))
        rgb = mix(rgb, rng.random(3).astype(np.float32) ** 2 * 0.8, inside * 0.5)
    rgb = f32(cv2.GaussianBlur(rgb, (0, 0), h / 40))
    material = GROUNDS[("light wood", "dark wood", "marble", "slate")[int(rng.integers(4))]]
    board = ground(rng, h, w, frame.horizon, material)
    rgb = mix(rgb, board, np.clip((y - frame.horizon) * h, 0, 1))
    lamp = Light(
        (0.8 * frame.side, 0.8, 0.6), (0.85, 0.80, 0.72), (0.38, 0.38, 0.40), (0.30, 0.27, 0.24)
    )
    return Backdrop(rgb, plane_depth(frame) * 0.9, lamp, 0.55)


def table(frame: Frame) -> Backdrop:
    """A table top that fills the picture: wood, stone or a checked cloth."""
    rng, h, w = frame.rng, frame.h, frame.w
    names = ("light wood", "dark wood", "marble", "linen", "slate")
    name = names[int(rng.integers(len(names)))]
    rgb = ground(rng, h, w, frame.horizon - 0.6, GROUNDS[name])
    x, y = grid(h, w)
    distance = 1 / (y + 0.9)
    u, v = (x - w / h / 2) * distance * 14, distance * 16
    if name == "linen":
        colour = rng.uniform(0.1, 0.75, 3).astype(np.float32) ** 2
        woven = f32(1.0 * (np.sin(u * 3) > 0) + (np.sin(v * 4) > 0))
        rgb = mix(rgb, colour, f32(cv2.GaussianBlur(woven * f32(0.38), (0, 0), h / 350)))
    elif "wood" in name:
        gap = np.abs((v * 0.8) % 1 - 0.5)
        rgb = rgb * (1 - 0.55 * step(gap, 0.46, 0.495))[..., None]
    rgb = rgb * (1.08 - 0.30 * step(np.hypot(x - w / h / 2, y - 0.5), 0.3, 1.0))[..., None]
    lamp = Light(
        (0.7 * frame.side, 0.9, 0.5), (0.92, 0.86, 0.76), (0.36, 0.37, 0.40), (0.30, 0.27, 0.25)
    )
    depth = 0.25 + 0.5 * np.asarray(y, np.float32)
    return Backdrop(np.asarray(rgb, np.float32), depth, lamp, 0.6)
