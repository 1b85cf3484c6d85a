"""Eyes, brows, nose, mouth, beard and what age and sun leave on a face."""

import cv2
import numpy as np

from instruct_imagen_data.planted.draws import between, generator
from instruct_imagen_data.planted.extras.portrait.face import Face
from instruct_imagen_data.planted.extras.portrait.sheet import Mask, curve, oval, shaded
from instruct_imagen_data.planted.patterns import Colour
from instruct_imagen_data.planted.solids import f32

_WHITE = (0.99, 0.98, 0.96)
_PUPIL = (0.08, 0.07, 0.08)
_MOUTH_AT = 0.53


def _apart(face: Face) -> float:
    return between(face.person.shape[3], 0.31, 0.37)


def eyes(face: Face) -> None:
    """Both eyes: open and looking at the viewer, wide, or closed with laughter."""
    size = between(face.person.shape[4], 0.9, 1.15)
    for side in (-1, 1):
        at = side * _apart(face)
        if face.look.expression == "laugh":
            arc = curve([(at - 0.15, 0.03), (at, -0.09), (at + 0.15, 0.03)])
            face.sheet.line(face.on(arc), shaded(face.person.skin, 0.25), 0.05)
        else:
            _open_eye(face, side, at, size)


def _open_eye(face: Face, side: int, at: float, size: float) -> None:
    sheet, person = face.sheet, face.person
    rx = 0.155 * size
    ry = rx * {"surprise": 0.95, "grin": 0.66}.get(face.look.expression, 0.78)
    upper = [(-1, 0.12), (-0.6, -0.62), (0, -1), (0.6, -0.82), (1, -0.06)]
    lower = [(0.6, 0.52), (0, 0.72), (-0.6, 0.56)]
    middle = -0.02

    def local(points: list[tuple[float, float]], closed: bool = False) -> np.ndarray:
        moved = [(at + side * x * rx, middle + y * ry) for x, y in points]
        return face.on(curve(moved, closed))

    inside = sheet.mask(local(upper + lower, closed=True))
    sheet.paint(inside, _WHITE)
    x, y = face.on([(at - face.look.turn * 0.06, middle - 0.06 * ry)])[0].tolist()
    round_ = 0.098 * size
    sheet.fill(oval((x, y), round_ * 0.92, round_), shaded(person.eyes, 0.45), inside)
    sheet.fill(oval((x, y), round_ * 0.78, round_ * 0.86), person.eyes, inside)
    sheet.fill(oval((x, y + 0.03), round_ * 0.5, round_ * 0.45), shaded(person.eyes, 1.5), inside)
    sheet.fill(oval((x, y), round_ * 0.42, round_ * 0.46), _PUPIL, inside)
    sheet.fill(oval((x + 0.035 * face.look.side, y - 0.04), 0.026, 0.03), _WHITE, inside)
    sheet.line(local(upper), shaded(person.skin, 0.5), 0.10, inside, 0.35, 0.2)  # the lid's shade
    dark = shaded(person.skin, 0.22)
    sheet.line(local(upper), dark, 0.036 if person.male else 0.05)
    sheet.line(local([(1, -0.06), *lower, (-1, 0.12)]), face.ink, 0.016, opacity=0.7)
    crease = [(-0.8, -0.75), (0, -1.38), (0.85, -0.85)]
    sheet.line(local(crease), face.ink, 0.02, opacity=0.55)
    if not person.male:
        for lash in ((1.0, 1.34, -0.42), (0.8, 1.12, -0.95)):
            sheet.line(local([(lash[0], -0.25), (lash[1], lash[2])]), dark, 0.028)


