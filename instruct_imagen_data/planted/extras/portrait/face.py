"""A face's proportions, and how its points move as the head turns."""

from dataclasses import dataclass

import numpy as np

from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.extras.persons import Look, Person
from instruct_imagen_data.planted.extras.portrait.sheet import Mask, Points, Sheet, shaded
from instruct_imagen_data.planted.patterns import Colour
from instruct_imagen_data.planted.solids import Array, f32

_FLAT = 0.86  # the face is a cylinder this much wider than the head, so that its rim still moves


@dataclass(eq=False)
class Face:
    """Who is drawn, how, and on what; the eyes lie just above (0, 0), the crown at y = -1."""

    sheet: Sheet
    person: Person
    look: Look

    @property
    def wide(self) -> float:
        """Half the head's width."""
        return between(self.person.shape[0], 0.70, 0.82) + (0.03 if self.person.male else 0)

    @property
    def chin(self) -> float:
        """Where the chin ends."""
        return between(self.person.shape[1], 0.90, 1.04) + (0.05 if self.person.male else 0)

    @property
    def ink(self) -> Colour:
        """The colour of lines on the skin."""
        return shaded(self.person.skin, 0.42)

    def on(self, points: Points) -> Array:
        """Points of the face seen straight on, where they are as the head turns."""
        at = f32(points).copy()
        reach = self.wide / _FLAT
        angle = np.arcsin(np.clip(at[:, 0] / reach, -1, 1)) + self.look.turn * 0.8
        at[:, 0] = reach * np.sin(np.clip(angle, -np.pi / 2, np.pi / 2))
        return at

    def outline(self) -> Array:
        """The head's outline [n, 2]: half an ellipse above, a rounder or squarer jaw below."""
        t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        shape = self.person.shape[2]
        power = between(shape, 2.1, 2.8) if self.person.male else between(shape, 1.85, 2.25)
        c, s = np.cos(t), np.sin(t)
        lower = s < 0
        x = np.where(lower, np.sign(c) * np.abs(c) ** (2 / power), c) * self.wide
        y = np.where(lower, np.abs(s) ** (2 / power) * self.chin, -s)
        jaw = np.clip(y / self.chin, 0, 1)
        return f32(np.stack([x * (1 - 0.10 * jaw**2) + self.look.turn * 0.24 * jaw, y], 1))

    def dome(self, across: float, up: float, low: float = 0.0) -> Array:
        """The skull's upper outline from right to left, so many times wider and higher; it ends
        at y = low."""
        drop = np.arcsin(np.clip(low / up, -1, 1))
        t = np.linspace(-drop, np.pi + drop, 40)
        x = self.wide * across * np.cos(t) - self.look.turn * 0.08
        return f32(np.stack([x, -up * np.sin(t)], 1))

    def skin_mask(self) -> Mask:
        """The head, for what may not be painted beside it."""
        return self.sheet.mask(self.outline())
