"""Open country: a ground under a sky, with hills and trees between."""

import numpy as np

from instruct_imagen_data.planted.settings.frame import Backdrop, Frame, plane_depth
from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import (
    GROUNDS,
    MOODS,
    Mood,
    below,
    grid,
    ground,
    hazed,
    hexes,
    mix,
    outline,
    sample,
    sky,
    step,
    thrice,
)


def mood_of(frame: Frame) -> Mood:
    return MOODS[frame.mood]


def hills_on(frame: Frame, rgb: Array, mood: Mood, colours: str, count: int) -> Array:
    """Ridges towards the horizon, the far ones paler."""
    x, y = grid(frame.h, frame.w)
    air = hexes(mood.sky)[1]
    tint = f32(mood.sun_colour) * 0.6 + f32(mood.shade) * 0.7
    for number in range(count):
        near = (number + 1) / count
        line = outline(frame.rng, x[0] * (1.2 + 0.9 * near), 0.35 + 0.15 * near)
        height = frame.horizon + 0.012 - (0.20 - 0.10 * near) * line * (0.6 + frame.rng.random())
        colour = hazed(hexes(colours)[number % 2] * tint, air, 0.62 - 0.45 * near)
        rgb = mix(rgb, colour, below(y, height.astype(np.float32), frame.h))
    return rgb


def trees_on(frame: Frame, rgb: Array, mood: Mood, colour: str) -> Array:
    """A row of bushes along the horizon."""
    x, y = grid(frame.h, frame.w)
    crown = np.abs(np.sin(x[0] * frame.rng.uniform(9, 16) + frame.rng.uniform(0, 6)))
    line = outline(frame.rng, x[0] * 6, 0.7)
    height = frame.horizon + 0.01 - 0.085 * line * (0.5 + 0.6 * crown)
    leaves = sample(frame.rng, x * 2.2, y * 2.2)[..., None]
    tint = f32(mood.sun_colour) * 0.5 + f32(mood.shade) * 0.6
    lit = hexes(colour)[0] * tint * (0.55 + 0.9 * leaves)
    return mix(rgb, lit.astype(np.float32), below(y, height.astype(np.float32), frame.h))


def outdoors(frame: Frame, material: str, hills: str, trees: str | None) -> Backdrop:
    rng, h, w = frame.rng, frame.h, frame.w
    mood = mood_of(frame)
    _, y = grid(h, w)
    rgb = sky(rng, h, w, mood, frame.horizon, frame.side)
    rgb = hills_on(frame, rgb, mood, hills, int(rng.integers(1, 4)))
    if trees and rng.random() < 0.7:
        rgb = trees_on(frame, rgb, mood, trees)
    light = mood.light(frame.side)
    tint = f32(mood.sun_colour) * max(0.45, mood.sun[1]) + f32(mood.shade) * 0.8
    floor = ground(rng, h, w, frame.horizon, GROUNDS[material]) * tint
    air = hexes(mood.sky)[1]
    far = np.exp(-np.clip(y - frame.horizon, 0, 1) * 14).astype(np.float32)
    floor = mix(floor.astype(np.float32), air, far * 0.45)
    rgb = mix(rgb, floor, np.clip((y - frame.horizon) * h, 0, 1))
    return Backdrop(rgb, plane_depth(frame), light, 0.42 if frame.mood == "overcast" else 0.6)


def meadow(frame: Frame) -> Backdrop:
    """Grass under a wide sky."""
    kind = "grass" if frame.rng.random() < 0.75 else "dry grass"
    return outdoors(frame, kind, "5f8f45 8fae5a", "4f7f35")


def woodland(frame: Frame) -> Backdrop:
    """A clearing: trunks behind a leafy floor."""
    rng = frame.rng
    place = outdoors(frame, "forest floor", "33552f 4a6b35", "3f6b2c")
    x, y = grid(frame.h, frame.w)
    rgb = place.rgb
    for _ in range(int(rng.integers(4, 9))):
        centre, wide = rng.uniform(0, frame.w / frame.h), rng.uniform(0.012, 0.04)
        foot = frame.horizon + wide * 1.6
        across = (x - centre) / wide
        trunk = np.clip((1 - np.abs(across)) * wide * frame.h, 0, 1) * (y < foot)
        bark = hexes("5a4330")[0] * (0.9 + 0.5 * across * frame.side)[..., None]
        rgb = mix(rgb, np.asarray(bark, np.float32), trunk.astype(np.float32))
    leaves = step(sample(rng, x * 1.3, y * 1.3) - y * 1.1 + 0.1, 0.2, 0.45)
    green = hexes("3f7a2f")[0] * (0.6 + 0.9 * sample(rng, x * 4, y * 4))[..., None]
    rgb = mix(rgb, np.asarray(green, np.float32), leaves)
    return Backdrop(rgb, place.depth, place.light, place.shadow)


