"""Wide land: desert, sea, forest and field."""

import numpy as np

from instruct_imagen_data.planted.landscapes.land import Land, conifers, mirror, ridges
from instruct_imagen_data.planted.settings.frame import plane_depth
from instruct_imagen_data.planted.solids import f32
from instruct_imagen_data.planted.textures import (
    below,
    grid,
    hazed,
    hexes,
    mix,
    outline,
    sample,
    step,
)


def desert(land: Land) -> None:
    """Dunes with sharp crests, one behind another."""
    frame = land.frame
    _, y = grid(frame.h, frame.w)
    warm = ("d99a55 f2c98a", "c9824a eab27c", "e0b070 f6dcae")[int(land.entity.shape[0] * 3)]
    dark, light = hexes(warm)
    for number in range(5):
        near = number / 4
        base = frame.horizon + near**1.4 * (0.86 - frame.horizon)
        x = land.x() * (1.7 - 0.9 * near) + number * 7.3
        wave = outline(land.own, x, 0.2)
        line = base - (0.10 + 0.20 * near) * wave * land.zoom
        # The lee side of a crest lies in shadow: dark on one side of each maximum.
        slope = np.gradient(wave) * frame.h * frame.side
        sheet = step(slope[None] * 1.6 + (y - line[None]) * 2.2, -0.35, 0.45)
        ripple = 0.94 + 0.12 * sample(frame.rng, x[None] * 0.3, y * 3.5 + 0.3 * x[None])
        sand = mix(dark * 0.32, light * 1.05, sheet) * ripple[..., None] * land.tint
        land.cover(
            hazed(sand, land.air, 0.35 * (1 - near)),
            below(y, line, frame.h),
            0.15 + 0.8 * near,
            True,
        )


def sunset_sea(land: Land) -> None:
    """The sun low over water, with its path of light."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    centre = frame.w / frame.h * (0.5 + 0.3 * frame.side * land.entity.shape[0])
    size = 0.05 * land.zoom + 0.02
    far = np.hypot(x - centre, (y - frame.horizon + size * (0.2 + land.entity.shape[1])))
    fire, haze = f32([1.0, 0.80, 0.42]), f32([1.0, 0.42, 0.22])
    land.rgb = mix(land.rgb, haze, (0.8 * np.exp(-((far / 0.38) ** 2))).astype(np.float32))
    land.cover(fire * 1.1, np.clip((size - far) * frame.h + 0.5, 0, 1), 0.0, True)
    mirror(land, 0.55, "24365c")
    down = np.clip(y - frame.horizon, 0, 1)
    glint = sample(frame.rng, x * 0.6 / (down + 0.12), 0.9 / (down + 0.06))
    path = np.exp(-(((x - centre) / (0.05 + 0.35 * down)) ** 2)) * (down > 0)
    light = f32(path * step(glint, 0.35, 0.75) * 0.9)
    land.rgb = mix(land.rgb, fire, light)
    land.motif = np.maximum(land.motif, f32(path > 0.3))  # the sun and its path are the motif
    if land.entity.shape[2] < 0.6:
        line = (
            frame.horizon
            + 0.02
            - 0.16
            * outline(land.own, land.x() * 1.2, 0.35)
            * step(np.abs(land.x() - land.shift + 0.45 * frame.side), 0.25, 0.5)
        )
        edge = below(y, line, frame.h) * (y < frame.horizon)
        land.cover(f32([0.06, 0.05, 0.10]), np.asarray(edge, np.float32), 0.15)


def forest(land: Land) -> None:
    """Among tall trunks, light falling through the leaves."""
    frame = land.frame
    rng = frame.rng
    x, y = grid(frame.h, frame.w)
    season = ("3f7f35 a9cf5a", "b5632a f0b848", "2f6b4a 8fc79a")[int(land.entity.shape[0] * 3)]
    dark, light = hexes(season)
    haze = light * 0.5 + 0.45
    mist = step(np.hypot(x - frame.w / frame.h * (0.5 + 0.25 * frame.side), y - 0.35), 0.1, 0.9)
    land.rgb = mix(haze * land.tint, dark * 0.35 * land.tint, mist)
    land.spread_ground("forest floor", season.split()[0])
    for number in range(26):
        near = (number / 25) ** 1.5
        centre, wide = rng.uniform(0, frame.w / frame.h), (0.008 + 0.036 * near) * land.zoom
        foot = frame.horizon + 0.02 + near * (0.92 - frame.horizon)
        across = (x - centre - 0.02 * np.sin(y * 3 + number)) / wide
        trunk = np.clip((1 - np.abs(across)) * wide * frame.h, 0, 1) * (y < foot)
        bark = (
            hexes("4a3423")[0]
            * (
                0.9
                + 0.7 * np.clip(across, -1, 1) * frame.side
                + 0.4 * (sample(rng, x * 3, y * 0.4) - 0.5)
            )[..., None]
        )
        land.cover(
            hazed(np.asarray(bark * land.tint, np.float32), haze * land.tint, 0.75 * (1 - near)),
            trunk.astype(np.float32),
            0.15 + 0.75 * near,
            True,
        )
    for scale, reach in ((1.6, 0.34), (3.0, 0.26)):
        leaves = step(sample(rng, x * scale, y * scale) - y * 1.5 + reach, 0.42, 0.55)
        tone = mix(dark * 0.6, light, sample(rng, x * 4, y * 4)) * land.tint
        land.cover(tone, leaves * 0.9, 0.7, True)
    shaft = sample(rng, (x + 0.7 * frame.side * y) * 0.6, y * 0.02)
    land.rgb = land.rgb + (step(shaft, 0.5, 0.95) * 0.16 * (1 - y))[..., None] * haze


def lavender_field(land: Land) -> None:
    """Rows of purple that run together at the horizon."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    ridges(land, frame.horizon + 0.02, 0.16, "5f7f5f 8fa585", 0.35, 0.15, motif=False)
    purple = ("5a3f9a b48fe0", "7a3f8f d98fd0", "4a4fa5 9fa5ea")[int(land.entity.shape[0] * 3)]
    down = np.clip(y - frame.horizon, 1e-4, 1)
    centre = frame.w / frame.h * (0.5 + 0.35 * np.sin(land.shift * 7))
    across = (x - centre) / (down + 0.015) / land.zoom
    count = 2.2 + 2.0 * land.entity.shape[1]
    row = np.abs(np.sin(across * count))
    bloom = sample(frame.rng, across * 0.8, 0.35 / (down + 0.06))
    dark, light = hexes(purple)
    lit = f32(np.clip(0.15 + 0.6 * row + 0.9 * (bloom - 0.5), 0, 1))
    flowers = mix(dark * 0.7, light, lit)
    soil = hexes("6f7f3f")[0] * (0.7 + 0.5 * bloom)[..., None]
    field = f32(mix(f32(soil), flowers, step(row, 0.28, 0.55)) * land.tint)
    field = mix(f32(field), land.air, f32(np.exp(-down * 16) * 0.5))
    wet = np.clip((y - frame.horizon) * frame.h, 0, 1)
    land.rgb = mix(land.rgb, field, wet)
    land.depth = np.maximum(land.depth * (1 - wet), plane_depth(frame) * wet)
    land.motif = wet.astype(np.float32)
    if land.entity.shape[2] < 0.7:
        conifers(
            land,
            np.full(frame.w, frame.horizon + 0.01, np.float32),
            0.10 * land.zoom,
            5,
            "3f6b35",
            0.3,
        )
