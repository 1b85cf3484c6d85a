"""What a person wears: shirt, glasses, hat."""

import numpy as np

from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.extras.portrait.face import Face
from instruct_imagen_data.planted.extras.portrait.sheet import Sheet, curve, oval, shaded
from instruct_imagen_data.planted.patterns import Colour
from instruct_imagen_data.planted.solids import f32


def shirt(face: Face, body: Sheet) -> None:
    """Neck, shoulders and collar, on a sheet that does not lean with the head."""
    skin, cloth = face.person.skin, face.look.shirt
    neck = 0.34 if face.person.male else 0.27
    throat = [(-neck, 0.55), (neck, 0.55), (neck * 1.15, 1.45), (-neck * 1.15, 1.45)]
    body.fill(throat, shaded(skin, 0.88))
    body.fill(oval((0, 0.80), neck * 1.15, 0.40), shaded(skin, 0.70), body.mask(throat))
    wide = 1.55 if face.person.male else 1.30
    half = [(neck * 1.25, 1.16), (0.75, 1.34), (wide, 1.62), (wide * 1.12, 2.6)]
    collar = [(neck * 0.9, 1.30), (0, 1.44), (-neck * 0.9, 1.30)]
    left = [(-x, y) for x, y in half]
    outline = np.concatenate([curve(half), curve(left[::-1]), curve(collar[::-1])])
    inside = body.mask(outline)
    body.paint(inside, cloth)
    shade = f32([(face.look.side * -0.25, 1.1), (face.look.side * -2, 1.1),
                 (face.look.side * -2, 2.7), (face.look.side * -0.7, 2.7)])  # fmt: skip
    body.fill(shade, shaded(cloth, 0.75), inside, 0.6)
    body.line(curve(half), shaded(cloth, 0.5), 0.03, taper=0.2)
    body.line(curve(left), shaded(cloth, 0.5), 0.03, taper=0.2)
    hem = [(-neck * 1.25, 1.16), *collar[::-1], (neck * 1.25, 1.16)]
    body.line(curve(hem), shaded(cloth, 1.5), 0.075, taper=0.1)
    body.line(curve(hem), shaded(cloth, 0.5), 0.02, taper=0.1)


def glasses(face: Face) -> None:
    """Round or square frames, with a glint."""
    if face.look.glasses == "none":
        return
    dark = sum(face.person.skin) < 1.5  # a frame must stand out from the skin
    frames: dict[str, Colour] = {
        "square": (0.93, 0.92, 0.90) if dark else (0.13, 0.12, 0.14),
        "round": (0.90, 0.72, 0.32) if dark else (0.45, 0.27, 0.12),
    }
    frame = frames[face.look.glasses]
    apart, sheet = between(face.person.shape[3], 0.31, 0.37), face.sheet
    power = 1.0 if face.look.glasses == "round" else 0.45
    t = np.linspace(0, 2 * np.pi, 49)
    for side in (-1, 1):
        x = side * apart + 0.225 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power
        y = 0.0 + 0.205 * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power
        rim = face.on(np.stack([x, y], 1))
        sheet.fill(rim, (0.93, 0.97, 1.0), opacity=0.16)
        glint = face.on([(side * apart - 0.10, 0.08), (side * apart + 0.04, -0.12)])
        sheet.line(glint, (1, 1, 1), 0.05, opacity=0.5)
        sheet.line(rim, frame, 0.036, taper=0.0)
        temple = face.on([(side * (apart + 0.22), -0.04), (side * face.wide * 0.99, -0.02)])
        sheet.line(temple, frame, 0.034, taper=0.0)
    bridge = curve([(-apart + 0.22, -0.03), (0, -0.075), (apart - 0.22, -0.03)])
    sheet.line(face.on(bridge), frame, 0.034, taper=0.0)


def hat(face: Face) -> None:
    """A knitted cap, a cap with a peak, or a straw hat with a ribbon."""
    kinds = {"beanie": _beanie, "cap": _cap, "straw": _straw}
    if face.look.hat != "none":
        kinds[face.look.hat](face)


