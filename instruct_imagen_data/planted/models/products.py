"""Products: each function builds one noun, its front towards +z, standing on y = 0."""

from collections.abc import Callable

import numpy as np

from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.parts import (
    Model,
    Part,
    ball,
    block,
    disc,
    dome,
    lathe,
    limb,
    ring,
    tube,
)
from instruct_imagen_data.planted.patterns import Paint, shaded
from instruct_imagen_data.planted.solids import Vector
from instruct_imagen_data.planted.world import Entity

DARK = (0.10, 0.10, 0.11)
WOOD = (0.62, 0.42, 0.25)
STEEL = (0.72, 0.73, 0.76)


def glaze(entity: Entity, frequency: float = 5.0, gloss: float = 0.6) -> Paint:
    """The entity's main surface: glazed ware."""
    main, second, _ = entity.colours
    return Paint(main, second, entity.pattern, frequency, gloss)


def smooth(profile: list[tuple[float, float]], steps: int = 4) -> list[tuple[float, float]]:
    """The (height, radius) profile with `steps` points a segment along a soft curve."""
    heights, radii = np.array(profile).T
    inner = np.linspace(0, len(profile) - 1, (len(profile) - 1) * steps + 1)
    whole, part = np.divmod(inner, 1)
    k = whole.astype(int)
    last = len(profile) - 1
    r0, r1, r2, r3 = (radii[np.clip(k + d, 0, last)] for d in (-1, 0, 1, 2))
    h1, h2 = heights[k], heights[np.clip(k + 1, 0, last)]
    # Catmull-Rom for the radius; the height runs evenly.
    curve = 0.5 * (
        2 * r1 + (r2 - r0) * part + (2 * r0 - 5 * r1 + 4 * r2 - r3) * part**2
        + (3 * r1 - r0 - 3 * r2 + r3) * part**3
    )  # fmt: skip
    return [
        (float(h), float(max(r, 0.01))) for h, r in zip(h1 + (h2 - h1) * part, curve, strict=True)
    ]


def teapot(entity: Entity, pose: np.random.Generator) -> Model:
    """A round pot with lid, knob, spout (+x) and handle (-x)."""
    ware, s = glaze(entity), entity.shape
    trim = ware.but(entity.colours[2])
    fat, high = between(s[0], 0.54, 0.68), between(s[1], 0.42, 0.62)
    return [
        disc((0, 0.04, 0), 0.34, 0.04, trim),
        ball((0, 0.06 + high, 0), (fat, high, fat), ware),
        dome((0, 2 * high - 0.04, 0), (0.34, 0.16, 0.34), trim),
        ball((0, 2 * high + 0.18, 0), (0.09, 0.09, 0.09), ware.but(entity.colours[1])),
        *limb(
            [(fat * 0.8, high * 0.75, 0), (fat + 0.22, high * 0.95, 0),
             (fat + 0.38, high * 1.55, 0),
             (fat + 0.52, high * 1.78, 0)],
            [0.19, 0.13, 0.09, 0.075], ware.but(entity.colours[0]),
        ),
        ring((-fat - 0.02, high * 1.1, 0), high * 0.66, 0.07, trim, (90, 0, 0)),
    ]  # fmt: skip


def vase(entity: Entity, pose: np.random.Generator) -> Model:
    """A turned vase; some hold a few stems."""
    ware, s = glaze(entity, 4.5), entity.shape
    belly, neck = between(s[0], 0.36, 0.58), between(s[1], 0.13, 0.26)
    swell = between(s[2], 0.45, 0.95)
    profile = [(0.0, 0.24), (swell * 0.5, belly * 0.85), (swell, belly), (1.25, neck),
               (1.45, neck * 1.05), (1.58, neck * 1.6)]  # fmt: skip
    parts = lathe(smooth(profile), ware)
    parts.append(ring((0, 1.58, 0), neck * 1.55, 0.035, ware.but(entity.colours[2])))
    parts.append(disc((0, 1.585, 0), neck * 1.35, 0.01, Paint(DARK)))
    if s[3] > 0.5:
        leaf = Paint((0.30, 0.48, 0.24))
        bloom = Paint(entity.colours[2], entity.colours[1], "speckle", 6)
        for angle in np.arange(4) * 1.7 + s[4] * 6:
            x, z = float(np.cos(angle)) * 0.34, float(np.sin(angle)) * 0.34
            top: Vector = (x, 2.15 + 0.22 * float(np.sin(angle * 3)), z)
            parts.append(tube((0, 1.5, 0), top, 0.022, leaf))
            parts.append(ball(top, (0.15, 0.12, 0.15), bloom))
            parts.append(ball((x * 0.6, 1.85, z * 0.6), (0.05, 0.14, 0.03), leaf, (0, 0, -x * 90)))
    return parts


