"""Noise, skies and grounds: everything of a picture that is not an object. Colours are linear."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.light import Light
from instruct_imagen_data.planted.solids import Array, Vector, f32

TILE = 256
_TILES = 6


def hexes(text: str) -> list[Array]:
    """'ff8800 2244aa' as linear colours [3] each."""
    return [
        np.array([int(word[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32) ** 2
        for word in text.split()
    ]


@functools.cache
def tile(number: int) -> Array:
    """Fractal noise [TILE, TILE] that wraps round, stretched to [0, 1]."""
    rng = generator("tile", number % _TILES)
    total = np.zeros((TILE, TILE), np.float32)
    for octave in range(2, 8):
        cells = 2**octave
        grid = np.pad(rng.random((cells, cells), np.float32), 2, mode="wrap")
        scale = TILE // cells
        grown = cv2.resize(grid, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        total += grown[2 * scale : 2 * scale + TILE, 2 * scale : 2 * scale + TILE] * 0.55**octave
    low, high = np.percentile(total, [1, 99])
    return f32(np.clip((total - low) / (high - low), 0, 1))


def sample(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Noise [h, w] at coordinates u, v (in tiles; they are broadcast), moved by a draw."""
    du, dv = (np.float32(draw * TILE) for draw in rng.random(2))
    noise = tile(int(rng.integers(_TILES)))
    u, v = np.broadcast_arrays(np.asarray(u, np.float32), np.asarray(v, np.float32))
    maps = u * np.float32(TILE) + du, v * np.float32(TILE) + dv
    return f32(cv2.remap(noise, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def grid(h: int, w: int) -> tuple[Array, Array]:
    """Coordinates x, y [h, w] in picture heights, from the upper left corner."""
    x = (np.arange(w, dtype=np.float32) + 0.5) / h
    y = (np.arange(h, dtype=np.float32) + 0.5) / h
    return np.broadcast_to(x, (h, w)), np.broadcast_to(y[:, None], (h, w))


def thrice(plane: Array) -> Array:
    """The plane [h, w] as three equal channels [h, w, 3], which multiply faster than broadcasts."""
    plane = np.asarray(plane, np.float32)
    return np.asarray(cv2.merge([plane, plane, plane]), np.float32)


def _full(colour: Array, shape: tuple[int, int]) -> Array:
    """A colour [3] or picture [h, w, 3] as a float32 picture."""
    if colour.ndim == 3:
        return np.ascontiguousarray(colour, np.float32)
    # Row by row: a broadcast over the last axis of three is many times slower.
    picture = np.empty((shape[0], shape[1] * 3), np.float32)
    picture[:] = np.tile(colour, shape[1])
    return picture.reshape(*shape, 3)


def mix(first: Array, second: Array, share: Array) -> Array:
    """Colours [h, w, 3] from first (share 0) to second (share 1), share [h, w]; each a colour [3]
    or a picture."""
    share = np.clip(share, 0, 1).astype(np.float32)
    a, b = (_full(colour, share.shape) for colour in (first, second))
    return np.asarray(cv2.blendLinear(a, b, 1 - share, share), np.float32)


def step(x: Array, low: float, high: float) -> Array:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@dataclass(frozen=True)
class Mood:
    """A time of day: the sky's colours from zenith to horizon, its clouds, and the light."""

    sky: str
    cloud: str
    cover: float
    sun: Vector
    sun_colour: Vector
    shade: Vector
    glow: float = 0.0

    def light(self, side: float) -> Light:
        """The light with the sun on the left (side < 0) or the right."""
        x, y, z = self.sun
        low = 0.55 * np.array(self.shade)
        ground = (float(low[0]), float(low[1] * 0.95), float(low[2] * 0.85))
        return Light((abs(x) * side, y, z), self.sun_colour, self.shade, ground)


MOODS: dict[str, Mood] = {
    "noon": Mood("2f7fd0 bfe0f5", "ffffff", 0.45, (0.4, 1.0, 0.5),
                 (0.98, 0.95, 0.88), (0.40, 0.45, 0.52)),
    "morning": Mood("6fa8d8 fbe3c4", "fff3e6", 0.50, (0.9, 0.5, 0.5),
                    (1.0, 0.88, 0.72), (0.36, 0.40, 0.46), 0.3),
    "golden": Mood("4f86c0 ffd08a", "ffe2b8", 0.42, (1.0, 0.35, 0.35),
                   (1.05, 0.76, 0.45), (0.30, 0.32, 0.40), 0.6),
    "sunset": Mood("3b3f7f ff8f5a", "f7a58f", 0.48, (1.0, 0.25, 0.2),
                   (1.0, 0.56, 0.34), (0.30, 0.26, 0.36), 0.9),
    "overcast": Mood("9aa7b2 dfe5e8", "f2f4f5", 0.20, (0.2, 1.0, 0.6),
                     (0.46, 0.47, 0.49), (0.56, 0.58, 0.61)),
    "dusk": Mood("232a55 b78fb0", "6f6a96", 0.50, (0.7, 0.5, 0.4),
                 (0.50, 0.46, 0.62), (0.26, 0.27, 0.42), 0.3),
}  # fmt: skip


def sky(rng: np.random.Generator, h: int, w: int, mood: Mood, horizon: float, side: float) -> Array:
    """A sky [h, w, 3] above the row horizon * h, with clouds that shrink towards it."""
    x, y = grid(h, w)
    up = np.clip(y / max(horizon, 0.05), 0, 1)
    zenith, low = hexes(mood.sky)
    picture = mix(zenith, low, up**0.8)
    if mood.glow:
        sun_x = w / h * (0.5 + 0.38 * side)
        far = np.hypot(x - sun_x, (y - horizon * 0.8) * 1.3)
        glow = mood.glow * np.exp(-((far / 0.35) ** 2)) + (far < 0.045) * 0.8
        picture += thrice(glow) * f32(mood.sun_colour) * np.float32(0.6)
    distance = 1 / (1.12 - 0.98 * up)
    puffs = sample(rng, (x - w / h / 2) * distance * 0.28, distance * 0.22)
    cover = mood.cover + float(rng.uniform(-0.08, 0.12))
    density = step(puffs, cover, cover + 0.35) * (1 - 0.6 * up**3) * 0.9
    shaded = thrice(0.75 + 0.3 * step(puffs, cover + 0.1, 0.95)) * hexes(mood.cloud)[0]
    return mix(picture, shaded, density)


@dataclass(frozen=True)
class Ground:
    """A material of the ground: two colours, the size of its grain, and its stretch sideways."""

    colours: str
    grain: float = 1.0
    stretch: float = 1.0
    contrast: float = 1.0


GROUNDS: dict[str, Ground] = {
    "grass": Ground("45722a 9cbb52", 4.2, 0.6, 1.25),
    "dry grass": Ground("9a843c dcc674", 4.2, 0.6, 1.1),
    "forest floor": Ground("4a3a22 7d7440", 3.2, 1.0, 1.2),
    "snow": Ground("cfdbe8 ffffff", 0.8, 1.0, 0.8),
    "sand": Ground("cfa96a f0d9a6", 1.2, 1.6, 0.8),
    "earth": Ground("7c5a3c b08a5e", 2.0),
    "asphalt": Ground("54565a 7a7b7e", 6.0, 1.0, 0.7),
    "paving": Ground("9a938a c4bdb2", 2.4, 1.0, 0.7),
    "gravel": Ground("6f6a64 a49d94", 5.0, 1.0, 1.2),
    "water": Ground("1f5f7f 8fc3d0", 1.1, 5.0, 0.9),
    "dark wood": Ground("54341f 8a5a34", 0.5, 9.0),
    "light wood": Ground("b98a58 dfb98a", 0.5, 9.0, 0.9),
    "marble": Ground("c9c6c4 f4f2f0", 0.5, 1.0, 0.8),
    "linen": Ground("dcd3c4 f0eae0", 6.0, 1.0, 0.5),
    "slate": Ground("3a4046 5b636a", 1.4, 1.0, 0.9),
}


def ground(
    rng: np.random.Generator, h: int, w: int, horizon: float, material: Ground, zoom: float = 1.0
) -> Array:
    """A plane [h, w, 3] that runs to the row horizon * h (may lie above the picture)."""
    x, y = grid(h, w)
    below = np.maximum(y - horizon, 0) / (1 - horizon)
    distance = 1 / (below + 0.10)
    u = (x - w / h / 2) * distance * 0.35 * material.grain * zoom / material.stretch
    v = distance * 0.35 * material.grain * zoom
    coarse = sample(rng, u * 0.35, v * 0.35)
    fine = sample(rng, u, v)
    # Grain finer than a pixel only flickers: it fades out towards the horizon.
    near = step(below, 0.0, 0.35)
    share = 0.5 + material.contrast * ((coarse - 0.5) * 0.6 + (fine - 0.5) * 0.9 * near)
    dark, light = hexes(material.colours)
    return mix(dark, light, np.clip(share, 0, 1))


def outline(rng: np.random.Generator, x: Array, rough: float = 0.5) -> Array:
    """A smooth random height in about [0, 1] at places x [w]; rough in (0, 1) weighs the detail."""
    total, weight, norm = np.zeros_like(x), 1.0, 0.0
    for octave in range(6):
        knots = rng.random(64).astype(np.float32)
        place = x * 2**octave + 32
        whole = np.floor(place)
        part = place - whole
        part = part * part * (3 - 2 * part)
        index = whole.astype(int)
        total += weight * (knots[index % 64] * (1 - part) + knots[(index + 1) % 64] * part)
        norm += weight
        weight *= rough
    return np.asarray(total / norm, np.float32)


def below(y: Array, height: Array, h: int) -> Array:
    """Share [h, w] of each pixel that lies below the line height [w] (in picture heights)."""
    return np.clip((y - height[None, :]) * h + 0.5, 0, 1)


def hazed(colour: Array, haze: Array, amount: float) -> Array:
    """A colour seen through air: moved towards the haze."""
    return np.asarray(colour * (1 - amount) + haze * amount, np.float32)
