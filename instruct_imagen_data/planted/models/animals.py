"""Animals: each function builds one noun, facing +x, standing on y = 0."""

from collections.abc import Callable

import numpy as np

from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.parts import Model, ball, dome, limb, place, tube
from instruct_imagen_data.planted.patterns import Paint
from instruct_imagen_data.planted.solids import CONE, Vector
from instruct_imagen_data.planted.world import Entity

BLACK = (0.05, 0.05, 0.06)
WHITE = (0.96, 0.96, 0.95)


def coat(entity: Entity, frequency: float = 5.0) -> Paint:
    """The entity's main surface."""
    main, second, _ = entity.colours
    return Paint(main, second, entity.pattern, frequency, gloss=0.08)


def _eyes(at: Vector, apart: float, size: float) -> Model:
    x, y, z = at
    dark = Paint(BLACK, gloss=1.0)
    eyes: Model = []
    for side in (-1, 1):
        eyes.append(ball((x, y, z + side * apart), (size, size, size), dark))
        glint = size * 0.35
        eyes.append(
            ball((x + size * 0.7, y + size * 0.4, z + side * (apart + size * 0.5)),
                 (glint, glint, glint), Paint(WHITE, glow=0.4))
        )  # fmt: skip
    return eyes


def cat(entity: Entity, pose: np.random.Generator) -> Model:
    """A sitting cat: pointed ears, upright tail."""
    fur, (_, _, pale) = coat(entity, 6), entity.colours
    bib = fur.but(pale)
    s = entity.shape
    round_head = between(s[0], 0.30, 0.36)
    nod, sway = pose.uniform(-0.06, 0.06), pose.uniform(-0.25, 0.25)
    hx, hy = 0.24 + nod, 1.12
    parts = [
        ball((-0.12, 0.42, 0), (0.42, 0.46, 0.36), fur),
        ball((0.10, 0.66, 0), (0.28, 0.42, 0.26), fur, (0, 0, 14)),
        ball((0.24, 0.60, 0), (0.19, 0.28, 0.19), bib),
        ball((hx, hy, 0), (round_head, 0.29, 0.31), fur),
        ball((hx + 0.24, hy - 0.09, 0), (0.12, 0.09, 0.13), bib),
        ball((hx + 0.35, hy - 0.05, 0), (0.035, 0.03, 0.04), Paint((0.75, 0.4, 0.42), gloss=0.5)),
    ]
    for side in (-1, 1):
        ear = between(s[1], 0.22, 0.30)
        parts.append(
            place(CONE, (hx - 0.04, hy + 0.33, side * 0.19), (0.13, ear, 0.08), fur,
                  (side * 14, 0, 6))
        )  # fmt: skip
        parts += limb([(0.26, 0.55, side * 0.15), (0.32, 0.10, side * 0.15)], [0.11, 0.09], fur)
        parts.append(ball((0.38, 0.07, side * 0.15), (0.13, 0.07, 0.09), bib))
        parts.append(ball((0.02, 0.16, side * 0.30), (0.30, 0.16, 0.13), fur))
    tail: list[Vector] = [
        (-0.45, 0.15, 0), (-0.72, 0.22, sway * 0.4), (-0.82, 0.55, sway), (-0.74, 0.88, sway * 1.2),
        (-0.86, 1.12, sway),
    ]  # fmt: skip
    return (
        parts
        + limb(tail, [0.10, 0.09, 0.085, 0.08, 0.06], fur)
        + _eyes((hx + 0.25, hy + 0.06, 0), 0.13, 0.055)
    )


