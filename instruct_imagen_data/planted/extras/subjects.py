"""Subjects: a folder of views for each of a few individuals, as DreamBooth has them.

`<subject>/00.jpg` ... and `metadata.jsonl`, a line a picture, which Hugging Face's imagefolder
reads: file_name, subject, class_noun, text.
"""

import json
from collections import Counter

from instruct_imagen_data.images import encode_jpeg
from instruct_imagen_data.planted.captions import colour_word
from instruct_imagen_data.planted.extras.files import Files, text
from instruct_imagen_data.planted.extras.individuals import (
    described,
    individuals,
    own_seed,
    with_article,
)
from instruct_imagen_data.planted.views import render
from instruct_imagen_data.planted.world import Entity

# A noun named twice has two individuals; the views of one are 4, 5 or 6.
_NOUNS = ("dog", "mug", "cat", "backpack", "rabbit", "teapot", "bird", "clock", "turtle", "car",
          "dog", "mug")  # fmt: skip
_VIEWS = tuple(4 + number % 3 for number in range(len(_NOUNS)))
_FORMS = ("{}", "a photo of {}", "{}, all of it in view")
_SIDE = 320

PICTURES = sum(_VIEWS)


def files(seed: int) -> Files:
    """The set, drawn from the seed."""
    rows = []
    for (name, entity), views in zip(_named(seed), _VIEWS, strict=True):
        for view in range(views):
            path = f"{name}/{view:02d}.jpg"
            yield path, encode_jpeg(render(entity, view, own_seed(seed), _SIDE).rgb)
            said = _FORMS[view % len(_FORMS)].format(with_article(described(entity, view)))
            row = {"file_name": path, "subject": name, "class_noun": entity.noun, "text": said}
            rows.append(json.dumps(row))
    yield "metadata.jsonl", text(rows)


def _named(seed: int) -> list[tuple[str, Entity]]:
    """Each subject's folder and who it is: red-mug; red-mug2 if there is one already."""
    drawn = individuals(seed, per_noun=max(Counter(_NOUNS).values()))
    met: Counter[str] = Counter()
    named: dict[str, Entity] = {}
    for noun in _NOUNS:
        entity = drawn[noun][met[noun]]
        met[noun] += 1
        name = f"{colour_word(entity.colours[0])}-{noun.replace(' ', '-')}"
        named[name if name not in named else f"{name}{met[noun]}"] = entity
    return list(named.items())
