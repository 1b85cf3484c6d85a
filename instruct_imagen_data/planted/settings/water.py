"""Shore, sea, depth and air."""

import numpy as np

from instruct_imagen_data.planted.light import Light
from instruct_imagen_data.planted.settings.frame import Backdrop, Frame
from instruct_imagen_data.planted.settings.outdoors import hills_on, mood_of, outdoors
from instruct_imagen_data.planted.solids import f32
from instruct_imagen_data.planted.textures import (
    GROUNDS,
    below,
    grid,
    ground,
    hexes,
    mix,
    outline,
    sample,
    sky,
    step,
)


def beach(frame: Frame) -> Backdrop:
    """Sand before the sea."""
    place = outdoors(frame, "sand", "6f93a8 8fb0bd", None)
    _, y = grid(frame.h, frame.w)
    shore = frame.horizon + 0.06 + 0.03 * outline(frame.rng, grid(frame.h, frame.w)[0][0] * 2, 0.3)
    sea = ground(frame.rng, frame.h, frame.w, frame.horizon, GROUNDS["water"])
    covered = np.clip((y - frame.horizon) * frame.h, 0, 1) * (1 - below(y, shore, frame.h))
    foam = np.exp(-(((y - shore[None]) / 0.008) ** 2)).astype(np.float32)
    rgb = mix(mix(place.rgb, sea, covered), hexes("f4f8f8")[0], foam * 0.8)
    return Backdrop(rgb, place.depth, place.light, place.shadow)


def sea(frame: Frame) -> Backdrop:
    """Open water that mirrors the sky."""
    place = outdoors(frame, "water", "6f8fa3 8aa3ad", None)
    h = frame.h
    _, y = grid(h, frame.w)
    row = round(frame.horizon * h)
    mirrored = np.full_like(place.rgb, 0)
    mirrored[row:] = place.rgb[np.clip(2 * row - np.arange(row, h), 0, max(row - 1, 0))]
    wet = np.clip((y - frame.horizon) * h, 0, 1)
    return Backdrop(mix(place.rgb, mirrored, wet * 0.42), place.depth, place.light, 0.0)


def air(frame: Frame) -> Backdrop:
    """Only sky, with land far below in some pictures."""
    rng, h, w = frame.rng, frame.h, frame.w
    mood = mood_of(frame)
    low = 0.86 + 0.4 * float(rng.random())
    rgb = sky(rng, h, w, mood, low, frame.side)
    view = Frame(rng, h, w, min(low, 0.99), frame.side, frame.mood)
    rgb = hills_on(view, rgb, mood, "4f7a45 6f8f55", 2)
    return Backdrop(rgb, np.zeros((h, w), np.float32), mood.light(frame.side), 0.0)


def underwater(frame: Frame) -> Backdrop:
    """Blue depth with rays, weed and a sandy floor."""
    rng, h, w = frame.rng, frame.h, frame.w
    x, y = grid(h, w)
    pairs = ("7fd4e0 0b3f63", "6fc9b8 0d4a4f", "9fd0f0 123a70", "58b0c9 08283f")
    light, deep = hexes(pairs[int(rng.integers(len(pairs)))])
    rgb = mix(light, deep, np.clip(y * 1.05, 0, 1))
    slant = x - frame.side * 0.5 * y
    rays = sample(rng, slant * 0.5, y * 0.02) * np.exp(-y * 1.8)
    rgb = rgb + (rays * 0.35)[..., None].astype(np.float32)
    line = 0.84 - 0.10 * outline(rng, x[0] * 1.5, 0.3)
    floor = ground(rng, h, w, 0.55, GROUNDS["sand"]) * f32([0.35, 0.65, 0.72])
    rgb = mix(rgb, floor.astype(np.float32), below(y, line, h) * 0.85)
    for _ in range(int(rng.integers(3, 9))):
        root, tall = rng.uniform(0, w / h), rng.uniform(0.12, 0.45)
        sway = root + 0.03 * np.sin(y * rng.uniform(10, 18)) - x
        blade = np.exp(-((sway / 0.012) ** 2)) * step(y, 0.92 - tall, 0.98 - tall)
        rgb = mix(rgb, hexes("2f6b45")[0] * 0.6, (blade * 0.8).astype(np.float32))
    for _ in range(int(rng.integers(4, 14))):
        centre = rng.uniform(0, w / h), rng.uniform(0, 0.8)
        far = np.hypot(x - centre[0], y - centre[1]) / rng.uniform(0.006, 0.02)
        rgb = rgb + (np.exp(-((far - 1) ** 2) * 12) * 0.3)[..., None]
    lamp = Light(
        (0.3 * frame.side, 1.0, 0.5), (0.72, 0.86, 0.9), (0.30, 0.48, 0.55), (0.14, 0.26, 0.32)
    )
    return Backdrop(np.asarray(rgb, np.float32), 0.3 * below(y, line, h) * y, lamp, 0.0)
