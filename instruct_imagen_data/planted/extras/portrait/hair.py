"""Hair: what falls behind the head, what crowns it, and how it is cut."""

import numpy as np

from instruct_imagen_data.planted.extras.portrait.face import Face
from instruct_imagen_data.planted.extras.portrait.sheet import curve, oval, shaded
from instruct_imagen_data.planted.solids import Array, f32

Line = tuple[tuple[float, float], ...]

# A cut: how much wider and higher than the skull, and the hairline from the right temple to the
# left, x in half widths of the head.
_CUTS: dict[str, tuple[float, float, Line]] = {
    "short": (1.05, 1.11, ((1.0, 0.10), (0.93, -0.2), (0.80, -0.50), (0.40, -0.64), (0, -0.60),
                           (-0.4, -0.66), (-0.8, -0.5), (-0.93, -0.2), (-1.0, 0.10))),
    "side": (1.06, 1.17, ((1.0, 0.10), (0.92, -0.25), (0.62, -0.72), (0.2, -0.58), (-0.3, -0.47),
                          (-0.76, -0.42), (-0.93, -0.15), (-1.0, 0.10))),
    "spiky": (1.05, 1.12, ((1.0, 0.05), (0.92, -0.3), (0.62, -0.52), (0.45, -0.70), (0.2, -0.50),
                           (0, -0.68), (-0.25, -0.50), (-0.5, -0.7), (-0.7, -0.5), (-0.92, -0.3),
                           (-1.0, 0.05))),
    "curly": (1.08, 1.14, ((1.02, 0.12), (0.92, -0.2), (0.82, -0.48), (0.45, -0.60), (0, -0.66),
                           (-0.45, -0.60), (-0.82, -0.48), (-0.92, -0.2), (-1.02, 0.12))),
    "long": (1.10, 1.14, ((1.06, 0.75), (0.98, 0.1), (0.80, -0.38), (0.35, -0.74), (0.05, -0.86),
                          (-0.25, -0.76), (-0.80, -0.38), (-0.98, 0.1), (-1.06, 0.75))),
    "bob": (1.12, 1.15, ((1.08, 0.62), (0.98, 0.0), (0.84, -0.30), (0.4, -0.37), (0, -0.35),
                         (-0.4, -0.37), (-0.84, -0.30), (-0.98, 0.0), (-1.08, 0.62))),
    "bun": (1.03, 1.09, ((1.0, 0.05), (0.92, -0.30), (0.66, -0.60), (0.3, -0.74), (0, -0.76),
                         (-0.3, -0.74), (-0.66, -0.60), (-0.92, -0.30), (-1.0, 0.05))),
    "ponytail": (1.04, 1.10, ((1.0, 0.08), (0.93, -0.25), (0.70, -0.50), (0.3, -0.50),
                              (-0.1, -0.60), (-0.5, -0.74), (-0.85, -0.42), (-0.95, -0.2),
                              (-1.0, 0.05))),
    "waves": (1.12, 1.16, ((1.08, 0.55), (0.95, 0.05), (0.88, -0.35), (0.55, -0.74), (0.1, -0.62),
                           (-0.4, -0.52), (-0.82, -0.32), (-0.98, 0.1), (-1.08, 0.55))),
}  # fmt: skip
_UNDER_A_HAT = {"spiky": "short", "curly": "short"}


def _cut(face: Face) -> str:
    style = face.person.style
    return style if face.look.hat == "none" else _UNDER_A_HAT.get(style, style)


def behind(face: Face) -> None:
    """What hangs behind the head: long hair, a tail, a bun."""
    style, w, sway = _cut(face), face.wide, -0.10 * face.look.turn
    right: list[tuple[float, float]] = {
        "long": [(1.10, -0.4), (1.20, 0.2), (1.22, 0.9), (1.12, 1.55), (0.6, 1.65)],
        "bob": [(1.12, -0.4), (1.24, 0.1), (1.26, 0.55), (1.05, 0.82), (0.5, 0.8)],
        "waves": [(1.12, -0.4), (1.30, 0.0), (1.20, 0.4), (1.38, 0.8), (1.16, 1.2), (0.6, 1.3)],
    }.get(style, [])
    shapes: list[Array] = []
    if style != "bald":  # or the backdrop would show between a turned head and its hair
        across, up, _ = _CUTS[style]
        face.sheet.fill(face.dome(across * 0.98, up * 0.98), shaded(face.person.hair, 0.7))
    if right:
        both = [(x * w + sway, y) for x, y in right]
        both += [(-x * w + sway, y) for x, y in right[::-1]]
        shapes.append(curve([(sway, -1.05), *both], closed=True))
    elif style == "ponytail":
        tail = [(0.45, -1.0), (1.0, -1.12), (1.42, -0.5), (1.30, 0.35), (1.5, 0.85), (1.12, 0.6),
                (1.0, -0.1), (0.8, -0.6)]  # fmt: skip
        shapes.append(curve([(x * w + sway, y) for x, y in tail], closed=True))
    elif style == "bun" and face.look.hat == "none":
        shapes.append(oval((0.1 + 2 * sway, -1.22), 0.36, 0.31))
    for shape in shapes:
        inside = face.sheet.mask(shape)
        face.sheet.paint(inside, shaded(face.person.hair, 0.78))
        _edge(face, np.concatenate([shape, shape[:1]]))
        for x in (-0.95, -0.5, 0.5, 0.95) if right else ():
            strand = curve([(x * w, 0.0), (x * 1.15 * w + sway, 0.7), (x * 1.05 * w + sway, 1.5)])
            face.sheet.line(strand, shaded(face.person.hair, 0.55), 0.025, inside, 0.7)


