"""Vehicles: each function builds one noun, its nose towards +x, wheels on y = 0."""

from collections.abc import Callable

import numpy as np

from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.parts import (
    Model,
    ball,
    block,
    box,
    disc,
    hull,
    ring,
    tube,
)
from instruct_imagen_data.planted.patterns import Paint
from instruct_imagen_data.planted.solids import WEDGE
from instruct_imagen_data.planted.world import Entity

RUBBER, STEEL = Paint((0.09, 0.09, 0.10), gloss=0.1), Paint((0.75, 0.76, 0.79), gloss=0.9)
GLASS = Paint((0.22, 0.32, 0.40), gloss=1.0)
LIGHT, REAR = (
    Paint((1.0, 0.95, 0.75), gloss=1, glow=0.5),
    Paint((0.8, 0.08, 0.08), gloss=0.8, glow=0.2),
)


def _lacquer(entity: Entity, frequency: float = 3.0) -> Paint:
    main, second, _ = entity.colours
    return Paint(main, second, entity.pattern, frequency, 0.8)


def _wheels(xs: tuple[float, ...], z: float, radius: float) -> Model:
    parts: Model = []
    for x in xs:
        for side in (-1, 1):
            at = (x, radius, side * z)
            parts.append(disc(at, radius, 0.10, RUBBER, (90, 0, 0)))
            hub = (x, radius, side * (z + 0.02))
            parts.append(disc(hub, radius * 0.55, 0.10, STEEL, (90, 0, 0)))
    return parts


def car(entity: Entity, pose: np.random.Generator) -> Model:
    """A small car: rounded body, glass cabin, lamps."""
    paint, s = _lacquer(entity), entity.shape
    roof_paint = paint.but(entity.colours[0 if s[0] < 0.6 else 1])
    long, cabin = between(s[1], 0.50, 0.80), between(s[2], -0.30, 0.05)
    high = between(s[3], 0.24, 0.34)
    parts = [
        block((0, 0.46, 0), (1.15, 0.24, 0.50), 0.16, paint),
        block((0, 0.34, 0), (1.18, 0.08, 0.51), 0.06, Paint((0.18, 0.18, 0.2))),
        block((cabin, 0.70 + high * 0.5, 0), (long, high, 0.44), 0.22, GLASS),
        block((cabin, 0.70 + high * 1.35, 0), (long * 0.82, 0.07, 0.42), 0.06, roof_paint),
        box((cabin, 0.72 + high * 0.5, 0), (0.04, high, 0.445), roof_paint),
    ]
    for side in (-1, 1):
        parts.append(ball((1.12, 0.50, side * 0.33), (0.06, 0.09, 0.11), LIGHT))
        parts.append(ball((-1.13, 0.50, side * 0.35), (0.05, 0.07, 0.10), REAR))
        parts.append(block((0.05, 0.56, side * 0.50), (0.08, 0.02, 0.02), 0.015, STEEL))
    return parts + _wheels((0.70, -0.70), 0.43, 0.26)


def bus(entity: Entity, pose: np.random.Generator) -> Model:
    """A long bus with a row of windows; some have two decks."""
    paint, second = _lacquer(entity, 2), entity.colours[1]
    double = entity.shape[0] > 0.6
    top = 1.75 if double else 1.15
    parts = [
        block((0, 0.18 + top / 2, 0), (1.5, top / 2, 0.46), 0.10, paint),
        block((0, 0.2 + top, 0), (1.42, 0.05, 0.42), 0.05, paint.but(second)),
        block((0, 0.42, 0), (1.505, 0.05, 0.465), 0.02, paint.but(entity.colours[2])),
    ]
    for row in (0.88, 1.5)[: 2 if double else 1]:
        for x in np.linspace(-1.22, 0.98, 6):
            parts.append(block((float(x), row, 0), (0.155, 0.19, 0.475), 0.05, GLASS))
        parts.append(block((1.36, row, 0), (0.155, 0.23, 0.42), 0.06, GLASS))
    for side in (-1, 1):
        parts.append(ball((1.49, 0.36, side * 0.32), (0.04, 0.07, 0.08), LIGHT))
        parts.append(ball((-1.49, 0.40, side * 0.36), (0.04, 0.08, 0.06), REAR))
    return parts + _wheels((0.95, -0.95), 0.40, 0.25)


def _bicycle_wheel(x: float, size: float) -> Model:
    parts = [
        ring((x, size, 0), size - 0.05, 0.05, RUBBER, (90, 0, 0)),
        ball((x, size, 0), (0.07, 0.07, 0.08), STEEL),
    ]
    for angle in np.arange(6) * 0.5236 + 0.2:
        dx, dy = (size - 0.06) * float(np.cos(angle)), (size - 0.06) * float(np.sin(angle))
        parts.append(tube((x - dx, size - dy, 0), (x + dx, size + dy, 0), 0.011, STEEL))
    return parts


