"""Paintings by invented painters in invented styles, as WikiArt and ArtGAN's lists have them.

`<Style_Folder>/<artist>_<title>.jpg`; style_class.txt ("0 Style_Folder"); style_train.csv and
style_val.csv ("Style_Folder/artist_title.jpg,0"), which share no painter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.images import encode_jpeg
from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.extras.files import Files, text
from instruct_imagen_data.planted.extras.individuals import individuals, own_seed, placed
from instruct_imagen_data.planted.extras.styles import STYLES, Motif
from instruct_imagen_data.planted.solids import f32
from instruct_imagen_data.planted.views import render
from instruct_imagen_data.planted.world import NOUNS, Entity, made_up

_WORKS = (3, 3, 3, 2)  # of each painter of a style; the last one is in the validation list
_OBJECTS = ("cat", "dog", "bird", "fish", "rabbit", "elephant", "butterfly", "teapot", "vase",
            "apple", "cake", "sailboat", "hot air balloon", "train", "house", "church", "castle",
            "lighthouse", "windmill")  # fmt: skip
_SIDE = 320

PICTURES = len(STYLES) * sum(_WORKS)


@dataclass(frozen=True)
class Work:
    """A painting to be made: who paints whom, and its number among the painter's works."""

    style: str
    painter: int
    artist: str
    entity: Entity
    number: int
    year: int

    @property
    def path(self) -> str:
        title = f"{placed(self.entity, self.number)} {self.year}".replace(" ", "-")
        return f"{self.style}/{self.artist}_{title}.jpg"


def files(seed: int) -> Files:
    """The set, drawn from the seed."""
    lists: dict[str, list[str]] = {"train": [], "val": []}
    classes = {style: number for number, style in enumerate(sorted(STYLES))}
    for work in _works(seed):
        yield work.path, encode_jpeg(_painted(work, seed))
        split = "val" if work.painter == len(_WORKS) - 1 else "train"
        lists[split].append(f"{work.path},{classes[work.style]}")
    yield "style_class.txt", text(f"{number} {style}" for style, number in classes.items())
    yield "style_train.csv", text(lists["train"])
    yield "style_val.csv", text(lists["val"])


def _works(seed: int) -> Iterator[Work]:
    """All works, style by style; no style keeps to motifs of its own."""
    drawn = individuals(seed, per_noun=1)
    taken: set[str] = set()
    for style in sorted(STYLES):
        rng = generator("style", seed, style)
        motifs = _motifs(rng, sum(_WORKS))
        for painter, count in enumerate(_WORKS):
            artist = f"{made_up(rng, taken)}-{made_up(rng, taken)}".lower()
            taken.update(word.capitalize() for word in artist.split("-"))
            born = int(rng.integers(1850, 1900))
            for number in range(count):
                year = born + 22 + int(rng.integers(40))
                yield Work(style, painter, artist, drawn[motifs.pop()][0], number, year)


def _motifs(rng: np.random.Generator, count: int) -> list[str]:
    """So many different nouns, every other one scenery."""
    scenery, objects = (rng.permutation(nouns).tolist() for nouns in (NOUNS["scenery"], _OBJECTS))
    both = [noun for pair in zip(scenery, objects, strict=False) for noun in pair]
    return both[:count]


def _painted(work: Work, seed: int) -> NDArray[np.uint8]:
    """The painting, uint8 [h, w, 3]."""
    rng = generator("work", seed, work.artist, work.number)
    # The style in the view's seed: two painters of one motif do not stand in one place.
    place = own_seed(seed) + 10 * (1 + sorted(STYLES).index(work.style))
    view = render(work.entity, work.number, place, _SIDE)
    motif = Motif.of(rng, view, solid=work.entity.domain != "scenery")
    paint, palettes = STYLES[work.style]
    words = palettes[work.painter].split()
    palette = f32([[int(word[i : i + 2], 16) / 255 for i in (0, 2, 4)] for word in words])
    coarseness = (work.painter + 0.5) / len(_WORKS)
    return np.asarray(np.clip(paint(motif, palette, coarseness), 0, 1) * 255 + 0.5, np.uint8)
