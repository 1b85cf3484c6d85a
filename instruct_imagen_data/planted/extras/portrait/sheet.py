"""A sheet to draw on with filled shapes and tapering lines, in units of the face."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted.patterns import Colour
from instruct_imagen_data.planted.solids import Array, f32

Points = Sequence[tuple[float, float]] | Array  # (x, y) in face units, y down
Mask = NDArray[np.uint8]  # [h, w], 255 inside
_FINE = 16  # parts of a pixel that cv2 is told: 4 bits


def curve(points: Points, closed: bool = False, steps: int = 10) -> Array:
    """A smooth line [n, 2] through the points (Catmull and Rom's)."""
    knots = f32(points)
    ends = (knots[-1:], knots[:2]) if closed else (knots[:1], knots[-1:])
    p = np.concatenate([ends[0], knots, ends[1]])
    count = len(p) - 3
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, c, d = (p[i : i + count, None] for i in range(4))
    line = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                  + (3 * b - a - 3 * c + d) * t**3)  # fmt: skip
    whole = line.reshape(-1, 2)
    return f32(whole if closed else np.concatenate([whole, knots[-1:]]))


def oval(centre: tuple[float, float], across: float, down: float, turn: float = 0.0) -> Array:
    """An ellipse [48, 2] with those half axes, turned by radians."""
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = across * np.cos(t), down * np.sin(t)
    c, s = np.cos(turn), np.sin(turn)
    return f32(np.stack([centre[0] + c * x - s * y, centre[1] + s * x + c * y], 1))


def shaded(colour: Colour, factor: float) -> Colour:
    """The colour darker (factor under 1, a little warmer) or lighter (over 1)."""
    if factor <= 1:
        red, green, blue = colour
        return red * factor**0.85, green * factor, blue * factor**1.05
    red, green, blue = (1 - (1 - one) / factor for one in colour)
    return red, green, blue


@dataclass(eq=False)
class Sheet:
    """What is drawn on.

    Attributes:
        rgb: The picture so far, sRGB [h, w, 3] in [0, 1]; shapes are painted onto it.
        centre: Pixel (x, y) of the face's middle.
        scale: Pixels of a face unit, about half a face's height.
        tilt: How far the head leans, in radians.
    """

    rgb: Array
    centre: tuple[float, float]
    scale: float
    tilt: float

    def _pixels(self, points: Points) -> NDArray[np.int32]:
        at = f32(points) * np.float32(self.scale)
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        x = self.centre[0] + c * at[:, 0] - s * at[:, 1]
        y = self.centre[1] + s * at[:, 0] + c * at[:, 1]
        return np.asarray(np.round(np.stack([x, y], 1) * _FINE), np.int32)

    def mask(self, points: Points) -> Mask:
        """What lies within a closed line."""
        inside = np.zeros(self.rgb.shape[:2], np.uint8)
        cv2.fillPoly(inside, [self._pixels(points)], 255, cv2.LINE_AA, shift=4)
        return inside

    def fill(
        self, points: Points, colour: Colour, within: Mask | None = None, opacity: float = 1.0
    ) -> None:
        """Paints what lies within a closed line (and within the mask)."""
        self.paint(self.mask(points), colour, within, opacity)

    def line(
        self, points: Points, colour: Colour, wide: float, within: Mask | None = None,
        opacity: float = 1.0, taper: float = 0.75,
    ) -> None:  # fmt: skip
        """Paints a line, `wide` face units at its middle; taper in [0, 1]: how far it thins out."""
        path = f32(points)
        along = np.gradient(path, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
        swell = 1 - taper * np.abs(np.linspace(-1, 1, len(path))) ** 2.5
        aside = np.stack([-along[:, 1], along[:, 0]], 1) * (wide / 2 * swell)[:, None]
        self.fill(np.concatenate([path + aside, (path - aside)[::-1]]), colour, within, opacity)

    def paint(
        self, inside: Mask, colour: Colour, within: Mask | None = None, opacity: float = 1.0
    ) -> None:
        """Paints where the mask is."""
        x, y, w, h = cv2.boundingRect(inside)
        if w and h:
            window = (slice(y, y + h), slice(x, x + w))
            share = f32(inside[window]) * np.float32(opacity / 255)
            if within is not None:
                share *= f32(within[window]) / 255
            part = self.rgb[window]
            part += (f32(colour) - part) * share[..., None]
