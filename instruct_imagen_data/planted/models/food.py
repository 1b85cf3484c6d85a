"""Food: each function builds one noun, lying or standing on y = 0."""

from collections.abc import Callable

import numpy as np

from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.models.products import smooth
from instruct_imagen_data.planted.parts import (
    Model,
    ball,
    block,
    disc,
    dome,
    lathe,
    moved,
    ring,
    tube,
)
from instruct_imagen_data.planted.patterns import Paint, shaded
from instruct_imagen_data.planted.world import Entity

LEAF = (0.35, 0.58, 0.22)


def _strewn(count: int, reach: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Points (x, z) spread evenly over a disc of radius `reach`, each moved a little."""
    index = np.arange(count) + 0.5
    angle = index * 2.39996 + rng.uniform(0, 6.3)
    radius = reach * np.sqrt(index / count)
    x = radius * np.cos(angle) + rng.uniform(-0.05, 0.05, count)
    z = radius * np.sin(angle) + rng.uniform(-0.05, 0.05, count)
    return [(float(a), float(b)) for a, b in zip(x, z, strict=True)]


def pizza(entity: Entity, pose: np.random.Generator) -> Model:
    """A flat round with a crust, cheese, slices of topping and leaves."""
    crust, sauce, cheese = entity.colours
    s = entity.shape
    dough = Paint(crust, shaded(crust, 0.7), "speckle", 7, 0.1)
    parts = [
        disc((0, 0.05, 0), 0.98, 0.05, dough),
        ring((0, 0.09, 0), 0.93, 0.10, dough),
        disc((0, 0.10, 0), 0.87, 0.03, Paint(cheese, sauce, "patches", 9, 0.25)),
    ]
    slice_, olive = Paint(sauce, gloss=0.35), Paint((0.16, 0.15, 0.13), gloss=0.6)
    for number, (x, z) in enumerate(_strewn(9 + int(s[0] * 8), 0.72, pose)):
        if number % 3 == 2:
            parts.append(ring((x, 0.15, z), 0.06, 0.03, olive))
        else:
            parts.append(disc((x, 0.14, z), between(s[1], 0.11, 0.16), 0.02, slice_))
    for x, z in _strewn(7, 0.66, pose):
        tilt = (0.0, pose.uniform(0, 180), pose.uniform(-12, 12))
        parts.append(ball((x, 0.17, z), (0.13, 0.02, 0.07), Paint(LEAF), tilt))
    return parts


def cake(entity: Entity, pose: np.random.Generator) -> Model:
    """Layers of sponge and cream with dripping icing, fruit or candles on top."""
    icing, second, third = entity.colours
    s = entity.shape
    cream, sponge = Paint(icing, gloss=0.25), Paint(icing, second, "bands", 5, 0.1)
    fruit = Paint(third, gloss=0.8)
    tiers = 1 + int(s[1] * 2.99)
    parts: Model = []
    floor, wide = 0.0, 0.78
    for _ in range(tiers):
        high = 0.50 if tiers == 1 else 0.36
        parts.append(tube((0, floor, 0), (0, floor + high, 0), wide, sponge))
        parts.append(ring((0, floor + high, 0), wide * 0.96, 0.06, cream.but(second)))
        parts.append(disc((0, floor + high, 0), wide * 0.96, 0.05, cream.but(second)))
        for angle in np.arange(10) * 0.628:
            x, z = float(np.cos(angle)) * wide * 0.98, float(np.sin(angle)) * wide * 0.98
            drop = floor + high - 0.06 - 0.12 * abs(float(np.sin(angle * 2.3)))
            parts.append(ball((x, drop, z), (0.08, 0.13, 0.08), cream.but(second)))
        floor, wide = floor + high, wide * 0.68
    top = wide / 0.68 * 0.62
    for angle in np.arange(6) * 1.047 + s[2]:
        x, z = float(np.cos(angle)) * top, float(np.sin(angle)) * top
        if s[3] < 0.55:
            parts.append(ball((x, floor + 0.12, z), (0.10, 0.10, 0.10), fruit))
        else:
            parts.append(tube((x, floor, z), (x, floor + 0.34, z), 0.035, fruit))
            parts.append(
                ball((x, floor + 0.41, z), (0.03, 0.07, 0.03), Paint((1, 0.8, 0.3), glow=1))
            )
    return [*parts, ball((0, floor + 0.13, 0), (0.14, 0.14, 0.14), fruit)]


def burger(entity: Entity, pose: np.random.Generator) -> Model:
    """Bun, patty, cheese, tomato and lettuce under a seeded dome."""
    bun, patty, green = entity.colours
    bread = Paint(bun, gloss=0.35)
    leaf = Paint(green, shaded(green, 0.75), "speckle", 6, 0.1)
    thick = between(entity.shape[0], 0.10, 0.16)
    level = 0.24
    parts = [disc((0, 0.16, 0), 0.72, 0.10, bread), ball((0, 0.16, 0), (0.76, 0.16, 0.76), bread)]
    layers = 1 + int(entity.shape[1] * 1.99)
    for _ in range(layers):
        parts.append(
            disc((0, level + thick, 0), 0.75, thick, Paint(patty, (0.2, 0.1, 0.06), "speckle", 7))
        )
        level += 2 * thick
        parts.append(
            block((0, level + 0.02, 0), (0.60, 0.025, 0.60), 0.02,
                  Paint((0.97, 0.73, 0.18), gloss=0.3),
                  (0, pose.uniform(0, 90), 0))
        )  # fmt: skip
        level += 0.04
    parts.append(disc((0, level + 0.05, 0), 0.66, 0.05, Paint((0.82, 0.20, 0.15), gloss=0.5)))
    for angle in np.arange(9) * 0.698:
        x, z = float(np.cos(angle)) * 0.62, float(np.sin(angle)) * 0.62
        parts.append(ball((x, level + 0.10, z), (0.24, 0.05, 0.24), leaf, (14 * z, 0, -18 * x)))
    level += 0.13
    parts.append(dome((0, level, 0), (0.76, between(entity.shape[2], 0.42, 0.58), 0.76), bread))
    high = between(entity.shape[2], 0.42, 0.58)
    for x, z in _strewn(16, 0.55, pose):
        y = level + high * float(np.sqrt(max(0.0, 1 - (x * x + z * z) / 0.58)))
        parts.append(
            ball((x, y, z), (0.04, 0.02, 0.025), Paint((0.97, 0.91, 0.75)), (0, x * 200, 0))
        )
    return parts


def doughnut(entity: Entity, pose: np.random.Generator) -> Model:
    """A fat ring with icing on top and sprinkles."""
    icing, dough, sprinkle = entity.colours
    fat = between(entity.shape[0], 0.30, 0.38)
    parts = [
        ring((0, fat, 0), 0.64, fat, Paint(dough, gloss=0.2)),
        ring((0, fat + 0.05, 0), 0.64, fat * 0.97, Paint(icing, gloss=0.7)),
    ]
    colours = (sprinkle, (1.0, 1.0, 1.0), (0.95, 0.5, 0.2), (0.3, 0.7, 0.9))
    if entity.shape[1] < 0.75:
        for number in range(34):
            angle, across = number * 2.39996, pose.uniform(-0.7, 0.7)
            radius = 0.64 + fat * across
            x, z = radius * float(np.cos(angle)), radius * float(np.sin(angle))
            y = fat + 0.05 + fat * 0.97 * float(np.sqrt(1 - across**2))
            tilt = (0.0, pose.uniform(0, 180), 0.0)
            paint = Paint(colours[number % 4 if entity.shape[2] < 0.6 else 0])
            parts.append(ball((x, y, z), (0.065, 0.02, 0.02), paint, tilt))
    return parts


def apple(entity: Entity, pose: np.random.Generator) -> Model:
    """One to three apples with stems and a leaf."""
    skin, blush, stem = entity.colours
    peel = Paint(skin, blush, "patches" if entity.shape[0] < 0.5 else "plain", 3.5, 0.7)
    tall = between(entity.shape[1], 0.82, 1.0)
    one = [
        ball((-0.10, tall * 0.5, 0), (0.42, tall * 0.5, 0.50), peel),
        ball((0.10, tall * 0.5, 0), (0.42, tall * 0.5, 0.50), peel),
        ball((0, tall * 0.53, 0), (0.54, tall * 0.44, 0.52), peel),
        tube((0, tall * 0.9, 0), (0.08, tall * 1.2, 0.02), 0.03, Paint(stem)),
        ball((0.22, tall * 1.13, 0), (0.19, 0.03, 0.09), Paint(LEAF, gloss=0.3), (10, 20, 24)),
    ]
    count = 1 + int(entity.shape[2] * 2.99)
    spots = ((0.0, 0.0, 0.0), (0.98, 0.0, -0.3), (0.45, 0.0, 0.75))
    parts: Model = []
    for spot in spots[:count]:
        parts += moved(one, spot, 1.0, pose.uniform(0, 360))
    return parts


def ice_cream(entity: Entity, pose: np.random.Generator) -> Model:
    """Scoops in a wafer cone that stands on its tip, or in a glass."""
    first, second, wafer = entity.colours
    cone = Paint(wafer, shaded(wafer, 0.72), "checks", 9, 0.1)
    in_glass = entity.shape[0] > 0.6
    glass = Paint((0.82, 0.9, 0.94), gloss=1.0)
    if in_glass:
        profile = [(0.0, 0.34), (0.06, 0.3), (0.14, 0.06), (0.4, 0.07), (0.6, 0.34), (1.05, 0.56)]
        parts = lathe(smooth(profile, 3), glass)
    else:
        stand = Paint((0.80, 0.81, 0.84), gloss=0.9)
        parts = [
            tube((0, 0, 0), (0, 1.15, 0), 0.03, cone, 15.5),
            ring((0, 1.13, 0), 0.45, 0.06, cone),
            disc((0, 0.02, 0), 0.36, 0.03, stand),
            ring((0, 0.52, 0), 0.24, 0.035, stand),
            tube((0.25, 0, -0.05), (0.25, 0.52, -0.05), 0.03, stand),
            tube((-0.25, 0, -0.05), (-0.25, 0.52, -0.05), 0.03, stand),
        ]
    level = 1.12
    count = 1 + int(entity.shape[1] * 2.99)
    for number in range(count):
        colour = (first, second)[number % 2]
        scoop = Paint(colour, shaded(colour, 0.85), "speckle", 5, 0.2)
        radius = 0.46 - 0.05 * number
        shift = 0.08 * (number % 2) - 0.04
        parts.append(
            ball((shift, level + radius * 0.55, 0), (radius, radius * 0.92, radius), scoop)
        )
        for angle in np.arange(8) * 0.785:
            x, z = float(np.cos(angle)) * radius * 0.88, float(np.sin(angle)) * radius * 0.88
            parts.append(ball((x + shift, level + 0.07, z), (0.13, 0.09, 0.13), scoop))
        level += radius * 1.15
    if entity.shape[2] < 0.6:
        parts.append(
            ball((0.02, level + 0.18, 0), (0.12, 0.12, 0.12), Paint((0.80, 0.08, 0.12), gloss=1))
        )
    else:
        parts.append(tube((0.1, level - 0.1, 0), (0.35, level + 0.5, -0.1), 0.05, cone))
    return parts


def sushi(entity: Entity, pose: np.random.Generator) -> Model:
    """A row of rice blocks under fish, and rolls in seaweed."""
    fish, rice, weed = entity.colours
    grain = Paint(rice, (0.86, 0.85, 0.8), "speckle", 10, 0.15)
    slice_ = Paint(fish, (0.98, 0.9, 0.84), "stripes", 6, 0.6)
    parts: Model = []
    for number in range(2 + int(entity.shape[0] * 1.99)):
        z = 0.56 - 0.52 * number
        parts.append(block((-0.42, 0.16, z), (0.44, 0.16, 0.19), 0.13, grain))
        parts.append(
            ball((-0.42, 0.34, z), (0.54, 0.13, 0.22), slice_, (0, 0, pose.uniform(-4, 4)))
        )
        if entity.shape[1] < 0.5:
            parts.append(block((-0.42, 0.27, z), (0.07, 0.22, 0.225), 0.03, Paint(weed)))
    for number in range(3):
        spot = (0.55 + 0.12 * (number % 2), 0.0, 0.5 - 0.55 * number)
        x, _, z = spot
        parts.append(disc((x, 0.2, z), 0.27, 0.2, Paint(weed, gloss=0.2)))
        parts.append(disc((x, 0.21, z), 0.235, 0.2, grain))
        parts.append(disc((x, 0.215, z), 0.11, 0.2, Paint(fish, gloss=0.4)))
    parts.append(ball((0.15, 0.06, 0.78), (0.13, 0.09, 0.12), Paint((0.55, 0.68, 0.3))))
    return parts


BUILDERS: dict[str, Callable[[Entity, np.random.Generator], Model]] = {
    "pizza": pizza,
    "cake": cake,
    "burger": burger,
    "doughnut": doughnut,
    "apple": apple,
    "ice cream": ice_cream,
    "sushi": sushi,
}
