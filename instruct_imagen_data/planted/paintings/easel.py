"""What a painting is made from, and what comes of it."""

from dataclasses import dataclass

import numpy as np

from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.solids import Array
from instruct_imagen_data.planted.world import Entity


@dataclass(frozen=True, eq=False)
class Painting:
    """sRGB picture [h, w, 3] in [0, 1], its depth and motif [h, w] in [0, 1]."""

    rgb: Array
    depth: Array
    motif: Array


@dataclass(frozen=True, eq=False)
class Easel:
    """What a painting is made from: its series, its own draws, its number and its size."""

    entity: Entity
    rng: np.random.Generator
    view_index: int
    seed: int
    h: int
    w: int

    def colours(self) -> list[Array]:
        """The palette as sRGB [3] each."""
        return [np.array(colour, np.float32) for colour in self.entity.colours]

    def other(self, noun: str, salt: int) -> Entity:
        """An entity to be painted in this series' colours."""
        draws = generator("motif", self.entity.name, self.view_index, noun, salt)
        order = draws.permutation(3)
        a, b, c = (self.entity.colours[i] for i in order)
        pattern = ("plain", "plain", "bands", "dots", "stripes")[int(draws.integers(5))]
        return Entity(
            self.entity.name, noun, "", (a, b, c), pattern, tuple(draws.random(8).tolist())
        )
