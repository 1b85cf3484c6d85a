"""A drawn portrait: backdrop, shirt, head, features, hair, what is worn, light."""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.extras.persons import Look, Person
from instruct_imagen_data.planted.extras.portrait import features, hair, wear
from instruct_imagen_data.planted.extras.portrait.face import Face
from instruct_imagen_data.planted.extras.portrait.sheet import Mask, Sheet, oval, shaded
from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import grid, mix, step

_FINE = 2  # drawn so many times larger, then shrunk


@dataclasses.dataclass(frozen=True)
class Format:
    """A picture's size in pixels, and where the face is in it: its middle and its scale."""

    height: int
    width: int
    middle: tuple[float, float]
    scale: float


def portrait(person: Person, look: Look, size: Format) -> NDArray[np.uint8]:
    """The person as seen once, uint8 [height, width, 3]."""
    h, w = size.height * _FINE, size.width * _FINE
    middle = (size.middle[0] * _FINE, size.middle[1] * _FINE)
    sheet = Sheet(_backdrop(look, h, w), middle, size.scale * _FINE, look.tilt)
    face = Face(sheet, person, look)
    hair.behind(face)
    wear.shirt(face, dataclasses.replace(sheet, tilt=0.0))
    _head(face)
    skin = face.skin_mask()
    features.cheeks(face, skin)
    features.beard(face, skin)
    features.mouth(face)
    features.nose(face, skin)
    features.eyes(face)
    features.brows(face)
    hair.crown(face)
    wear.glasses(face)
    wear.hat(face)
    fine = _lit(sheet.rgb, look)
    small = cv2.resize(fine, (size.width, size.height), interpolation=cv2.INTER_AREA)
    rng = generator("paper", *person.shape, look.turn)  # its grain hides the steps of 8 bits
    grained = small + 0.008 * rng.standard_normal((size.height, size.width, 1), np.float32)
    return np.asarray(np.clip(grained, 0, 1) * 255 + 0.5, np.uint8)


def _head(face: Face) -> None:
    """Ears and head, with the shadow on the side away from the light."""
    sheet, tone = face.sheet, face.person.skin
    for side in (-1, 1):
        hidden = max(side * face.look.turn, 0) * 0.28
        x = side * (face.wide - 0.01 - hidden)
        sheet.fill(oval((x, 0.09), 0.115, 0.175, -0.18 * side), face.ink)
        sheet.fill(oval((x, 0.09), 0.095, 0.155, -0.18 * side), shaded(tone, 0.93))
        sheet.fill(oval((x + 0.02 * side, 0.09), 0.05, 0.09), shaded(tone, 0.72), opacity=0.7)
    outline = face.outline()
    skin = sheet.mask(outline)
    sheet.paint(skin, tone)
    _shade(face, skin)
    sheet.line(np.concatenate([outline, outline[:1]]), face.ink, 0.028, taper=0.0)


def _shade(face: Face, skin: Mask) -> None:
    away = -face.look.side
    for reach, opacity in ((0.62, 0.25), (0.80, 0.30)):
        lit = face.sheet.mask(oval((-away * (1 - reach) * 0.9, -0.05), face.wide * 1.08, 1.12))
        dark = np.asarray(np.where(lit > 0, 255 - lit, 255), np.uint8)
        moved = np.minimum(dark, skin)
        face.sheet.paint(moved, shaded(face.person.skin, 0.74), opacity=opacity + 0.25)


def _backdrop(look: Look, h: int, w: int) -> Array:
    """A soft field of two colours: a glow, discs, stripes or hills."""
    x, y = grid(h, w)
    first, second, kind = look.backdrop
    pale, deep = (f32(shaded(colour, factor)) for colour, factor in ((first, 2.2), (second, 1.7)))
    glow = step(np.hypot(x - w / h * (0.5 + 0.25 * look.side), y - 0.35), 0.1, 0.9)
    field = mix(pale, deep * 0.6 + pale * 0.4, glow)
    if kind == 1:
        spots = sum(
            step(-np.hypot(x - u * w / h, y - v), -size, -size + 0.008)
            for u, v, size in (
                (0.12, 0.2, 0.13),
                (0.85, 0.12, 0.09),
                (0.9, 0.5, 0.16),
                (0.1, 0.62, 0.1),
            )
        )
        field = mix(field, deep, f32(spots) * 0.55)
    elif kind == 2:
        field = mix(field, deep, step(np.sin((x + 0.6 * y) * 30), -0.05, 0.05) * 0.35)
    elif kind == 3:
        for base, high, share in ((0.55, 0.06, 0.4), (0.68, 0.04, 0.7)):
            line = base + high * np.sin(x * 7 + 9 * base + look.side)
            field = mix(field, deep * (1.05 - 0.3 * share), step(y - line, 0, 0.006) * share)
    return np.ascontiguousarray(field)


def _lit(picture: Array, look: Look) -> Array:
    """The drawing under a warm or a cool light from one side."""
    h, w = picture.shape[:2]
    x, _ = grid(h, w)
    across = (x * h / w - 0.5) * look.side
    warm = f32([1 + 0.02 * look.warmth, 1.0, 1 - 0.045 * look.warmth])
    return f32(picture * (1.0 + 0.10 * across)[..., None] * warm)
