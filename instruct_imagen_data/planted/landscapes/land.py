"""A landscape in the making, and the parts that several of them share."""

from dataclasses import dataclass

import cv2
import numpy as np

from instruct_imagen_data.planted.settings.frame import Frame, plane_depth
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
    step,
)
from instruct_imagen_data.planted.world import Entity


@dataclass
class Land:
    """A landscape in the making: picture, depth and motif, filled from far to near.

    `own` draws what belongs to the place (the same in each picture of the entity); `shift` and
    `zoom` say from where this picture looks at it.
    """

    frame: Frame
    entity: Entity
    own: np.random.Generator
    shift: float
    zoom: float
    rgb: Array
    depth: Array
    motif: Array

    @property
    def mood(self) -> Mood:
        return MOODS[self.frame.mood]

    @property
    def tint(self) -> Array:
        """The colour that the time of day gives to sunlit things."""
        sun = f32(self.mood.sun_colour) * max(0.5, self.mood.sun[1])
        return np.asarray(sun + f32(self.mood.shade) * 0.7, np.float32)

    @property
    def air(self) -> Array:
        return hexes(self.mood.sky)[1]

    def x(self) -> Array:
        """Places [w] along the horizon, in the entity's own measure."""
        width = self.frame.w / self.frame.h
        along = (np.arange(self.frame.w, dtype=np.float32) + 0.5) / self.frame.h - width / 2
        return np.asarray(along / self.zoom + self.shift, np.float32)

    def cover(self, colour: Array, share: Array, depth: float, motif: bool = False) -> None:
        """Lay a colour over what lies behind it."""
        self.rgb = mix(self.rgb, np.asarray(colour, np.float32), share)
        self.depth = np.asarray(self.depth * (1 - share) + depth * share, np.float32)
        self.motif = np.maximum(self.motif, share) if motif else self.motif * (1 - share)

    def spread_ground(self, name: str, stain: str | None = None) -> None:
        """A ground plane from the horizon down, reddened by distance."""
        frame = self.frame
        _, y = grid(frame.h, frame.w)
        plane = ground(frame.rng, frame.h, frame.w, frame.horizon, GROUNDS[name])
        floor = f32(plane * self.tint)
        if stain:
            grain = (floor.mean(2) / floor.mean())[..., None]
            floor = f32(floor * 0.4 + hexes(stain)[0] * self.tint * 0.6 * grain)
        far = np.exp(-np.clip(y - frame.horizon, 0, 1) * 12) * 0.5
        floor = mix(floor, self.air, f32(far))
        wet = np.clip((y - frame.horizon) * frame.h, 0, 1)
        self.rgb = mix(self.rgb, floor, wet)
        self.depth = np.maximum(self.depth, plane_depth(frame) * wet)
        self.motif = self.motif * (1 - wet)


def ridges(
    land: Land,
    base: float,
    height: float,
    colours: str,
    rough: float,
    depth: float,
    motif: bool = True,
) -> Array:
    """A range of rock with lit and shaded faces; returns its outline [w]."""
    frame = land.frame
    _, y = grid(frame.h, frame.w)
    x = land.x()
    height = min(height * land.zoom, 0.86 * base)
    line = base - height * outline(land.own, x * 1.6, rough)
    slope = np.gradient(cv2.GaussianBlur(line[None], (0, 0), frame.h / 60)[0]) * frame.h
    # Gullies run down from the outline, bent by noise; one side of each lies in shadow.
    down = y - line[None]
    bend = sample(frame.rng, x[None] * 0.7, down * 0.5)
    gully = sample(frame.rng, x[None] * 1.1 + 0.45 * bend + down * 0.7 * frame.side, down * 0.35)
    facing = step(0.5 + 0.3 * frame.side * slope[None] + (gully - 0.5) * 1.6, 0.15, 0.85)
    dark, light = hexes(colours)
    rock = mix(dark * 0.45, light * 1.15, facing) * land.tint
    land.cover(hazed(rock, land.air, 0.42 * (1 - depth)), below(y, line, frame.h), depth, motif)
    return line


def snowcap(land: Land, line: Array, reach: float) -> None:
    """Snow below the outline, down to a ragged edge."""
    frame = land.frame
    _, y = grid(frame.h, frame.w)
    ragged = sample(frame.rng, land.x()[None] * 1.6 + 0 * y, y * 1.6)
    share = below(y, line, frame.h) * step(line[None] + reach * (0.4 + 1.2 * ragged) - y, 0, 0.03)
    share = share * step(line.min() + 0.22 - line[None], -0.05, 0.1)
    land.rgb = mix(land.rgb, f32([0.95, 0.97, 1.0]) * land.tint * 0.85, share)


def mirror(land: Land, dimming: float, colour: str) -> None:
    """Still water from the horizon down that mirrors what stands above it."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    row = frame.horizon * frame.h
    wave = sample(frame.rng, x * 0.25, (y - frame.horizon) * 4) - 0.5
    rows = 2 * row - y * frame.h + wave * frame.h * 0.03
    image = cv2.remap(
        land.rgb,
        x * frame.h - 0.5 + wave * 6,
        np.asarray(rows, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    wet = np.clip((y - frame.horizon) * frame.h, 0, 1)
    shade = hexes(colour)[0] * land.tint
    water = image * dimming + shade * (1 - dimming) * (0.7 + 0.6 * (wave[..., None] + 0.5))
    land.rgb = mix(land.rgb, np.asarray(water, np.float32), wet)
    land.depth = np.maximum(land.depth * (1 - wet), plane_depth(frame) * wet)
    land.motif = land.motif * (1 - wet)


def conifers(land: Land, base: Array, size: float, count: int, colour: str, depth: float) -> None:
    """Fir trees on the line base [w] (rows in picture heights)."""
    frame = land.frame
    x, y = grid(frame.h, frame.w)
    width = frame.w / frame.h
    share = np.zeros((frame.h, frame.w), np.float32)
    for _ in range(count):
        at, tall = frame.rng.uniform(-0.05, width + 0.05), size * frame.rng.uniform(0.6, 1.25)
        foot = float(base[int(np.clip(at / width * (frame.w - 1), 0, frame.w - 1))]) + size * 0.12
        left, right = (int((at + side * tall * 0.3) * frame.h) for side in (-1, 1))
        top, bottom = int((foot - tall) * frame.h), int(foot * frame.h)
        window = (slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
        up = (foot - y[window]) / tall
        # Saw-tooth branches: each tier widens downwards.
        tier = (1 - up) * (0.55 + 0.45 * ((up * 6) % 1 < 0.85)) * (1 - 0.5 * ((up * 6) % 1))
        shape = np.clip((tier * tall * 0.34 - np.abs(x[window] - at)) * frame.h + 0.5, 0, 1)
        share[window] = np.maximum(share[window], shape * (up > 0.03))
    leaves = (
        hexes(colour)[0] * (0.55 + 0.9 * sample(frame.rng, x * 3, y * 3))[..., None] * land.tint
    )
    land.cover(
        hazed(np.asarray(leaves, np.float32), land.air, 0.4 * (1 - depth)), share, depth, True
    )