def crown(face: Face) -> None:
    """What grows on the head, down to the hairline."""
    style, sheet, hair = _cut(face), face.sheet, face.person.hair
    if style == "bald":
        shine = curve([(-0.34, -0.78), (-0.18, -0.88), (0.02, -0.91)])
        shine = shine * np.array([-face.look.side, 1], np.float32)
        sheet.line(shine, (1, 1, 1), 0.06, opacity=0.4)
        return
    across, up, line = _CUTS[style]
    hairline = face.on(curve([(x * face.wide, y) for x, y in line]))
    outer = face.dome(across, up, low=line[0][1])
    if style == "spiky":
        outer = _spikes(outer)
    shape = np.concatenate([outer, hairline[::-1]])
    inside = sheet.mask(shape)
    if style == "curly":
        for x, y in face.dome(across * 0.98, up, low=0.0)[::3]:
            inside = np.maximum(inside, sheet.mask(oval((x, y), 0.17, 0.17)))
    under = f32(hairline) + f32([0, 0.045])
    sheet.line(under, shaded(face.person.skin, 0.6), 0.08, face.skin_mask(), 0.5, taper=0.3)
    sheet.paint(inside, hair)
    _strands(face, outer, hairline, style, inside)
    if style == "curly":
        _curls(face, across, up, inside)
    else:
        _edge(face, outer)
    _edge(face, hairline)


def _edge(face: Face, line: Array) -> None:
    face.sheet.line(line, shaded(face.person.hair, 0.45), 0.026, taper=0.3)


def _spikes(outer: Array) -> Array:
    """The outline pulled out to points."""
    count = len(outer)
    tooth = np.abs((np.arange(count) * 0.25) % 1 - 0.5) * 2  # ten of them
    fade = np.clip(np.sin(np.linspace(0, np.pi, count)) * 1.6, 0, 1)
    return f32(outer * (1 + 0.20 * (tooth * fade))[:, None])


def _strands(face: Face, outer: Array, hairline: Array, style: str, inside: np.ndarray) -> None:
    """Dark strands from the outline to the hairline, and a band of light across them."""
    hair, sheet = face.person.hair, face.sheet
    if style != "curly":
        for share in (0.14, 0.28, 0.42, 0.58, 0.72, 0.86):
            a = outer[int(share * (len(outer) - 1))]
            b = hairline[int(share * (len(hairline) - 1))]
            bow = (a + b) / 2 + f32([0.05 * np.sign(share - 0.5), -0.03])
            sheet.line(curve([a, bow, b]), shaded(hair, 0.68), 0.022, inside, 0.8)
    lit = slice(8, 20) if face.look.side > 0 else slice(20, 32)
    shine = face.dome(0.93, 0.94, 0.0)[lit]
    sheet.line(shine, shaded(hair, 1.55), 0.08, inside, 0.55)
    sheet.line(shine * f32([0.95, 0.95]), shaded(hair, 1.9), 0.03, inside, 0.5)


def _curls(face: Face, across: float, up: float, inside: np.ndarray) -> None:
    """Rings of hair in rows."""
    for row, grow in enumerate((1.02, 0.88, 0.75)):
        for x, y in face.dome(across * grow, up * grow, low=-0.1)[2 + row :: 4]:
            ring = oval((x, y), 0.10, 0.10)[6:40]
            face.sheet.line(ring, shaded(face.person.hair, 0.6), 0.024, inside, 0.9)
            face.sheet.line(ring[4:16] * f32([0.995, 0.985]), shaded(face.person.hair, 1.5), 0.018,
                            inside, 0.6)  # fmt: skip