def dog(entity: Entity, pose: np.random.Generator) -> Model:
    """A standing dog: long muzzle, hanging ears, raised tail."""
    fur, (_, second, pale) = coat(entity, 4), entity.colours
    dark, light = fur.but(second), fur.but(pale)
    s = entity.shape
    leg, long = between(s[0], 0.42, 0.62), between(s[1], 0.62, 0.78)
    lift = pose.uniform(-0.08, 0.14)
    hx, hy = long + 0.22, leg + 0.72 + lift
    parts = [
        ball((0, leg + 0.18, 0), (long, 0.27, 0.26), fur),
        ball((long * 0.62, leg + 0.22, 0), (0.30, 0.32, 0.28), fur),
        ball((hx, hy, 0), (0.27, 0.25, 0.23), fur),
        ball((hx + 0.27, hy - 0.07, 0), (0.24, 0.13, 0.14), light),
        ball((hx + 0.49, hy - 0.02, 0), (0.06, 0.055, 0.07), Paint(BLACK, gloss=0.9)),
        tube((long * 0.75, leg + 0.30, 0), (hx - 0.05, hy - 0.05, 0), 0.21, fur, 0.85),
    ]
    for side in (-1, 1):
        ear = between(s[2], 0.22, 0.34)
        parts.append(
            ball((hx - 0.06, hy - 0.06, side * 0.24), (0.12, ear, 0.06), dark, (side * 10, 0, 8))
        )
        for x, phase in ((long * 0.68, 1), (-long * 0.68, -1)):
            step = side * phase * pose.uniform(0.02, 0.18)
            foot: Vector = (x + step, 0.07, side * 0.15)
            parts += limb([(x, leg + 0.08, side * 0.15), foot], [0.13, 0.085], fur)
            parts.append(ball((foot[0] + 0.05, 0.06, foot[2]), (0.13, 0.06, 0.09), light))
    wag = pose.uniform(-0.25, 0.25)
    tail: list[Vector] = [(-long + 0.04, leg + 0.30, 0), (-long - 0.22, leg + 0.52, wag * 0.6),
                          (-long - 0.26, leg + 0.82, wag)]  # fmt: skip
    parts += limb(tail, [0.09, 0.08, 0.05], fur)
    return parts + _eyes((hx + 0.19, hy + 0.08, 0), 0.12, 0.045)


def bird(entity: Entity, pose: np.random.Generator) -> Model:
    """A plump perching bird: beak, wing, fanned tail, thin legs."""
    main, second, pale = entity.colours
    body = coat(entity, 8).but(main)
    wing, belly = Paint(second, main, "bands", 7, 0.1), body.but(pale)
    beak = Paint((0.95, 0.62, 0.12), gloss=0.5)
    long = between(entity.shape[0], 0.10, 0.24)
    look = pose.uniform(-0.10, 0.16)
    hx, hy = 0.38, 1.0 + look * 0.6
    parts = [
        ball((0, 0.62, 0), (0.52, 0.38, 0.36), body, (0, 0, 22)),
        ball((0.13, 0.54, 0), (0.36, 0.30, 0.31), belly),
        ball((hx, hy, 0), (0.27, 0.26, 0.25), body),
        place(CONE, (hx + 0.26 + long, hy - 0.01, 0), (0.09, long + 0.05, 0.08), beak, (0, 0, -90)),
        ball((-0.62, 0.46, 0), (0.36, 0.05, 0.17), wing, (0, 0, 24 + pose.uniform(-18, 14))),
    ]
    for side in (-1, 1):
        flap = pose.uniform(0, 1) * 30
        parts.append(
            ball((-0.10, 0.66, side * 0.32), (0.42, 0.25, 0.08), wing, (-side * flap, 0, 18))
        )
        parts.append(tube((0.02, 0.30, side * 0.12), (0.04, 0.02, side * 0.14), 0.025, beak))
        parts.append(ball((0.09, 0.02, side * 0.14), (0.12, 0.02, 0.06), beak))
    return parts + _eyes((hx + 0.12, hy + 0.07, 0), 0.19, 0.05)


def fish(entity: Entity, pose: np.random.Generator) -> Model:
    """A flat-sided fish with a forked tail and fins."""
    main, second, _ = entity.colours
    kind = ("bands", "stripes", "plain", "dots")[int(entity.shape[3] * 4)]
    scales = Paint(main, second, kind, 4.0, gloss=0.6)
    fin = scales.but(second, 0.3)
    tall = between(entity.shape[0], 0.34, 0.52)
    swing = pose.uniform(-22, 22)
    parts = [
        ball((0, 0.6, 0), (0.72, tall, 0.22), scales),
        ball((0.10, 0.6 + tall * 0.9, 0), (0.36, 0.20, 0.03), fin, (0, 0, -14)),
        ball((-0.05, 0.6 - tall * 0.92, 0), (0.22, 0.15, 0.03), fin, (0, 0, 20)),
        ball((0.66, 0.57, 0), (0.10, 0.07, 0.10), fin),
        tube((-0.55, 0.6, 0), (-0.84, 0.6, 0), 0.17, scales, 0.5),
    ]
    for side in (-1, 1):
        parts.append(
            ball((-0.98, 0.6 + side * 0.20, 0), (0.34, 0.12, 0.03), fin, (0, swing, -side * 46))
        )
        parts.append(
            ball((0.12, 0.5, side * 0.24), (0.20, 0.11, 0.03), fin, (side * 25, side * 24, -24))
        )
    eye: Model = []
    for side in (-1, 1):
        eye.append(ball((0.46, 0.68, side * 0.13), (0.09, 0.09, 0.05), Paint(WHITE, gloss=0.8)))
        eye.append(ball((0.48, 0.68, side * 0.175), (0.05, 0.05, 0.03), Paint(BLACK, gloss=1)))
    return parts + eye