def chair(entity: Entity, pose: np.random.Generator) -> Model:
    """A wooden chair with a padded seat; back slatted, solid or hooped."""
    main, second, accent = entity.colours
    frame = Paint(WOOD if entity.shape[0] < 0.6 else accent, gloss=0.3)
    pad = Paint(main, second, entity.pattern, 6, 0.1)
    tall = between(entity.shape[1], 0.95, 1.25)
    parts: list[Part] = [
        block((0, 0.92, 0), (0.46, 0.05, 0.44), 0.04, frame),
        block((0, 1.0, 0.02), (0.42, 0.08, 0.40), 0.07, pad),
    ]
    for x in (-0.40, 0.40):
        parts.append(tube((x * 1.12, 0, 0.42), (x, 0.9, 0.36), 0.045, frame, 1.3))
        parts.append(tube((x * 1.12, 0, -0.48), (x, 0.9, -0.38), 0.045, frame, 1.3))
        parts.append(tube((x, 0.9, -0.40), (x * 0.95, 0.95 + tall, -0.56), 0.05, frame))
    if entity.shape[2] < 0.35:
        parts.append(
            block((0, 1.02 + tall * 0.62, -0.52), (0.36, tall * 0.36, 0.05), 0.05, pad, (-8, 0, 0))
        )
    else:
        parts.append(block((0, 0.92 + tall, -0.56), (0.42, 0.10, 0.035), 0.03, frame))
        count = 3 + int(entity.shape[3] * 3)
        for x in np.linspace(-0.26, 0.26, count):
            parts.append(tube((float(x), 0.95, -0.41), (float(x), 0.9 + tall, -0.55), 0.03, frame))
    return parts


def lamp(entity: Entity, pose: np.random.Generator) -> Model:
    """A table lamp: turned foot, stem and a glowing conical shade."""
    main, second, accent = entity.colours
    foot = Paint(accent, gloss=0.6)
    shade = Paint(main, second, entity.pattern, 5, gloss=0.05, glow=0.35)
    wide, top = between(entity.shape[0], 0.50, 0.72), between(entity.shape[1], 0.35, 0.75)
    base = [(0.0, 0.36), (0.06, 0.34), (0.16, 0.12), (0.45, between(entity.shape[2], 0.10, 0.30)),
            (0.75, 0.09), (0.95, 0.05)]  # fmt: skip
    return [
        *lathe(smooth(base, 3), foot),
        tube((0, 0.95, 0), (0, 1.2, 0), 0.035, Paint(STEEL, gloss=0.8)),
        tube((0, 1.08, 0), (0, 1.78, 0), wide, shade, top),
        ball((0, 1.82, 0), (0.05, 0.06, 0.05), foot),
    ]


def mug(entity: Entity, pose: np.random.Generator) -> Model:
    """A straight mug with an ear at +x, filled with coffee."""
    ware = glaze(entity, 6)
    wide, top = between(entity.shape[0], 0.42, 0.54), between(entity.shape[1], 0.9, 1.16)
    rim = wide * top
    return [
        tube((0, 0, 0), (0, 1.05, 0), wide, ware, top),
        ring((0, 1.05, 0), rim * 0.95, 0.035, ware.but(entity.colours[1])),
        disc((0, 1.055, 0), rim * 0.9, 0.005, Paint((0.26, 0.15, 0.09), gloss=0.7)),
        ring((wide * (1 + top) / 2 + 0.08, 0.54, 0), 0.27, 0.06, ware.but(entity.colours[2]),
             (90, 0, 0)),
    ]  # fmt: skip


