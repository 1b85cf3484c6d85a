"""Buildings: each function builds one noun, its front towards +z, standing on y = 0."""

from collections.abc import Callable

import numpy as np

from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.parts import (
    Model,
    ball,
    block,
    box,
    disc,
    dome,
    hull,
    lathe,
    place,
    ring,
    tube,
)
from instruct_imagen_data.planted.patterns import Paint, shaded
from instruct_imagen_data.planted.solids import CONE, GABLE, PYRAMID
from instruct_imagen_data.planted.world import Entity

PANE = Paint((0.30, 0.42, 0.52), gloss=0.9)
DOOR = Paint((0.36, 0.23, 0.14), (0.24, 0.15, 0.09), "planks", 9)
WHITE = Paint((0.95, 0.94, 0.91))


def _wall(entity: Entity, frequency: float = 7.0) -> Paint:
    main, _, _ = entity.colours
    return Paint(main, shaded(main, 0.72), entity.pattern, frequency, 0.03)


def _window(x: float, y: float, z: float, half: float = 0.11) -> Model:
    """A framed pane on a wall that faces +z at depth z."""
    return [
        box((x, y, z), (half + 0.03, half * 1.3 + 0.03, 0.015), WHITE),
        box((x, y, z + 0.01), (half, half * 1.3, 0.015), PANE),
        box((x, y, z + 0.02), (0.012, half * 1.3, 0.012), WHITE),
        box((x, y, z + 0.02), (half, 0.012, 0.012), WHITE),
    ]


def house(entity: Entity, pose: np.random.Generator) -> Model:
    """A family house: gabled roof, door, windows, chimney; some have a wing."""
    _, tile, trim = entity.colours
    wall, s = _wall(entity), entity.shape
    roof = Paint(tile, shaded(tile, 0.7), "bands", 6, 0.05)
    wide, deep = between(s[0], 0.72, 0.98), between(s[1], 0.55, 0.75)
    high, slope = between(s[2], 0.62, 0.95), between(s[3], 0.26, 0.46)
    parts = [
        box((0, high / 2, 0), (wide, high / 2, deep), wall),
        hull(
            GABLE, (0, high + slope * 0.98, 0), (deep * 1.16, slope, wide * 1.1), roof, (0, 90, 0)
        ),
        box(
            (wide * 0.5, high + slope * 1.5, -0.1),
            (0.09, 0.34, 0.09),
            Paint((0.6, 0.3, 0.24), (0.45, 0.2, 0.16), "bricks", 14),
        ),
        box((0, 0.25, deep), (0.14, 0.25, 0.02), DOOR.but(trim)),
        box((0, 0.03, deep + 0.08), (0.22, 0.03, 0.09), Paint((0.7, 0.68, 0.64))),
        ball((0.09, 0.25, deep + 0.03), (0.018, 0.018, 0.018), Paint((0.9, 0.75, 0.3), gloss=1)),
    ]
    rows = (0.36,) if high < 0.78 else (0.30, high - 0.2)
    for x in (-wide * 0.62, wide * 0.62):
        for y in rows:
            parts += _window(x, y, deep)
    for z in (-deep * 0.4, deep * 0.4):
        parts.append(box((wide, rows[0] + 0.05, z), (0.015, 0.15, 0.11), PANE))
    if s[4] > 0.5:
        parts.append(box((-wide - 0.32, 0.26, 0.1), (0.34, 0.26, deep * 0.7), wall))
        parts.append(hull(GABLE, (-wide - 0.32, 0.70, 0.1), (0.40, 0.20, deep * 0.78), roof))
        parts += _window(-wide - 0.32, 0.28, 0.1 + deep * 0.7)
    return parts


