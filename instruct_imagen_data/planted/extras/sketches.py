"""Photos with five drawings each, in the layout of the Photo-Sketching release.

`image/<id>.jpg` with its caption in `image/<id>.txt`; `sketch-rendered/width-5/<id>_01.png` to
`_05.png`, dark lines on white, of the photo's size; `list/{train,val,test}.txt`, an id a line.
"""

from instruct_imagen_data.images import encode_jpeg, encode_png
from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.extras.drawing import Hand, draw
from instruct_imagen_data.planted.extras.files import Files, text
from instruct_imagen_data.planted.extras.individuals import (
    described,
    individuals,
    own_seed,
    with_article,
)
from instruct_imagen_data.planted.scene import View, staged
from instruct_imagen_data.planted.trace import Layer

NOUNS = ("dog", "car", "house", "bird", "sailboat", "cat", "castle", "bicycle", "elephant",
         "windmill", "rabbit", "airplane", "lighthouse", "bus", "turtle")  # fmt: skip
HANDS = (
    Hand(0.0, 0.0022, 0.1, 0.010),
    Hand(0.3, 0.0030, 0.5, 0.008),
    Hand(0.6, 0.0022, 0.3, 0.006),
    Hand(0.8, 0.0036, 0.7, 0.007),
    Hand(1.0, 0.0018, 0.2, 0.004),
)
_LISTS = {"train": slice(0, 11), "val": slice(11, 13), "test": slice(13, 15)}
_SIDE = 384

PICTURES = len(NOUNS)


def files(seed: int) -> Files:
    """The set, drawn from the seed."""
    drawn = individuals(seed, per_noun=1)
    names = []
    for number, noun in enumerate(NOUNS):
        name, entity = f"{number:05d}", drawn[noun][0]
        names.append(name)
        view, layer = photo(seed, number)
        yield f"image/{name}.jpg", encode_jpeg(view.rgb)
        yield f"image/{name}.txt", text([with_article(described(entity, number))])
        for index, hand in enumerate(HANDS):
            drawing = draw(layer, hand, generator("drawing", seed, name, index))
            yield f"sketch-rendered/width-5/{name}_{index + 1:02d}.png", encode_png(drawing)
    for split, part in _LISTS.items():
        yield f"list/{split}.txt", text(names[part])


def photo(seed: int, number: int) -> tuple[View, Layer]:
    """The number-th photo with its true maps, and its object alone."""
    entity = individuals(seed, per_noun=1)[NOUNS[number]][0]
    return staged(entity, number, own_seed(seed) + 100, _SIDE)
