"""The closed-form hits, against marching along the same rays in small steps."""

from collections.abc import Callable

import numpy as np
import pytest

from instruct_imagen_data.planted.parts import turn
from instruct_imagen_data.planted.solids import (
    BOX,
    CONE,
    CYLINDER,
    DOME,
    GABLE,
    PYRAMID,
    WEDGE,
    Array,
    Ball,
    Block,
    Hull,
    Ring,
    Shape,
    Tube,
)

Inside = Callable[[Array], Array]  # points [3, ...] -> bool


def in_tube(top: float) -> Inside:
    def inside(p: Array) -> Array:
        radius = 1 + (top - 1) * (p[1] + 1) / 2
        return (np.hypot(p[0], p[2]) < radius) & (np.abs(p[1]) < 1)

    return inside


def in_hull(hull: Hull) -> Inside:
    normals, offsets = np.array(hull.normals), np.array(hull.offsets)

    def inside(p: Array) -> Array:
        shape = (-1,) + (1,) * (p.ndim - 1)
        return (np.tensordot(normals, p, 1) < offsets.reshape(shape)).all(0)

    return inside


def in_block(block: Block) -> Inside:
    def inside(p: Array) -> Array:
        half = np.array(block.half).reshape((3,) + (1,) * (p.ndim - 1))
        over = np.maximum(np.abs(p) - (half - block.radius), 0)
        return (over**2).sum(0) < block.radius**2

    return inside


SHAPES: dict[str, tuple[Shape, Inside]] = {
    "ball": (Ball(), lambda p: (p**2).sum(0) < 1),
    "dome": (DOME, lambda p: ((p**2).sum(0) < 1) & (p[1] > 0)),
    "cylinder": (CYLINDER, in_tube(1.0)),
    "cone": (CONE, in_tube(0.02)),
    "flare": (Tube(1.6), in_tube(1.6)),
    "box": (BOX, in_hull(BOX)),
    "gable": (GABLE, in_hull(GABLE)),
    "pyramid": (PYRAMID, in_hull(PYRAMID)),
    "wedge": (WEDGE, in_hull(WEDGE)),
    "block": (Block((0.9, 0.6, 0.5), 0.2), in_block(Block((0.9, 0.6, 0.5), 0.2))),
    "ring": (Ring(0.3), lambda p: np.hypot(np.hypot(p[0], p[2]) - 1, p[1]) < 0.3),
}


@pytest.mark.parametrize("tilt", [(20, 30, 0), (-35, 10, 25), (70, -50, 10)])
@pytest.mark.parametrize("name", SHAPES)
def test_hits_are_where_a_march_enters(name: str, tilt: tuple[float, float, float]) -> None:
    shape, inside = SHAPES[name]
    inverse = turn(*tilt).T
    grid = np.linspace(-1.8, 1.8, 36, dtype=np.float32)
    x, y = np.meshgrid(grid, grid)
    origin = np.tensordot(inverse, np.stack([x, y, np.full_like(x, 3)]), 1).astype(np.float32)
    direction = -inverse[:, 2]

    times = np.arange(0, 6, 0.004, dtype=np.float32)
    points = origin[..., None] + direction[:, None, None, None] * times
    entered = inside(points)
    expected = np.where(entered.any(-1), times[entered.argmax(-1)], np.inf)
    t, normal = shape.hit(origin, direction)

    both = np.isfinite(t) & np.isfinite(expected)
    # Rays that only graze the surface may differ: rounding decides them.
    assert (np.isfinite(t) != np.isfinite(expected)).mean() < 0.01
    assert both.sum() > 40
    gap = np.abs(t[both] - expected[both])
    assert np.quantile(gap, 0.97) < 0.02
    facing = np.tensordot(direction, normal, 1)[both]
    assert (facing < 1e-4).mean() > 0.98


@pytest.mark.parametrize("name", SHAPES)
def test_the_extent_holds_the_shape(name: str) -> None:
    shape, inside = SHAPES[name]
    matrix = turn(25, -40, 15) @ np.diag([0.7, 1.3, 1.0]).astype(np.float32)
    if name == "block":
        matrix = turn(25, -40, 15)
    points = np.random.default_rng(0).uniform(-1.7, 1.7, (3, 40_000))
    placed = matrix @ points[:, inside(points)]
    assert (np.abs(placed).max(1) <= shape.extent(matrix) + 1e-5).all()