def church(entity: Entity, pose: np.random.Generator) -> Model:
    """A nave with a gabled roof behind a tower with a spire, round window and cross."""
    _, tile, gold = entity.colours
    wall, s = _wall(entity), entity.shape
    roof = Paint(tile, shaded(tile, 0.7), "bands", 7, 0.1)
    tower, spire = between(s[0], 1.35, 1.75), between(s[1], 0.45, 0.80)
    top = tower + 2 * spire
    parts = [
        box((0, 0.45, -0.75), (0.46, 0.45, 0.95), wall),
        hull(GABLE, (0, 1.17, -0.75), (0.54, 0.28, 1.02), roof),
        box((0, tower / 2, 0.25), (0.28, tower / 2, 0.28), wall),
        place(CONE, (0, tower + spire, 0.25), (0.36, spire, 0.36), roof)
        if s[2] < 0.4
        else hull(PYRAMID, (0, tower + spire, 0.25), (0.34, spire, 0.34), roof),
        box((0, top + 0.10, 0.25), (0.02, 0.14, 0.02), Paint(gold, gloss=0.8)),
        box((0, top + 0.14, 0.25), (0.08, 0.02, 0.02), Paint(gold, gloss=0.8)),
        disc((0, tower * 0.62, 0.54), 0.13, 0.02, PANE, (90, 0, 0)),
        ring((0, tower * 0.62, 0.54), 0.14, 0.025, WHITE, (90, 0, 0)),
        box((0, 0.20, 0.54), (0.12, 0.20, 0.02), DOOR),
        disc((0, 0.40, 0.54), 0.12, 0.02, DOOR, (90, 0, 0)),
    ]
    for side in (-1, 1):
        parts.append(
            box((side * 0.11, tower - 0.16, 0.54), (0.05, 0.11, 0.015), Paint((0.15, 0.14, 0.15)))
        )
        for z in (-0.3, -0.8, -1.3):
            parts.append(box((side * 0.47, 0.45, z), (0.015, 0.20, 0.09), PANE))
            parts.append(disc((side * 0.47, 0.65, z), 0.09, 0.015, PANE, (0, 0, 90)))
    return parts


def castle(entity: Entity, pose: np.random.Generator) -> Model:
    """A battlemented wall with a gate between round towers, some with pointed roofs, and a keep."""
    main, roof_colour, flag = entity.colours
    stone = Paint(main, shaded(main, 0.75), "bricks", 6, 0.02)
    roof = Paint(roof_colour, gloss=0.1)
    pointed = entity.shape[0] < 0.6
    tall, keep = between(entity.shape[1], 1.1, 1.5), between(entity.shape[2], 1.35, 1.9)
    parts = [
        box((0, 0.40, 0.3), (1.0, 0.40, 0.10), stone),
        box((0, keep / 2, -0.45), (0.46, keep / 2, 0.36), stone),
        box((0, 0.26, 0.40), (0.19, 0.26, 0.03), DOOR),
        disc((0, 0.52, 0.40), 0.19, 0.03, DOOR, (90, 0, 0)),
    ]
    for x in np.linspace(-0.7, 0.7, 6):
        parts.append(box((float(x), 0.86, 0.34), (0.07, 0.07, 0.06), stone))
    for x in np.linspace(-0.38, 0.38, 4):
        parts.append(box((float(x), keep + 0.06, -0.14), (0.07, 0.07, 0.05), stone))
    for x, z, high in (
        (-1.0, 0.3, tall),
        (1.0, 0.3, tall),
        (-0.62, -0.7, tall * 1.2),
        (0.62, -0.7, tall * 1.2),
    ):
        parts.append(tube((x, 0, z), (x, high, z), 0.27, stone, 0.92))
        parts.append(disc((x, high, z), 0.30, 0.07, stone))
        if pointed:
            parts.append(place(CONE, (x, high + 0.40, z), (0.34, 0.36, 0.34), roof))
        else:
            for angle in np.arange(6) * 1.047:
                at = (x + 0.24 * float(np.cos(angle)), high + 0.12, z + 0.24 * float(np.sin(angle)))
                parts.append(box(at, (0.06, 0.07, 0.06), stone))
        parts.append(box((x, high * 0.66, z + 0.25), (0.03, 0.11, 0.02), Paint((0.13, 0.12, 0.12))))
        peak = high + (0.72 if pointed else 0.1)
        parts.append(tube((x, peak, z), (x, peak + 0.34, z), 0.015, Paint((0.2, 0.2, 0.2))))
        parts.append(box((x + 0.12, peak + 0.27, z), (0.11, 0.06, 0.01), Paint(flag)))
    return parts


def lighthouse(entity: Entity, pose: np.random.Generator) -> Model:
    """A tapering banded tower with a gallery and a lit lantern, on a rock."""
    main, band, trim = entity.colours
    tower = Paint(
        main,
        band,
        ("bands", "stripes")[int(entity.shape[0] * 1.25)],
        between(entity.shape[1], 2.2, 3.6),
        0.2,
    )
    tall = between(entity.shape[2], 1.9, 2.5)
    rock = Paint((0.42, 0.40, 0.38), (0.3, 0.29, 0.28), "speckle", 4)
    parts = [
        ball((0, 0.02, 0), (0.78, 0.20, 0.66), rock),
        ball((-0.45, 0.06, 0.2), (0.34, 0.18, 0.30), rock),
        ball((0.5, 0.04, 0.15), (0.30, 0.15, 0.28), rock),
        tube((0, 0.1, 0), (0, tall, 0), 0.38, tower, 0.55),
        disc((0, tall, 0), 0.31, 0.04, Paint(trim)),
        tube((0, tall, 0), (0, tall + 0.30, 0), 0.15, Paint((1.0, 0.92, 0.6), gloss=0.8, glow=0.7)),
        ring((0, tall + 0.12, 0), 0.29, 0.018, Paint(trim)),
        dome((0, tall + 0.30, 0), (0.20, 0.20, 0.20), Paint(band, gloss=0.5)),
        ball((0, tall + 0.52, 0), (0.03, 0.05, 0.03), Paint(trim)),
        box((0, 0.34, 0.37), (0.09, 0.16, 0.04), DOOR),
    ]
    for y in (0.9, 1.4):
        parts.append(box((0.05, y, 0.31 - 0.06 * y), (0.045, 0.07, 0.05), PANE))
    if entity.shape[3] < 0.5:
        parts.append(box((0.62, 0.30, 0.0), (0.26, 0.18, 0.22), WHITE))
        parts.append(hull(GABLE, (0.62, 0.58, 0.0), (0.28, 0.12, 0.25), Paint(band), (0, 90, 0)))
    return parts


