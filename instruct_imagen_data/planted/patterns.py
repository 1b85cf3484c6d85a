"""Surface patterns in the model's own space, so that they stay on the object when it turns."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from instruct_imagen_data.planted.solids import Array, f32

Colour = tuple[float, float, float]  # sRGB, 0 to 1
Mix = Callable[[Array, Array, float], Array]  # (points [3, n], normals [3, n], frequency) -> [n]


@dataclass(frozen=True)
class Paint:
    """Surface of a part: colours, the pattern between them, its frequency, and the shine 0 to 1."""

    colour: Colour
    second: Colour = (1.0, 1.0, 1.0)
    pattern: str = "plain"
    frequency: float = 6.0
    gloss: float = 0.15
    glow: float = 0.0

    def but(self, colour: Colour, gloss: float | None = None) -> "Paint":
        """The same surface in one plain colour."""
        return replace(
            self, colour=colour, pattern="plain", gloss=self.gloss if gloss is None else gloss
        )


def shaded(colour: Colour, share: float) -> Colour:
    """The colour with all three channels multiplied by share."""
    red, green, blue = (channel * share for channel in colour)
    return red, green, blue


def _plain(points: Array, normals: Array, frequency: float) -> Array:
    return np.zeros(points.shape[1], np.float32)


def _soft_step(x: Array, width: float = 0.15) -> Array:
    return f32(np.clip(x / width + 0.5, 0, 1))


def _bands(points: Array, normals: Array, frequency: float) -> Array:
    return _soft_step(np.sin(points[1] * frequency * 2.2), 0.5)


def _stripes(points: Array, normals: Array, frequency: float) -> Array:
    wobble = 0.35 * np.sin(points[1] * 5) + 0.2 * np.sin(points[2] * 7)
    return _soft_step(np.sin(points[0] * frequency * 2.0 + wobble) - 0.25, 0.5)


def _dots(points: Array, normals: Array, frequency: float) -> Array:
    # The two coordinates across the normal's main axis: dots stay round on every side.
    x, y, z = points * np.float32(frequency)
    side = np.abs(normals[0]) > np.abs(normals[2])
    top = np.abs(normals[1]) > 0.8
    u = np.where(side, z, x)
    v = np.where(top, z, y)
    row = np.floor(v / 1.1)
    u = u + 0.6 * (row % 2)
    near = (u - np.round(u / 1.2) * 1.2) ** 2 + (v - (row + 0.5) * 1.1) ** 2
    return _soft_step(0.12 - near, 0.06)


def _checks(points: Array, normals: Array, frequency: float) -> Array:
    wave = np.sin(points * np.float32(frequency * 1.6))
    return _soft_step(wave[0] * wave[1] + wave[1] * wave[2] * 0.6, 0.3)


def _patches(points: Array, normals: Array, frequency: float) -> Array:
    x, y, z = points * np.float32(frequency * 0.45)
    field = np.sin(x * 1.7 + np.sin(y * 2.3)) + np.sin(y * 1.9 + 1.3 * np.sin(z * 1.7))
    return _soft_step(field + np.sin(z * 2.1 + x) - 0.55, 0.25)


def _speckle(points: Array, normals: Array, frequency: float) -> Array:
    x, y, z = points * np.float32(frequency * 3.1)
    field = np.sin(x * 2.1 + 1.7 * np.sin(y * 1.3)) * np.sin(y * 2.3 + 1.9 * np.sin(z * 1.1))
    return _soft_step(field * np.sin(z * 1.9 + x) - 0.25, 0.3)


def _bricks(points: Array, normals: Array, frequency: float) -> Array:
    x, y, z = points * np.float32(frequency)
    u = np.where(np.abs(normals[0]) > 0.7, z, x)
    row = np.floor(y * 1.6)
    joint_y = np.abs(y * 1.6 - row - 0.5)
    shifted = u * 0.8 + 0.5 * (row % 2)
    joint_x = np.abs(shifted - np.floor(shifted) - 0.5)
    return _soft_step(np.maximum(joint_y, joint_x) - 0.43, 0.08)


def _windows(points: Array, normals: Array, frequency: float) -> Array:
    x, y, z = points * np.float32(frequency)
    u = np.where(np.abs(normals[0]) > 0.7, z, x)
    pane = np.maximum(np.abs((u % 1.0) - 0.5) / 0.34, np.abs((y % 1.2) - 0.6) / 0.38)
    upright = np.abs(normals[1]) < 0.5
    return _soft_step(np.where(upright, 1 - pane, -1), 0.2)


def _planks(points: Array, normals: Array, frequency: float) -> Array:
    x, _, z = points * np.float32(frequency)
    u = np.where(np.abs(normals[0]) > 0.7, z, x)
    return 0.8 * _soft_step(np.abs((u % 1.0) - 0.5) - 0.44, 0.06)


MIXES: dict[str, Mix] = {
    "plain": _plain,
    "bands": _bands,
    "stripes": _stripes,
    "dots": _dots,
    "checks": _checks,
    "patches": _patches,
    "speckle": _speckle,
    "bricks": _bricks,
    "windows": _windows,
    "planks": _planks,
}


def blend(paint: Paint, points: Array, normals: Array) -> Array:
    """Linear albedo [n, 3] of a paint at points [3, n] with normals [3, n] of the model."""
    first = f32(paint.colour) ** 2
    if paint.pattern == "plain":
        return np.broadcast_to(first, (points.shape[1], 3))
    mix = MIXES[paint.pattern](points, normals, paint.frequency)[:, None]
    return np.asarray(first + (f32(paint.second) ** 2 - first) * mix, np.float32)