def brows(face: Face) -> None:
    """Brows in a dark tone of the hair, raised in surprise."""
    lift = {"surprise": 0.10, "laugh": 0.05, "grin": 0.03}.get(face.look.expression, 0.0)
    thick = between(face.person.shape[5], 0.045, 0.075) * (1.15 if face.person.male else 0.8)
    tone = shaded(face.person.hair, 0.72 if face.person.hair_name != "black" else 0.9)
    for side in (-1, 1):
        at = side * _apart(face)
        cocked = 0.07 if face.look.expression == "smirk" and side == 1 else 0.0
        y = -0.27 - lift - cocked
        arc = [(at - side * 0.17, y + 0.035), (at, y - 0.035), (at + side * 0.19, y + 0.025)]
        face.sheet.line(face.on(curve(arc)), tone, thick, taper=0.6)


def nose(face: Face, skin: Mask) -> None:
    """The nose by its shadow, its tip and its wings; it sticks out as the head turns."""
    shape, sheet, tone = face.person.shape[6], face.sheet, face.person.skin
    long, wing = between(shape, 0.22, 0.30), between((shape * 7) % 1, 0.08, 0.115)
    out = face.look.turn * 0.16
    away = -face.look.side
    ridge = [(0.045 * away, -0.08), (0.03 * away + out * 0.7, long * 0.5), (out, long),
             (wing * away + out, long), (0.09 * away + out * 0.6, long * 0.45)]  # fmt: skip
    sheet.fill(curve(ridge, closed=True), shaded(tone, 0.78), skin, 0.45)
    sheet.fill(oval((out - 0.02 * away, long - 0.03), 0.05, 0.045), shaded(tone, 1.5), skin, 0.55)
    base = [(out - wing, long - 0.055), (out - wing * 0.85, long + 0.02), (out, long + 0.05),
            (out + wing * 0.85, long + 0.02), (out + wing, long - 0.055)]  # fmt: skip
    sheet.line(curve(base), face.ink, 0.028)


def cheeks(face: Face, skin: Mask) -> None:
    """Rosy cheeks, freckles, and lines where the person is not young."""
    red, green, blue = face.person.skin
    for side in (-1, 1):
        (x, y), *_ = face.on([(side * 0.47, 0.3)])
        for size in (0.19, 0.14, 0.09):
            rosy = (min(red * 1.04, 1), green * 0.72, blue * 0.72)
            face.sheet.fill(oval((x, y), size, size * 0.75), rosy, skin, 0.13)
        if face.person.freckled:
            rng = generator("freckles", *face.person.shape, side)
            spots = f32([side * 0.42, 0.22]) + f32(rng.normal(0, (0.10, 0.05), (9, 2)))
            for x, y in face.on(spots):
                tone = shaded(face.person.skin, 0.62)
                face.sheet.fill(oval((x, y), 0.016, 0.016), tone, skin, 0.7)
        if not face.person.young:
            fold = [(side * 0.20, 0.27), (side * 0.30, 0.40), (side * 0.32, 0.52)]
            foot = [(side * 0.56, 0.02), (side * 0.63, 0.05)]
            for line in (fold, foot):
                face.sheet.line(face.on(curve(line)), face.ink, 0.02, skin, 0.6)
    if not face.person.young:
        for y in (-0.52, -0.60):
            wrinkle = curve([(-0.26, y + 0.02), (0, y), (0.26, y + 0.02)])
            face.sheet.line(face.on(wrinkle), face.ink, 0.016, skin, 0.4)


def _lips(face: Face) -> Colour:
    red, green, blue = face.person.skin
    if face.person.male:
        return red * 0.80, green * 0.58, blue * 0.56
    return min(red * 0.86 + 0.08, 1), green * 0.42, blue * 0.46