def skyscraper(entity: Entity, pose: np.random.Generator) -> Model:
    """A glass tower in steps, with a mast, between lower blocks."""
    main, glass, accent = entity.colours
    s = entity.shape
    facade = Paint(main, glass, "windows", between(s[0], 7, 11), 0.5)
    trim = Paint(accent, gloss=0.4)
    tall = between(s[1], 2.4, 3.3)
    parts: Model = []
    level, wide = 0.0, between(s[2], 0.44, 0.58)
    steps = 1 + int(s[3] * 2.99)
    for _ in range(steps):
        high = tall / steps
        if s[4] < 0.3:
            parts.append(tube((0, level, 0), (0, level + high, 0), wide, facade))
        else:
            parts.append(box((0, level + high / 2, 0), (wide, high / 2, wide), facade))
        parts.append(box((0, level + high, 0), (wide * 1.02, 0.03, wide * 1.02), trim))
        level, wide = level + high, wide * 0.72
    if s[5] < 0.4:
        parts.append(hull(PYRAMID, (0, level + 0.26, 0), (wide * 1.2, 0.26, wide * 1.2), trim))
    parts.append(tube((0, level, 0), (0, level + 0.7, 0), 0.03, trim, 0.3))
    neighbour = Paint(shaded(main, 0.85), glass, "windows", 6, 0.2)
    parts.append(box((-0.98, tall * 0.19, -0.3), (0.34, tall * 0.19, 0.34), neighbour))
    parts.append(box((0.96, tall * 0.26, -0.5), (0.30, tall * 0.26, 0.30), neighbour))
    parts.append(block((0, 0.08, 0.5), (0.30, 0.08, 0.12), 0.03, trim))
    return parts


def windmill(entity: Entity, pose: np.random.Generator) -> Model:
    """A tapering mill with a cap and four latticed sails."""
    _, cap, accent = entity.colours
    wall = _wall(entity)
    tall = between(entity.shape[0], 1.35, 1.7)
    spar = Paint((0.36, 0.25, 0.17))
    cloth = Paint((0.93, 0.90, 0.82), (0.55, 0.42, 0.3), "checks", 9)
    parts = [
        *lathe([(0.0, 0.60), (tall * 0.5, 0.46), (tall, 0.36)], wall),
        ring((0, tall * 0.5, 0), 0.47, 0.04, Paint(accent)),
        dome((0, tall, 0), (0.42, 0.36, 0.42), Paint(cap, gloss=0.15)),
        tube((0, tall + 0.12, 0.2), (0, tall + 0.12, 0.62), 0.06, spar),
        ball((0, tall + 0.12, 0.62), (0.09, 0.09, 0.06), Paint(accent)),
        box((0, 0.24, 0.56), (0.13, 0.24, 0.06), DOOR),
    ]
    for y in (0.62, tall * 0.72):
        parts.append(box((0.02, y, 0.60 - 0.14 * y), (0.07, 0.09, 0.06), PANE))
    spin = pose.uniform(0, 90)
    for angle in np.radians(spin + np.arange(4) * 90):
        x, y = float(np.cos(angle)), float(np.sin(angle))
        tip = (1.15 * x, tall + 0.12 + 1.15 * y, 0.64)
        parts.append(tube((0, tall + 0.12, 0.64), tip, 0.028, spar))
        middle = (0.68 * x - 0.12 * y, tall + 0.12 + 0.68 * y + 0.12 * x, 0.63)
        parts.append(box(middle, (0.44, 0.12, 0.01), cloth, (0, 0, float(np.degrees(angle)))))
    return parts


BUILDERS: dict[str, Callable[[Entity, np.random.Generator], Model]] = {
    "house": house,
    "church": church,
    "castle": castle,
    "lighthouse": lighthouse,
    "skyscraper": skyscraper,
    "windmill": windmill,
}
