"""Placing solids: short names with which the models of all nouns are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from instruct_imagen_data.planted.patterns import Paint
from instruct_imagen_data.planted.solids import (
    BALL,
    BOX,
    CYLINDER,
    DOME,
    Array,
    Block,
    Hull,
    Ring,
    Shape,
    Tube,
    Vector,
    f32,
)


@dataclass(frozen=True, eq=False)
class Part:
    """A shape placed in the model: p = matrix @ unit + centre. y is up, +z faces the viewer."""

    shape: Shape
    matrix: Array
    centre: Array
    paint: Paint


Model = list[Part]


def turn(x: float = 0, y: float = 0, z: float = 0) -> Array:
    """Rotation [3, 3] by degrees about x, then y, then z."""
    ax, ay, az = np.radians([x, y, z])
    cx, sx, cy, sy, cz, sz = np.cos(ax), np.sin(ax), np.cos(ay), np.sin(ay), np.cos(az), np.sin(az)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)


def place(
    shape: Shape, centre: Vector, scale: Vector, paint: Paint, tilt: Vector = (0, 0, 0)
) -> Part:
    """A part scaled by `scale`, turned by `tilt` degrees, moved to `centre`."""
    matrix = turn(*tilt) @ np.diag(np.array(scale, np.float32))
    return Part(shape, np.asarray(matrix, np.float32), np.array(centre, np.float32), paint)


def ball(centre: Vector, radii: Vector, paint: Paint, tilt: Vector = (0, 0, 0)) -> Part:
    return place(BALL, centre, radii, paint, tilt)


def dome(centre: Vector, radii: Vector, paint: Paint, tilt: Vector = (0, 0, 0)) -> Part:
    return place(DOME, centre, radii, paint, tilt)


def box(centre: Vector, half: Vector, paint: Paint, tilt: Vector = (0, 0, 0)) -> Part:
    return place(BOX, centre, half, paint, tilt)


def hull(shape: Hull, centre: Vector, half: Vector, paint: Paint, tilt: Vector = (0, 0, 0)) -> Part:
    return place(shape, centre, half, paint, tilt)


def block(
    centre: Vector, half: Vector, radius: float, paint: Paint, tilt: Vector = (0, 0, 0)
) -> Part:
    return place(Block(half, min(radius, *half)), centre, (1, 1, 1), paint, tilt)


def ring(
    centre: Vector, radius: float, thick: float, paint: Paint, tilt: Vector = (0, 0, 0)
) -> Part:
    return place(Ring(thick / radius), centre, (radius, radius, radius), paint, tilt)


def disc(
    centre: Vector, radius: float, half: float, paint: Paint, tilt: Vector = (0, 0, 0)
) -> Part:
    return place(CYLINDER, centre, (radius, half, radius), paint, tilt)


def tube(start: Vector, end: Vector, radius: float, paint: Paint, top: float = 1.0) -> Part:
    """A tube from start to end, where its radius is `top` times that at the start."""
    a, b = np.array(start, np.float32), np.array(end, np.float32)
    axis = (b - a) / 2
    length = float(np.linalg.norm(axis)) or 1e-6
    up = axis / length
    side = np.cross(up, [0, 0, 1] if abs(up[2]) < 0.9 else [1, 0, 0])
    side /= np.linalg.norm(side)
    matrix = np.stack([side * radius, axis, np.cross(side, up) * radius], 1)
    return Part(Tube(top), matrix.astype(np.float32), (a + b) / 2, paint)


def limb(points: Sequence[Vector], radii: Sequence[float], paint: Paint) -> Model:
    """A soft bent limb through the points: tubes between balls."""
    parts = [ball(p, (r, r, r), paint) for p, r in zip(points, radii, strict=True)]
    for start, end, r, s in zip(points, points[1:], radii, radii[1:], strict=False):
        parts.append(tube(start, end, r, paint, s / r))
    return parts


def lathe(
    profile: Sequence[tuple[float, float]], paint: Paint, centre: Vector = (0, 0, 0)
) -> Model:
    """A turned body: tubes through (height, radius) pairs, bottom to top."""
    x, y, z = centre
    return [
        tube((x, y + low, z), (x, y + high, z), max(r, 1e-3), paint, s / max(r, 1e-3))
        for (low, r), (high, s) in pairwise(profile)
        if high > low
    ]


def moved(model: Model, offset: Vector, scale: float = 1.0, yaw: float = 0.0) -> Model:
    """The model scaled, turned about y and moved."""
    rotation = turn(y=yaw)
    return [
        Part(
            part.shape,
            f32(scale * rotation @ part.matrix),
            f32(scale * rotation @ part.centre + np.array(offset)),
            part.paint,
        )
        for part in model
    ]