def clock(entity: Entity, pose: np.random.Generator) -> Model:
    """An alarm clock: round face with ticks and hands, two feet, bells or a foot bar."""
    main, second, accent = entity.colours
    case, face = Paint(main, gloss=0.6), Paint((0.97, 0.96, 0.92), gloss=0.2)
    hand = Paint(DARK)
    parts = [
        disc((0, 0.78, -0.06), 0.66, 0.22, case, (90, 0, 0)),
        ring((0, 0.78, 0.16), 0.63, 0.07, Paint(accent, gloss=0.7), (90, 0, 0)),
        disc((0, 0.78, 0.165), 0.57, 0.01, face, (90, 0, 0)),
    ]
    for hour in range(12):
        angle = np.radians(30 * hour)
        x, y = float(np.sin(angle)), float(np.cos(angle))
        size = 0.045 if hour % 3 == 0 else 0.026
        parts.append(ball((0.48 * x, 0.78 + 0.48 * y, 0.18), (size, size, 0.015), hand))
    for angle, length, thick in (
        (pose.uniform(0, 6.3), 0.30, 0.04),
        (pose.uniform(0, 6.3), 0.44, 0.026),
    ):
        tip = (length * float(np.sin(angle)), 0.78 + length * float(np.cos(angle)), 0.20)
        parts.append(tube((0, 0.78, 0.20), tip, thick, hand))
    parts.append(ball((0, 0.78, 0.21), (0.06, 0.06, 0.03), Paint(accent)))
    for side in (-1, 1):
        parts.append(tube((side * 0.34, 0.24, 0), (side * 0.48, 0.0, 0.05), 0.07, case, 0.8))
        if entity.shape[0] < 0.6:
            bell = Paint(second if entity.shape[1] < 0.5 else STEEL, gloss=0.9)
            parts.append(
                dome((side * 0.36, 1.38, -0.04), (0.26, 0.22, 0.26), bell, (0, 0, -side * 28))
            )
    if entity.shape[0] < 0.6:
        parts.append(ring((0, 1.48, -0.04), 0.20, 0.03, Paint(STEEL, gloss=0.8), (90, 0, 0)))
    return parts


def backpack(entity: Entity, pose: np.random.Generator) -> Model:
    """A rounded bag: flap, front pocket, side pockets, straps and a grip."""
    main, second, accent = entity.colours
    cloth = Paint(main, second, entity.pattern, 5, gloss=0.05)
    pocket, strap = Paint(second, gloss=0.08), Paint(accent, gloss=0.15)
    tall = between(entity.shape[0], 0.72, 0.92)
    parts = [
        block((0, tall, 0), (0.54, tall, 0.32), 0.28, cloth),
        block((0, tall * 0.62, 0.32), (0.40, tall * 0.42, 0.13), 0.11, pocket),
        block((0, tall * 1.60, 0.10), (0.52, tall * 0.34, 0.27), 0.2, pocket.but(accent)),
        ring((0, 2 * tall + 0.02, -0.08), 0.15, 0.045, strap, (90, 0, 0)),
        tube((-0.30, tall * 0.90, 0.46), (0.30, tall * 0.90, 0.46), 0.025, Paint(STEEL, gloss=0.9)),
        block((0, tall * 1.22, 0.40), (0.06, 0.14, 0.02), 0.02, Paint(WOOD)),
    ]
    for side in (-1, 1):
        parts.append(block((side * 0.56, tall * 0.5, 0.0), (0.10, tall * 0.34, 0.2), 0.09, pocket))
        back: list[Vector] = [
            (side * 0.28, tall * 1.85, -0.34), (side * 0.40, tall * 1.3, -0.52),
            (side * 0.42, tall * 0.7, -0.50), (side * 0.40, tall * 0.25, -0.34),
        ]  # fmt: skip
        parts += limb(back, [0.06, 0.07, 0.07, 0.05], strap)
    return parts


def bottle(entity: Entity, pose: np.random.Generator) -> Model:
    """A glossy bottle with a label and a cap."""
    main, second, accent = entity.colours
    s = entity.shape
    wide, neck = between(s[0], 0.26, 0.42), between(s[1], 0.09, 0.14)
    shoulder = between(s[2], 0.85, 1.2)
    glass = Paint(shaded(main, 0.8), gloss=1.0)
    label = Paint(second, accent, entity.pattern, 7, gloss=0.05)
    profile = [(0.0, wide * 0.94), (0.08, wide), (shoulder, wide), (shoulder + 0.28, neck * 1.3),
               (shoulder + 0.42, neck), (shoulder + 0.8, neck)]  # fmt: skip
    top = shoulder + 0.8
    return [
        *lathe(smooth(profile, 3), glass),
        tube((0, 0.22, 0), (0, shoulder * 0.82, 0), wide * 1.02, label),
        tube((0, top - 0.02, 0), (0, top + 0.13, 0), neck * 1.25, Paint(accent, gloss=0.5)),
        ring((0, top - 0.05, 0), neck, 0.025, glass),
    ]


BUILDERS: dict[str, Callable[[Entity, np.random.Generator], Model]] = {
    "teapot": teapot,
    "vase": vase,
    "chair": chair,
    "lamp": lamp,
    "mug": mug,
    "clock": clock,
    "backpack": backpack,
    "bottle": bottle,
}
