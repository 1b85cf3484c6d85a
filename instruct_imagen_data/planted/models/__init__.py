"""The models of all nouns that are objects: how each is built, turned, and where it is met."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from instruct_imagen_data.planted.models import animals, buildings, food, products, vehicles
from instruct_imagen_data.planted.parts import Model
from instruct_imagen_data.planted.world import Entity

Builder = Callable[[Entity, np.random.Generator], Model]
Span = tuple[float, float]

BUILDERS: dict[str, Builder] = {
    **animals.BUILDERS,
    **products.BUILDERS,
    **food.BUILDERS,
    **vehicles.BUILDERS,
    **buildings.BUILDERS,
}


@dataclass(frozen=True)
class Stage:
    """How a noun is shown: its settings and moods, and the spans of its angles (degrees) and size.

    Attributes:
        settings: Names of `settings.SETTINGS`; a picture takes one.
        yaw: Turn about the upright axis.
        pitch: How far the viewer looks down.
        size: The longer side of the object as a share of the picture's.
        roll: Lean, for what flies or swims.
    """

    settings: tuple[str, ...]
    yaw: Span = (-70, 20)
    pitch: Span = (4, 26)
    size: Span = (0.45, 0.86)
    roll: Span = (0, 0)


_FIELDS = ("meadow", "woodland", "snowfield", "beach", "savanna")
_HOME = ("studio", "studio", "room", "room")
_LAND = ("meadow", "snowfield", "plaza", "savanna", "beach")
STAGES: dict[str, Stage] = {
    **dict.fromkeys(("cat", "dog", "rabbit"), Stage(_FIELDS)),
    "bird": Stage(("meadow", "woodland", "snowfield", "beach"), (-60, 15)),
    "turtle": Stage(("beach", "woodland", "meadow", "savanna"), (-70, 15), (8, 34)),
    "elephant": Stage(("savanna", "savanna", "meadow", "woodland"), (-65, 15), (2, 18)),
    "fish": Stage(("underwater",), (-42, 42), (-10, 20), (0.38, 0.82), (-16, 16)),
    "butterfly": Stage(("meadow", "woodland", "air"), (-38, 38), (-25, 40), (0.4, 0.8), (-40, 40)),
    "chair": Stage(("studio", "room"), (-65, 65), (6, 28)),
    "clock": Stage(_HOME, (-48, 48), (2, 22)),
    "backpack": Stage(_HOME, (-60, 60), (2, 24)),
    **dict.fromkeys(("teapot", "mug"), Stage(_HOME, (-55, 55), (6, 34))),
    **dict.fromkeys(("vase", "lamp", "bottle"), Stage(_HOME, (-180, 180), (3, 28))),
    **dict.fromkeys(("pizza", "doughnut"), Stage(("table",), (-180, 180), (34, 76), (0.5, 0.9))),
    "sushi": Stage(("table",), (-50, 50), (28, 64), (0.5, 0.9)),
    **dict.fromkeys(
        ("cake", "apple"), Stage(("table", "room"), (-180, 180), (14, 44), (0.42, 0.84))
    ),
    **dict.fromkeys(("burger", "ice cream"), Stage(("table", "room"), (-180, 180), (8, 34))),
    **dict.fromkeys(("car", "bus"), Stage(("road", "road", "plaza"), (-62, 30), (5, 26))),
    "bicycle": Stage(("road", "plaza", "meadow"), (-40, 40), (3, 20)),
    "train": Stage(("railway",), (-45, 20), (4, 20)),
    "sailboat": Stage(("sea",), (-45, 45), (2, 12), (0.42, 0.84)),
    "airplane": Stage(("air",), (-65, 50), (-32, 34), (0.5, 0.9), (-14, 24)),
    "hot air balloon": Stage(("air", "air", "meadow"), (-180, 180), (-14, 10), (0.4, 0.86)),
    **dict.fromkeys(
        ("house", "church", "castle", "windmill"), Stage(_LAND, (-58, 58), (3, 24), (0.5, 0.9))
    ),
    "lighthouse": Stage(("sea", "beach", "sea"), (-60, 60), (2, 14), (0.5, 0.9)),
    "skyscraper": Stage(("plaza",), (-58, 58), (2, 14), (0.6, 0.95)),
}  # fmt: skip