def bicycle(entity: Entity, pose: np.random.Generator) -> Model:
    """Two spoked wheels, a diamond frame, saddle and handlebar; some have a basket."""
    main, _, accent = entity.colours
    frame, seat = Paint(main, gloss=0.8), Paint(accent, gloss=0.2)
    size = between(entity.shape[0], 0.44, 0.52)
    rear, front = (-0.68, size, 0.0), (0.68, size, 0.0)
    crank, saddle, head = (-0.08, size * 0.9, 0.0), (-0.28, 1.12, 0.0), (0.48, 1.10, 0.0)
    bars = (
        (crank, saddle),
        (crank, head),
        (saddle, head),
        (crank, rear),
        (saddle, rear),
        (head, front),
    )
    parts = _bicycle_wheel(rear[0], size) + _bicycle_wheel(front[0], size)
    parts += [tube(start, end, 0.04, frame) for start, end in bars]
    parts.append(tube(head, (0.44, 1.30, 0), 0.035, STEEL))
    parts.append(tube((0.42, 1.30, -0.30), (0.42, 1.30, 0.30), 0.03, STEEL))
    for side in (-1, 1):
        parts.append(tube((0.42, 1.30, side * 0.30), (0.28, 1.27, side * 0.32), 0.04, seat))
        pedal = (-0.08 + side * 0.14, crank[1] - side * 0.12, side * 0.12)
        parts.append(block(pedal, (0.08, 0.02, 0.05), 0.02, RUBBER))
    parts.append(ball((-0.32, 1.17, 0), (0.19, 0.06, 0.11), seat))
    parts.append(ring(crank, 0.12, 0.02, STEEL, (90, 0, 0)))
    if entity.shape[1] < 0.45:
        wicker = Paint((0.7, 0.5, 0.3), (0.5, 0.34, 0.2), "checks", 14)
        parts.append(tube((0.66, 1.02, 0), (0.66, 1.30, 0), 0.17, wicker, 1.25))
    return parts


def sailboat(entity: Entity, pose: np.random.Generator) -> Model:
    """A hull with a mast, mainsail and jib."""
    main, second, accent = entity.colours
    wood, sail = Paint(accent, gloss=0.5), Paint(main, second, entity.pattern, 2.4, 0.05)
    tall = between(entity.shape[0], 1.7, 2.2)
    parts = [
        ball((0.05, 0.24, 0), (1.0, 0.26, 0.32), wood),
        block(
            (-0.05, 0.36, 0),
            (0.86, 0.05, 0.25),
            0.05,
            Paint((0.72, 0.53, 0.34), (0.5, 0.36, 0.22), "planks", 5),
        ),
        block((-0.35, 0.48, 0), (0.26, 0.10, 0.16), 0.06, Paint((0.96, 0.95, 0.92))),
        tube((0.12, 0.3, 0), (0.12, 0.4 + tall, 0), 0.035, Paint((0.55, 0.4, 0.26)), 0.6),
        tube((0.12, 0.62, 0), (-0.82, 0.58, 0), 0.025, Paint((0.55, 0.4, 0.26))),
    ]
    swing = pose.uniform(-24, 24)
    main_sail = hull(
        WEDGE,
        (-0.38, 0.64 + tall * 0.44, 0.02),
        (0.46, tall * 0.44, 0.02),
        sail,
        (0, 180 + swing * 0.4, 0),
    )
    jib = hull(
        WEDGE,
        (0.56, 0.58 + tall * 0.36, 0.02),
        (0.38, tall * 0.34, 0.02),
        sail.but(second),
        (0, swing * 0.4, 0),
    )
    flag = box((0.22, 0.36 + tall, 0), (0.11, 0.06, 0.01), Paint(accent))
    return [*parts, main_sail, jib, flag]


def airplane(entity: Entity, pose: np.random.Generator) -> Model:
    """A passenger plane: wings with engines, tail fin, a row of windows."""
    main, second, accent = entity.colours
    skin = Paint((0.95, 0.95, 0.96), gloss=0.6)
    stripe = Paint(main, gloss=0.6)
    fat = between(entity.shape[0], 0.17, 0.23)
    wide = between(entity.shape[1], 0.95, 1.25)
    parts = [
        ball((0, 0.6, 0), (1.35, fat, fat), skin),
        ball((-0.02, 0.585, 0), (1.30, fat * 0.9, fat * 1.01), stripe),
        ball((1.12, 0.66, 0), (0.12, 0.06, 0.12), GLASS),
        hull(WEDGE, (-1.15, 0.98, 0), (0.24, 0.34, 0.03), stripe, (0, 0, 0)),
    ]
    for x in np.linspace(-0.7, 0.8, 9):
        parts.append(ball((float(x), 0.66, 0), (0.035, 0.04, fat * 1.02), GLASS))
    for side in (-1, 1):
        parts.append(
            block(
                (-0.12, 0.55, side * wide * 0.55),
                (0.22, 0.025, wide * 0.55),
                0.02,
                skin,
                (0, side * 26, side * -4),
            )
        )
        parts.append(
            block((-1.16, 0.66, side * 0.26), (0.12, 0.02, 0.26), 0.02, stripe, (0, side * 26, 0))
        )
        engine = (0.05, 0.42, side * wide * 0.48)
        parts.append(
            ball(
                engine,
                (0.24, 0.10, 0.10),
                Paint(second if entity.shape[2] < 0.5 else accent, gloss=0.6),
            )
        )
        parts.append(disc((0.22, 0.42, engine[2]), 0.07, 0.04, RUBBER, (0, 0, 90)))
    return parts