def turtle(entity: Entity, pose: np.random.Generator) -> Model:
    """A domed, patched shell on four flat feet."""
    main, second, skin = entity.colours
    pattern = ("patches", "dots", "checks", "speckle")[int(entity.shape[3] * 4)]
    shell = Paint(main, second, pattern, 6, gloss=0.5)
    hide = Paint(skin, second, "speckle", 6, gloss=0.1)
    high = between(entity.shape[0], 0.42, 0.66)
    up, aside = pose.uniform(-0.05, 0.22), pose.uniform(-0.2, 0.2)
    parts = [
        dome((0, 0.24, 0), (0.74, high, 0.60), shell),
        ball((0, 0.25, 0), (0.82, 0.12, 0.67), shell.but(second)),
        *limb([(0.62, 0.28, 0), (0.92, 0.36 + up, aside)], [0.15, 0.13], hide),
        ball((1.02, 0.42 + up, aside), (0.22, 0.17, 0.17), hide),
        tube((-0.78, 0.22, 0), (-1.02, 0.14, 0), 0.09, hide, 0.2),
    ]
    for side in (-1, 1):
        for x in (0.46, -0.46):
            swing = pose.uniform(-0.12, 0.16)
            parts += limb(
                [(x, 0.20, side * 0.44), (x + swing, 0.08, side * 0.66)], [0.17, 0.12], hide
            )
    return parts + _eyes((1.13, 0.48 + up, aside), 0.12, 0.04)


def rabbit(entity: Entity, pose: np.random.Generator) -> Model:
    """A crouching rabbit: long upright ears, round haunch, cotton tail."""
    fur, (_, pale, pink) = coat(entity, 5), entity.colours
    soft, inner = fur.but(pale), fur.but(pink)
    long = between(entity.shape[0], 0.36, 0.52)
    hx, hy = 0.46, 0.78 + pose.uniform(-0.05, 0.12)
    parts = [
        ball((-0.18, 0.42, 0), (0.52, 0.42, 0.38), fur),
        ball((0.22, 0.44, 0), (0.30, 0.32, 0.27), fur),
        ball((hx, hy, 0), (0.28, 0.24, 0.22), fur),
        ball((hx + 0.20, hy - 0.07, 0), (0.13, 0.10, 0.13), soft),
        ball((hx + 0.32, hy - 0.03, 0), (0.03, 0.025, 0.035), inner),
        ball((-0.70, 0.40, 0), (0.16, 0.16, 0.16), soft.but(WHITE)),
    ]
    for side in (-1, 1):
        lean = 14 + pose.uniform(-10, 26)
        ear = (hx - 0.12 - long * np.sin(np.radians(lean)), hy + 0.16 + long * 0.9, side * 0.13)
        parts.append(ball(ear, (0.10, long, 0.06), fur, (side * 8, 0, lean)))
        parts.append(
            ball((ear[0] + 0.05, ear[1], ear[2] + side * 0.025), (0.055, long * 0.8, 0.045), inner,
                 (side * 8, 0, lean))
        )  # fmt: skip
        parts.append(ball((-0.24, 0.30, side * 0.30), (0.30, 0.28, 0.14), fur))
        parts.append(ball((-0.02, 0.08, side * 0.32), (0.28, 0.08, 0.10), soft))
        parts += limb([(0.36, 0.30, side * 0.14), (0.44, 0.07, side * 0.14)], [0.10, 0.075], fur)
    return parts + _eyes((hx + 0.13, hy + 0.06, 0), 0.17, 0.05)