def mouth(face: Face) -> None:
    """The mouth as the expression has it."""
    half = between((face.person.shape[7] * 5) % 1, 0.19, 0.25)
    y, sheet, tone = _MOUTH_AT, face.sheet, _lips(face)
    expression = face.look.expression
    if expression in ("grin", "laugh"):
        _grin(face, half * 1.15, 0.20 if expression == "laugh" else 0.15, tone)
        return
    if expression == "surprise":
        (x, at), *_ = face.on([(0, y + 0.03)])
        sheet.fill(oval((x, at), 0.105, 0.125), tone)
        sheet.fill(oval((x, at), 0.075, 0.095), (0.30, 0.08, 0.09))
        return
    curl = {"smile": 0.085, "smirk": 0.05, "calm": 0.022}[expression]
    left, right = (y - curl * (0.0 if expression == "smirk" else 0.6), y - curl)
    line = [(-half, left), (-half * 0.5, y + curl * 0.45), (0, y + curl * 0.7),
            (half * 0.5, y + curl * 0.45), (half, right)]  # fmt: skip
    under = [(half * 0.6, y + curl * 0.5 + 0.05), (0, y + curl * 0.7 + 0.085),
             (-half * 0.6, y + curl * 0.5 + 0.05)]  # fmt: skip
    over = [(-half * 0.4, y - 0.035), (0, y - 0.02), (half * 0.4, y - 0.035)]
    sheet.fill(face.on(curve([*line, *under], closed=True)), tone, opacity=0.85)
    sheet.fill(face.on(curve([*over, *line[::-1]], closed=True)), shaded(tone, 0.88), opacity=0.75)
    sheet.line(face.on(curve(line)), shaded(tone, 0.42), 0.032)


def _grin(face: Face, half: float, deep: float, tone: Colour) -> None:
    y, sheet = _MOUTH_AT - 0.04, face.sheet
    top = [(-half, y - 0.03), (-half * 0.5, y + 0.02), (0, y + 0.03), (half * 0.5, y + 0.02),
           (half, y - 0.03)]  # fmt: skip
    bottom = [(half * 0.72, y + deep * 0.72), (0, y + deep * 1.08), (-half * 0.72, y + deep * 0.72)]
    shape = face.on(curve([*top, *bottom], closed=True))
    inside = sheet.mask(shape)
    sheet.paint(inside, (0.36, 0.09, 0.10))
    sheet.fill(face.on(oval((0, y + deep * 1.05), half * 0.55, deep * 0.45)), (0.86, 0.42, 0.42),
               inside)  # fmt: skip
    teeth = [*top, (half * 0.8, y + 0.07), (0, y + 0.095), (-half * 0.8, y + 0.07)]
    sheet.fill(face.on(curve(teeth, closed=True)), _WHITE, inside)
    sheet.line(np.concatenate([shape, shape[:1]]), shaded(tone, 0.75), 0.035, taper=0.0)


def beard(face: Face, skin: Mask) -> None:
    """Stubble, a moustache or a full beard, in the hair's colour."""
    kind = face.person.beard
    if kind == "none":
        return
    hair, sheet = face.person.hair, face.sheet
    w, chin = face.wide, face.chin
    if kind in ("full", "stubble"):
        jaw = [(-w * 1.1, 0.02), (-w * 0.86, 0.10), (-w * 0.66, 0.34), (-0.3, 0.40), (0, 0.37),
               (0.3, 0.40), (w * 0.66, 0.34), (w * 0.86, 0.10), (w * 1.1, 0.02),
               (w * 1.1, chin * 1.2), (-w * 1.1, chin * 1.2)]  # fmt: skip
        points = face.on(curve(jaw, closed=True))
        if kind == "full":
            sheet.fill(points, shaded(hair, 0.9), skin, 0.94)
        else:
            sheet.fill(points, shaded(hair, 0.9), skin, 0.10)
            grain = generator("stubble", *face.person.shape).random(skin.shape) < 0.22
            dots = np.asarray(np.where(grain, sheet.mask(points), 0), np.uint8)
            soft = np.asarray(cv2.GaussianBlur(dots, (0, 0), 0.7), np.uint8)
            sheet.paint(soft, shaded(hair, 0.6), skin, 0.55)
    if kind in ("full", "moustache"):
        lip = [(0, 0.37), (0.15, 0.38), (0.30, 0.49), (0.2, 0.475), (0, 0.45), (-0.2, 0.475),
               (-0.30, 0.49), (-0.15, 0.38)]  # fmt: skip
        sheet.fill(face.on(curve(lip, closed=True)), shaded(hair, 0.8), skin)