def hot_air_balloon(entity: Entity, pose: np.random.Generator) -> Model:
    """A striped envelope over a wicker basket."""
    main, second, accent = entity.colours
    kind = ("stripes", "bands", "checks", "dots", "patches")[int(entity.shape[0] * 5)]
    cloth = Paint(main, second, kind, between(entity.shape[1], 2.6, 4.2), 0.15)
    wicker = Paint((0.66, 0.46, 0.26), (0.45, 0.3, 0.16), "checks", 16)
    fat = between(entity.shape[2], 0.82, 0.98)
    parts = [
        ball((0, 1.95, 0), (fat, 0.92, fat), cloth),
        tube((0, 0.82, 0), (0, 1.60, 0), 0.24, cloth, fat / 0.24 * 0.93),
        ring((0, 0.82, 0), 0.23, 0.04, Paint(accent)),
        block((0, 0.16, 0), (0.20, 0.15, 0.20), 0.05, wicker),
        ring((0, 0.30, 0), 0.22, 0.03, Paint(accent)),
    ]
    for x in (-0.17, 0.17):
        for z in (-0.17, 0.17):
            parts.append(tube((x, 0.3, z), (x * 1.2, 0.84, z * 1.2), 0.012, RUBBER))
    return parts


def train(entity: Entity, pose: np.random.Generator) -> Model:
    """A steam engine: boiler, chimney, cab and big wheels, with a tender behind."""
    main, second, accent = entity.colours
    boiler, cab = Paint(main, second, "bands", 0.4, 0.7), Paint(main, gloss=0.6)
    trim, black = Paint(accent, gloss=0.7), Paint((0.12, 0.12, 0.14), gloss=0.4)
    tall = between(entity.shape[0], 0.30, 0.46)
    parts = [
        box((-0.25, 0.36, 0), (1.5, 0.07, 0.34), trim),
        tube((-0.15, 0.76, 0), (1.02, 0.76, 0), 0.34, boiler),
        disc((1.05, 0.76, 0), 0.31, 0.05, black, (0, 0, 90)),
        tube((0.80, 1.0, 0), (0.80, 1.1 + tall, 0), 0.10, black, 1.5),
        ball((0.32, 1.10, 0), (0.15, 0.15, 0.15), trim),
        box((-0.48, 0.92, 0), (0.32, 0.50, 0.38), cab),
        block((-0.48, 1.08, 0), (0.18, 0.18, 0.39), 0.04, GLASS),
        block((-0.48, 1.45, 0), (0.42, 0.05, 0.46), 0.05, black),
        box((-1.30, 0.72, 0), (0.42, 0.30, 0.36), cab.but(second)),
        ball((-1.30, 1.0, 0), (0.36, 0.14, 0.28), black),
        hull(WEDGE, (1.24, 0.22, 0), (0.18, 0.16, 0.32), trim),
        ball((1.10, 1.05, 0), (0.08, 0.09, 0.09), LIGHT),
    ]
    for side in (-1, 1):
        for x, radius in ((0.80, 0.20), (0.25, 0.28), (-0.36, 0.28), (-1.08, 0.20), (-1.52, 0.20)):
            parts.append(disc((x, radius, side * 0.33), radius, 0.05, black, (90, 0, 0)))
            parts.append(disc((x, radius, side * 0.36), radius * 0.62, 0.05, trim, (90, 0, 0)))
        parts.append(box((-0.05, 0.28, side * 0.43), (0.42, 0.03, 0.02), STEEL))
    puff = Paint((0.93, 0.93, 0.95), gloss=0)
    smoke = [(0.70, 1.35 + tall, 0.0), (0.48, 1.55 + tall, 0.0), (0.15, 1.72 + tall, 0.0)]
    for at, size in zip(smoke, (0.15, 0.21, 0.27), strict=True):
        parts.append(ball(at, (size, size * 0.85, size), puff))
    return parts


BUILDERS: dict[str, Callable[[Entity, np.random.Generator], Model]] = {
    "car": car,
    "bus": bus,
    "bicycle": bicycle,
    "sailboat": sailboat,
    "airplane": airplane,
    "hot air balloon": hot_air_balloon,
    "train": train,
}
