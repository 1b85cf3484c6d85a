"""Subjects: a folder of views for each of a few individuals, as DreamBooth has them.

`<subject>/00.jpg` ... and `metadata.jsonl`, a line a picture, which Hugging Face's imagefolder
reads: file_name, subject, class_noun, text. As there, pictures are taken from near, and a text says
what stands where: how the subject looks is for its pictures to tell.
"""

import json
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.images import encode_jpeg
from instruct_imagen_data.planted.captions import colour_word
from instruct_imagen_data.planted.extras.files import Files, text
from instruct_imagen_data.planted.extras.individuals import (
    individuals,
    own_seed,
    placed,
    with_article,
)
from instruct_imagen_data.planted.scene import View
from instruct_imagen_data.planted.views import render
from instruct_imagen_data.planted.world import Entity

# A noun named twice has two individuals; the list goes round for more. The views of one are 4, 5
# or 6.
_NOUNS = ("dog", "mug", "cat", "backpack", "rabbit", "teapot", "bird", "clock", "turtle", "car",
          "dog", "mug", "vase", "fish", "lamp", "butterfly", "bottle", "bus", "chair", "cake",
          "bird", "doughnut", "teapot", "backpack")  # fmt: skip
_FORMS = ("{}", "a photo of {}", "{}, all of it in view")
_SIDE = 256
_AROUND = 1.2  # side of a picture, of the longer side of its subject

COUNT = 12


def pictures(count: int) -> int:
    """Of so many subjects."""
    return sum(_views(number) for number in range(count))


def _views(number: int) -> int:
    return 4 + number % 3


PICTURES = pictures(COUNT)


def files(seed: int, count: int = COUNT) -> Files:
    """The set of so many subjects, drawn from the seed."""
    rows = []
    for number, (name, entity) in enumerate(_named(seed, count)):
        for view in range(_views(number)):
            path = f"{name}/{view:02d}.jpg"
            yield path, encode_jpeg(near(render(entity, view, own_seed(seed), _SIDE)))
            said = _FORMS[view % len(_FORMS)].format(with_article(placed(entity, view)))
            row = {"file_name": path, "subject": name, "class_noun": entity.noun, "text": said}
            rows.append(json.dumps(row))
    yield "metadata.jsonl", text(rows)


def near(view: View) -> NDArray[np.uint8]:
    """The square of a picture around its object, uint8 [s, s, 3], as far as the picture goes."""
    rows, columns = (np.flatnonzero(view.mask.max(axis) > 127) for axis in (1, 0))
    extents = [(int(one[0]), int(one[-1]) + 1) for one in (rows, columns)]
    longest = max(last - first for first, last in extents)
    side = min(round(longest * _AROUND), *view.mask.shape)
    top, left = (
        min(max((first + last - side) // 2, 0), length - side)
        for (first, last), length in zip(extents, view.mask.shape, strict=True)
    )
    return view.rgb[top : top + side, left : left + side]


def _named(seed: int, count: int) -> list[tuple[str, Entity]]:
    """Each subject's folder and who it is: red-mug; red-mug2 if there is one already."""
    nouns = [_NOUNS[number % len(_NOUNS)] for number in range(count)]
    drawn = individuals(seed, per_noun=max(Counter(nouns).values()))
    met: Counter[str] = Counter()
    named: dict[str, Entity] = {}
    for noun in nouns:
        entity = drawn[noun][met[noun]]
        met[noun] += 1
        name = f"{colour_word(entity.colours[0])}-{noun.replace(' ', '-')}"
        named[name if name not in named else f"{name}{met[noun]}"] = entity
    return list(named.items())