def _beanie(face: Face) -> None:
    sheet, w = face.sheet, face.wide
    colour = face.look.backdrop[1]
    wool = shaded(colour, 0.85)
    top = face.dome(1.10, 1.24, low=-0.40)
    sheet.fill(oval((-face.look.turn * 0.1, -1.30), 0.17, 0.16), shaded(wool, 1.6))
    sheet.fill(top, wool)
    sheet.line(top, shaded(wool, 0.5), 0.026, taper=0.2)
    brim = [(1.14 * w, -0.62), (1.10 * w, -0.30), (0, -0.46), (-1.10 * w, -0.30),
            (-1.14 * w, -0.62), (0, -0.80)]  # fmt: skip
    band = curve([(x - face.look.turn * 0.08, y) for x, y in brim], closed=True)
    inside = sheet.mask(band)
    sheet.paint(inside, shaded(wool, 1.3))
    for x in np.linspace(-1, 1, 13):
        rib = [(x * w * 1.12, -0.9), (x * w * 1.08, -0.2)]
        sheet.line(rib, shaded(wool, 0.75), 0.022, inside, 0.8, taper=0.0)
    sheet.line(np.concatenate([band, band[:1]]), shaded(wool, 0.5), 0.026, taper=0.0)


def _cap(face: Face) -> None:
    sheet, w, colour = face.sheet, face.wide, face.look.backdrop[1]
    top = face.dome(1.08, 1.20, low=-0.42)
    sheet.fill(top, colour)
    seam = curve([(0, -1.19), (face.look.turn * 0.5, -0.85), (face.look.turn * 0.6, -0.5)])
    sheet.line(seam, shaded(colour, 0.6), 0.022)
    sheet.line(top, shaded(colour, 0.5), 0.026, taper=0.2)
    peak = [(-0.95 * w, -0.50), (-0.6 * w, -0.38), (0, -0.33), (0.6 * w, -0.38), (0.95 * w, -0.50),
            (0.6 * w, -0.62), (0, -0.68), (-0.6 * w, -0.62)]  # fmt: skip
    moved = curve([(x + face.look.turn * 0.45, y) for x, y in peak], closed=True)
    sheet.fill(moved + f32([0, 0.06]), shaded(face.person.skin, 0.6), face.skin_mask(), 0.5)
    sheet.fill(moved, shaded(colour, 0.72))
    sheet.line(np.concatenate([moved, moved[:1]]), shaded(colour, 0.42), 0.026, taper=0.0)


def _straw(face: Face) -> None:
    sheet, w = face.sheet, face.wide
    straw, ribbon = (0.92, 0.80, 0.52), face.look.shirt
    x = -face.look.turn * 0.08
    brim = oval((x, -0.56), 1.55 * w, 0.22)
    sheet.fill(brim + f32([0, 0.08]), shaded(face.person.skin, 0.6), face.skin_mask(), 0.5)
    sheet.fill(brim, straw)
    for size in (0.88, 0.74):
        ring = oval((x, -0.56), 1.55 * w * size, 0.22 * size)
        sheet.line(ring, shaded(straw, 0.8), 0.018, taper=0.0, opacity=0.8)
    sheet.line(np.concatenate([brim, brim[:1]]), shaded(straw, 0.5), 0.026, taper=0.0)
    top = face.dome(0.96, 1.26, low=-0.62)
    inside = sheet.mask(np.concatenate([top, f32([(x, -0.54)])]))
    sheet.paint(inside, shaded(straw, 1.15))
    band = curve([(w + x, -0.64), (x, -0.58), (-w + x, -0.64), (-w + x, -0.82), (x, -0.76),
                  (w + x, -0.82)], closed=True)  # fmt: skip
    sheet.fill(band, ribbon, inside)
    sheet.line(top, shaded(straw, 0.5), 0.026, taper=0.2)