def elephant(entity: Entity, pose: np.random.Generator) -> Model:
    """A heavy body on pillar legs, large ears, trunk and tusks."""
    main, second, ivory = entity.colours
    hide, ear = Paint(main, second, "speckle", 9, gloss=0.05), Paint(second, gloss=0.05)
    big = between(entity.shape[0], 0.30, 0.44)
    curl = pose.uniform(-0.1, 0.55)
    parts = [
        ball((-0.1, 0.98, 0), (0.74, 0.52, 0.48), hide),
        ball((0.68, 1.20, 0), (0.36, 0.38, 0.34), hide),
        *limb(
            [(0.94, 1.10, 0), (1.14, 0.80, 0), (1.16, 0.45, 0),
             (1.28 + curl * 0.3, 0.20 + curl, 0)],
            [0.17, 0.14, 0.11, 0.07], hide,
        ),
        tube((-0.80, 1.08, 0), (-0.96, 0.60, 0), 0.035, hide),
    ]  # fmt: skip
    flap = pose.uniform(-20, 25)
    for side in (-1, 1):
        parts.append(
            ball(
                (0.50, 1.16, side * 0.40), (big, big * 1.15, 0.06), ear, (0, side * (30 + flap), 0)
            )
        )
        parts += limb(
            [(0.96, 1.00, side * 0.17), (1.22, 0.86, side * 0.20), (1.38, 0.96, side * 0.20)],
            [0.055, 0.045, 0.02], Paint(ivory, gloss=0.5),
        )  # fmt: skip
        for x in (0.38, -0.52):
            step = pose.uniform(-0.10, 0.10)
            parts.append(tube((x + step, 0, side * 0.24), (x, 0.85, side * 0.24), 0.17, hide, 1.15))
            parts.append(
                ball((x + step + 0.10, 0.05, side * 0.24), (0.11, 0.06, 0.14), ear.but(ivory))
            )
    return parts + _eyes((0.98, 1.30, 0), 0.22, 0.035)


def butterfly(entity: Entity, pose: np.random.Generator) -> Model:
    """Four wings with dark rims and spots, seen from above: the body lies along y."""
    main, dark, spot = entity.colours
    open_by = pose.uniform(4, 42)
    wide, low = between(entity.shape[0], 0.50, 0.66), between(entity.shape[1], 0.34, 0.48)
    body = Paint(dark, gloss=0.4)
    inner = Paint(main, spot, ("plain", "dots", "patches")[int(entity.shape[2] * 3)], 7, 0.3)
    parts = limb([(0, 0.35, 0), (0, 0.75, 0), (0, 1.02, 0)], [0.05, 0.08, 0.07], body)
    for side in (-1, 1):
        for centre, size, lean in (
            ((side * wide * 0.88, 1.02, 0.0), wide, 38), ((side * low, 0.48, 0.0), low, -30)
        ):  # fmt: skip
            angle = side * -open_by
            x = centre[0] * np.cos(np.radians(open_by))
            z = abs(centre[0]) * np.sin(np.radians(open_by))
            at = (float(x), centre[1], float(z))
            tilt: Vector = (0, angle, side * lean)
            rim = (at[0], at[1], at[2] - 0.012)
            parts.append(ball(rim, (size, size * 0.66, 0.02), body, tilt))
            parts.append(ball(at, (size * 0.84, size * 0.53, 0.03), inner, tilt))
            dot = size * 0.15
            eye = (at[0] * 1.36, at[1] + lean * 0.004 * size * 1.4, at[2] * 1.36 + 0.03)
            parts.append(ball(eye, (dot, dot, 0.03), Paint(spot), tilt))
        parts.append(tube((side * 0.03, 1.06, 0), (side * 0.24, 1.42, 0.1), 0.016, body))
        parts.append(ball((side * 0.24, 1.42, 0.1), (0.035, 0.035, 0.035), body))
    return parts


BUILDERS: dict[str, Callable[[Entity, np.random.Generator], Model]] = {
    "cat": cat,
    "dog": dog,
    "bird": bird,
    "fish": fish,
    "turtle": turtle,
    "rabbit": rabbit,
    "elephant": elephant,
    "butterfly": butterfly,
}
