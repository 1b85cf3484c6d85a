"""Steep land: lake, waterfall, canyon and snowy hills."""

import cv2
import numpy as np

from instruct_imagen_data.planted.landscapes.land import Land, conifers, mirror, ridges, snowcap
from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import (
    GROUNDS,
    below,
    grid,
    ground,
    hazed,
    hexes,
    mix,
    outline,
    sample,
    step,
)


def mountain_lake(land: Land) -> None:
    """Snowy peaks mirrored in still water, firs at the shore."""
    horizon = land.frame.horizon
    ridges(land, horizon + 0.02, 0.30, "8c9db0 b7c4d0", 0.5, 0.1)
    line = ridges(
        land,
        horizon + 0.02,
        0.46 + 0.12 * land.entity.shape[0],
        ("46566b a3a7ad", "5a4f49 b3a08c", "3f5a55 93a89a")[int(land.entity.shape[2] * 3)],
        0.5,
        0.45,
    )
    snowcap(land, line, 0.10)
    shore = np.full(land.frame.w, horizon, np.float32)
    conifers(land, shore - 0.01, 0.09 * land.zoom, 60, "2f5a3c", 0.35)
    mirror(land, 0.62, ("1f5f7a", "2a7f86", "204a6a")[int(land.entity.shape[1] * 3)])


def waterfall(land: Land) -> None:
    """A white fall over a cliff into a pool."""
    frame = land.frame
    rng = frame.rng
    x, y = grid(frame.h, frame.w)
    width = frame.w / frame.h
    rim = max(frame.horizon - 0.30, 0.10) - 0.06 * outline(land.own, land.x() * 2, 0.5)
    stone = sample(rng, x * 0.8, y * 0.35)
    moss = step(sample(rng, x * 1.2, y * 1.2), 0.5, 0.8)
    dark, light = hexes("3a3733 8a8378")
    cliff = (
        mix(dark, light, stone) * (1 - 0.5 * moss[..., None])
        + hexes("3f6b35")[0] * (0.5 * moss)[..., None]
    )
    land.cover(np.asarray(cliff * land.tint, np.float32), below(y, rim, frame.h), 0.35)
    conifers(land, rim, 0.13 * land.zoom, 30, "2d5c33", 0.4)
    land.motif = land.motif * 0
    foot = frame.horizon + 0.22
    _streams(land, rim, foot)
    pool = ground(rng, frame.h, frame.w, frame.horizon - 0.1, GROUNDS["water"]) * land.tint
    teal = hexes(("3f9a9a", "3f7fa5", "4f9f7f")[int(land.entity.shape[2] * 3)])[0]
    edge = foot - 0.03 + 0.015 * np.sin(x[0] * 14 + land.shift * 9)
    land.cover(pool * 0.5 + teal * land.tint * 0.5, below(y, edge.astype(np.float32), frame.h), 0.6)
    foam = np.exp(-(((y - foot) / 0.045) ** 2)) * np.exp(-(((x - width / 2) / 0.34) ** 2))
    spray = foam * (0.5 + 0.7 * sample(rng, x * 3, y * 3))
    land.rgb = mix(
        land.rgb,
        f32([0.85, 0.89, 0.9]) * land.tint,
        np.clip(spray, 0, 0.95).astype(np.float32),
    )
    _boulders(land, stone)


def _streams(land: Land, rim: Array, foot: float) -> None:
    """One to three falls from the rim [w] to the row foot, widening as they drop."""
    frame, shape = land.frame, land.entity.shape
    x, y = grid(frame.h, frame.w)
    count = 1 + int(shape[0] * 2.99)
    for number in range(count):
        aside = (number - (count - 1) / 2) * 0.26 * land.zoom
        centre = frame.w / frame.h / 2 - 0.25 * land.shift % 0.3 + aside
        wide = (0.05 + 0.08 * shape[1]) * land.zoom / count**0.5
        spreading = wide * (1 + 0.5 * np.clip((y - rim[None]) / 0.5, 0, 1))
        across = np.clip((1 - np.abs(x - centre) / spreading) * 6, 0, 1)
        inside = f32(across * (y > rim[None] + 0.01) * (y < foot))
        threads = 0.62 + 0.5 * sample(frame.rng, x * 5, y * 0.22)
        white = f32([0.80, 0.86, 0.90]) * threads[..., None] * land.tint
        land.cover(white, inside, 0.45, motif=True)