def snowfield(frame: Frame) -> Backdrop:
    """Snow with pale hills."""
    return outdoors(frame, "snow", "a9bccf d6e2ee", "4a6360")


def savanna(frame: Frame) -> Backdrop:
    """Dry grass and low hills."""
    kind = "dry grass" if frame.rng.random() < 0.7 else "earth"
    return outdoors(frame, kind, "a8915a 8f8a4f", "7c7a3a")


def _band(frame: Frame, place: Backdrop, material: str, marks: str) -> Backdrop:
    """A road or track that runs across, with its marks."""
    rng, h, w = frame.rng, frame.h, frame.w
    x, y = grid(h, w)
    low, high = frame.horizon + 0.10 * (1 - frame.horizon), 1.02
    band = ground(rng, h, w, frame.horizon, GROUNDS[material])
    mood = mood_of(frame)
    tint = f32(mood.sun_colour) * max(0.45, mood.sun[1]) + f32(mood.shade) * 0.8
    inside = np.clip((y - low) * h, 0, 1) * np.clip((high - y) * h, 0, 1)
    rgb = mix(place.rgb, (band * tint).astype(np.float32), inside)
    distance = 0.28 / (y - frame.horizon + 0.1)
    along = (x - w / h / 2) * distance + float(rng.random())
    if marks == "dashes":
        row = low + 0.80 * (1 - low)
        line = np.exp(-(((y - row) / 0.012) ** 4)) * (np.abs((along * 3) % 1 - 0.5) < 0.28)
        edge = np.exp(-(((y - low - 0.02) / 0.006) ** 4))
        rgb = mix(
            rgb, hexes("f2efe4")[0] * tint, np.clip(line + edge, 0, 1).astype(np.float32) * 0.85
        )
    else:
        rows = low + 0.52 * (1 - low), low + 0.80 * (1 - low)
        bed = step(y, rows[0] - 0.05, rows[0] - 0.03) * (
            1 - step(y, rows[1] + 0.05, rows[1] + 0.07)
        )
        sleepers = (np.abs((along * 12) % 1 - 0.5) < 0.17) * bed
        rgb = mix(rgb, hexes("5b4636")[0] * tint, sleepers.astype(np.float32) * 0.85)
        for row in rows:
            rail = np.exp(-(((y - row) / 0.013) ** 4)).astype(np.float32)
            rgb = mix(rgb, hexes("9a9b9f")[0] * tint, rail)
    return Backdrop(np.asarray(rgb, np.float32), place.depth, place.light, place.shadow)


def road(frame: Frame) -> Backdrop:
    """A marked road through open country."""
    return _band(frame, meadow(frame), "asphalt", "dashes")


def railway(frame: Frame) -> Backdrop:
    """Rails on gravel."""
    return _band(frame, meadow(frame), "gravel", "rails")


def plaza(frame: Frame) -> Backdrop:
    """Paving with a town's roofs along the horizon."""
    place = outdoors(frame, "paving", "8f9aa3 a3a09a", None)
    x, y = grid(frame.h, frame.w)
    knots = frame.rng.random(40).astype(np.float32)
    blocks = knots[(x[0] * frame.rng.uniform(7, 12)).astype(int) % 40]
    height = frame.horizon + 0.005 - 0.05 - 0.16 * blocks
    air = hexes(mood_of(frame).sky)[1]
    colour = hazed(hexes("7d7468")[0], air, 0.45) * (0.8 + 0.4 * blocks)[None, :, None]
    town = below(y, height, frame.h) * (1 - np.clip((y - frame.horizon) * frame.h, 0, 1))
    rgb = mix(place.rgb, np.broadcast_to(colour, place.rgb.shape).astype(np.float32), town)
    # Joints between the slabs, drawn together by distance.
    distance = 1 / (np.clip(y - frame.horizon, 0, 1) / (1 - frame.horizon) + 0.10)
    u, v = (x - frame.w / frame.h / 2) * distance * 1.6, distance * 2.2
    joint = np.maximum(np.abs(u % 1 - 0.5), np.abs((v % 1) - 0.5))
    seen = step(joint, 0.465, 0.495) * step(y, frame.horizon + 0.04, frame.horizon + 0.3)
    rgb = rgb * thrice(1 - 0.28 * seen)
    return Backdrop(rgb, place.depth, place.light, place.shadow)
