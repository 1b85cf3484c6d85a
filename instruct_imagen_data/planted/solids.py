"""Solids that a ray meets in closed form (or nearly): the building blocks of every planted object.

Each shape lives in its own unit space; a Part places it by an affine map. Rays are parallel, so a
ray's direction in unit space is one vector and its origins are affine in the pixel position. A hit
is the smallest ray parameter t, +inf on a miss; affine maps leave t unchanged.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]  # float32 throughout, but for short-lived scratch values
Hit = tuple[Array, Array]  # t [h, w]; outward normal [3, h, w] in unit space, of any length
Vector = tuple[float, float, float]


def f32(values: ArrayLike) -> Array:
    """The values as a float32 array."""
    return np.asarray(values, np.float32)


class Shape(Protocol):
    """What the tracer asks of a shape."""

    def hit(self, origin: Array, direction: Array) -> Hit:
        """Where rays from origin [3, h, w] along direction [3] first meet the surface."""
        ...

    def extent(self, matrix: Array) -> Array:
        """Half size [3] of an axis-aligned box round the shape after the map `matrix` [3, 3]."""
        ...


def _along(origin: Array, direction: Array, t: Array) -> Array:
    """Points [3, h, w] reached at t; misses (t = inf) are kept finite."""
    finite = np.where(np.isfinite(t), t, np.float32(0))
    return origin + direction[:, None, None] * finite


@dataclass(frozen=True)
class Ball:
    """The unit ball; with `half`, its upper half (y >= 0), closed by a disc."""

    half: bool = False

    def hit(self, origin: Array, direction: Array) -> Hit:
        a = float(direction @ direction)
        b = np.tensordot(direction, origin, 1)
        discriminant = b * b - a * (np.einsum("ihw,ihw->hw", origin, origin) - 1)
        root = np.sqrt(np.maximum(discriminant, 0))
        t = np.where(discriminant > 0, (-b - root) / a, np.inf).astype(np.float32)
        point = _along(origin, direction, t)
        if not self.half:
            return t, point
        t = np.where(point[1] < 0, np.inf, t).astype(np.float32)
        if direction[1] > 1e-6:  # the disc faces the viewer
            flat = -origin[1] / direction[1]
            at = _along(origin, direction, flat)
            disc = (at[0] ** 2 + at[2] ** 2 < 1) & (flat < t)
            t = np.where(disc, flat, t)
            point = np.where(disc, np.array([0, -1, 0], np.float32)[:, None, None], point)
        return t, point

    def extent(self, matrix: Array) -> Array:
        return f32(np.sqrt((matrix**2).sum(1)))


@dataclass(frozen=True)
class Tube:
    """A closed tube |y| <= 1 of radius 1 at the bottom and `top` at the top: cylinder or cone."""

    top: float = 1.0

    def hit(self, origin: Array, direction: Array) -> Hit:
        slope, middle = (self.top - 1) / 2, (self.top + 1) / 2
        (ox, oy, oz), (dx, dy, dz) = origin, map(float, direction)
        radius = middle + slope * oy
        a = dx * dx + dz * dz - slope * slope * dy * dy
        a = a if abs(a) > 1e-6 else 1e-6
        b = ox * dx + oz * dz - slope * dy * radius
        discriminant = b * b - a * (ox * ox + oz * oz - radius * radius)
        root = np.sqrt(np.maximum(discriminant, 0))
        side = np.full_like(oy, np.inf)
        for sign in (1, -1):
            t = (-b + sign * root) / a
            inside = (discriminant > 0) & (np.abs(oy + t * dy) <= 1)
            side = np.where(inside & (t < side), t, side)
        t = side
        if abs(dy) > 1e-6:
            level, limit = (1.0, self.top) if dy < 0 else (-1.0, 1.0)
            cap = (level - oy) / dy
            on_cap = ((ox + cap * dx) ** 2 + (oz + cap * dz) ** 2 < limit**2) & (cap < side)
            t = np.where(on_cap, cap, side)
        point = _along(origin, direction, t)
        normal = point.copy()
        normal[1] = -slope * (middle + slope * point[1])
        if abs(dy) > 1e-6:
            normal[:, on_cap] = np.array([[0], [level], [0]], np.float32)
        return t.astype(np.float32), normal

    def extent(self, matrix: Array) -> Array:
        disc = np.sqrt((matrix[:, [0, 2]] ** 2).sum(1)) * max(1.0, self.top)
        return f32(disc + np.abs(matrix[:, 1]))


@dataclass(frozen=True)
class Hull:
    """A convex body inside [-1, 1]^3: points with normals @ p <= offsets."""

    normals: tuple[Vector, ...]
    offsets: tuple[float, ...]

    def hit(self, origin: Array, direction: Array) -> Hit:
        enter = np.full(origin.shape[1:], -np.inf, np.float32)
        leave = np.full_like(enter, np.inf)
        normal = np.zeros_like(origin)
        for plane, offset in zip(np.array(self.normals, np.float32), self.offsets, strict=True):
            speed = float(plane @ direction)
            gap = offset - np.tensordot(plane, origin, 1)
            if abs(speed) < 1e-6:
                leave[gap < 0] = -np.inf
            elif speed < 0:
                t = gap / speed
                later = t > enter
                enter = np.where(later, t, enter)
                normal[:, later] = plane[:, None]
            else:
                leave = np.minimum(leave, gap / speed)
        return np.where(enter < leave, enter, np.inf).astype(np.float32), normal

    def extent(self, matrix: Array) -> Array:
        return f32(np.abs(matrix).sum(1))


@dataclass(frozen=True)
class Block:
    """A box of half size `half` with edges rounded by `radius`; place it without scaling."""

    half: Vector
    radius: float
    _steps: int = field(default=6, repr=False)

    def hit(self, origin: Array, direction: Array) -> Hit:
        half = np.array(self.half, np.float32)
        sharp, normal = BOX.hit(origin / half[:, None, None], direction / half)
        inside = np.isfinite(sharp)
        start, t = origin[:, inside], sharp[inside]
        core = (half - np.float32(self.radius))[:, None]
        pace = np.float32(1 / np.linalg.norm(direction))
        # From the sharp box inwards: a few steps of the signed distance reach the rounded one.
        for _ in range(self._steps):
            over = np.maximum(np.abs(start + direction[:, None] * t) - core, 0)
            gap = np.sqrt(np.einsum("in,in->n", over, over)) - np.float32(self.radius)
            t = t + gap * pace
        point = start + direction[:, None] * t
        normal[:, inside] = np.sign(point) * np.maximum(np.abs(point) - core, 0)
        sharp[inside] = np.where(gap < 0.04 * self.radius + 1e-3, t, np.inf)
        return sharp, normal

    def extent(self, matrix: Array) -> Array:
        return f32(np.abs(matrix) @ f32(self.half))


@dataclass(frozen=True)
class Ring:
    """A torus round the y axis: radius 1 to the middle of a tube of radius `thick`."""

    thick: float
    _steps: int = field(default=16, repr=False)

    def hit(self, origin: Array, direction: Array) -> Hit:
        reach = np.float32(1 + self.thick)
        outer, normal = Ball().hit(origin / reach, direction / reach)
        inside = np.isfinite(outer)
        start, t = origin[:, inside], outer[inside]
        pace = np.float32(1 / np.linalg.norm(direction))
        for _ in range(self._steps):
            x, y, z = start + direction[:, None] * t
            gap = np.hypot(np.hypot(x, z) - 1, y) - np.float32(self.thick)
            t = t + gap * pace
        point = start + direction[:, None] * t
        centre = point / np.maximum(np.hypot(point[0], point[2]), 1e-6)
        centre[1] = 0
        normal[:, inside] = point - centre
        outer[inside] = np.where(gap < 0.06 * self.thick, t, np.inf)
        return outer, normal

    def extent(self, matrix: Array) -> Array:
        disc = np.sqrt((matrix[:, [0, 2]] ** 2).sum(1)) * (1 + self.thick)
        return f32(disc + np.abs(matrix[:, 1]) * self.thick)


def _hull(*planes: tuple[float, float, float, float]) -> Hull:
    return Hull(tuple(p[:3] for p in planes), tuple(p[3] for p in planes))


_FLOOR, _LEFT, _RIGHT = (0.0, -1.0, 0.0, 1.0), (-1.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 1.0)
_FRONT, _BACK = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, -1.0, 1.0)
BALL, DOME, CYLINDER, CONE = Ball(), Ball(half=True), Tube(), Tube(0.02)
BOX = _hull(_FLOOR, (0, 1, 0, 1), _LEFT, _RIGHT, _FRONT, _BACK)
#   gable: a ridge along z      pyramid: four slopes       wedge: one slope, high on the left
GABLE = _hull(_FLOOR, _FRONT, _BACK, (2, 1, 0, 1), (-2, 1, 0, 1))
PYRAMID = _hull(_FLOOR, (2, 1, 0, 1), (-2, 1, 0, 1), (0, 1, 2, 1), (0, 1, -2, 1))
WEDGE = _hull(_FLOOR, _FRONT, _BACK, _LEFT, (1, 1, 0, 0))