def _boulders(land: Land, stone: Array) -> None:
    """Seven wet rocks along the lower edge; stone [h, w] is their grain."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    for _ in range(7):
        across, down = frame.rng.uniform(0, frame.w / frame.h), frame.rng.uniform(0.86, 1.0)
        size = frame.rng.uniform(0.05, 0.14)
        far = np.hypot((x - across) / 1.4, y - down) / size
        lit = 0.35 + 0.6 * np.clip((down - y) / size + 0.3, 0, 1) + 0.3 * (stone - 0.5)
        rock = f32(hexes("7f7a70")[0] * lit[..., None] * land.tint)
        land.cover(rock, f32(np.clip((1 - far) * size * frame.h, 0, 1)), 0.85)


def canyon(land: Land) -> None:
    """Layered red walls with a river between them."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    width = frame.w / frame.h
    reds = ("8f3f24 d98a55", "a5522f e8a870", "7a3a2a c97a5a")[int(land.entity.shape[0] * 3)]
    dark, light = hexes(reds)
    land.spread_ground("earth", reds.split()[1])
    for number in range(4):
        for side in (-1, 1):
            _canyon_wall(land, number / 3, side, dark, light)
    down = np.clip(y - frame.horizon, 0, 1)
    bend = width / 2 + 0.10 * np.sin(down * 9 + land.shift * 6) * down * 3
    river = step(0.015 + 0.16 * down - np.abs(x - bend), 0, 0.02) * (y > frame.horizon + 0.01)
    land.cover(
        hexes("3f8f9a")[0] * land.tint * (0.8 + 0.5 * sample(frame.rng, x, y * 3))[..., None],
        river,
        0.5,
    )


def _canyon_wall(land: Land, near: float, side: int, dark: Array, light: Array) -> None:
    """One stepped wall of banded rock on a side (-1 left, 1 right); near runs from 0 to 1."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    inner = frame.w / frame.h / 2 + side * (0.07 + 0.12 * near + 0.16 * near * land.entity.shape[1])
    top = frame.horizon - (0.10 + 0.30 * near) * land.zoom
    terraces = np.round(outline(land.own, land.x() * 2 + side * 5, 0.4) * 5) / 5
    line = f32(top + 0.13 * (1 - terraces))
    foot = frame.horizon + 0.03 + 0.40 * near
    sloped = (x - inner - side * 0.10 * (foot - y)) * side
    ragged = 0.04 * (sample(frame.rng, y * 0.8, x * 0.2) - 0.5)
    wall = step(sloped + ragged, 0, 0.012) * below(y, line, frame.h)
    wall = wall * (y < foot + 0.3 * np.abs(x - inner))
    strata = 0.5 + 0.5 * np.sin((y - top) * 60 + 3 * sample(frame.rng, x * 0.3, y * 0.3))
    grain = 0.3 * (sample(frame.rng, x * 2, y * 0.7) - 0.5)
    lit = 0.55 if side == frame.side else 1.0
    rock = mix(dark, light, f32(0.25 + 0.5 * strata + grain)) * land.tint * lit
    share = f32(wall)
    land.cover(hazed(rock, land.air, 0.5 * (1 - near)), share, 0.15 + 0.7 * near, motif=True)


def snowy_hills(land: Land) -> None:
    """Rolling snow with firs."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    for number in range(4):
        near = number / 3
        base = frame.horizon + near * (0.80 - frame.horizon)
        line = base - (0.12 - 0.03 * near) * land.zoom * outline(
            land.own, land.x() * (1.5 - 0.6 * near) + 9 * number, 0.25
        )
        glow = np.exp(-np.clip(y - line[None], 0, 1) * 7)
        tone = 0.62 + 0.34 * glow + 0.10 * (sample(frame.rng, x * 0.5, y * 1.2) - 0.5)
        snow = f32([0.86, 0.92, 1.0]) * tone[..., None] * land.tint
        land.cover(
            hazed(np.asarray(snow, np.float32), land.air, 0.4 * (1 - near)),
            below(y, line, frame.h),
            0.2 + 0.7 * near,
            True,
        )
        count = int(4 + 16 * land.entity.shape[0] * (1.2 - near))
        conifers(land, line, (0.07 + 0.16 * near) * land.zoom, count, "3a5f55", 0.25 + 0.65 * near)
    fall = frame.rng.random((frame.h // 2 + 1, frame.w // 2 + 1), np.float32) > 0.9965
    flakes = cv2.resize(fall.astype(np.float32), (frame.w, frame.h), interpolation=cv2.INTER_LINEAR)
    land.rgb = mix(land.rgb, f32([1, 1, 1]), flakes * 0.8)
