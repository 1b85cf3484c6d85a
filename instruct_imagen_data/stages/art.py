"""Text-to-image examples of paintings, whose captions name style and artist (Table 1: WikiArt).

The paper's captions are PaLI's. Here a caption is the folder's, else that of the model set's
captioner, else the picture's title; style and artist are added where it does not name them. Whole
artists are held out (FACTS 60).
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from instruct_imagen_data import images, keys, schema, tasks
from instruct_imagen_data.schema import Derived, Encoded, Slot
from instruct_imagen_data.stages.blocks import Reject, sift
from instruct_imagen_data.stages.captions import with_captions
from instruct_imagen_data.stages.derived import (
    Made,
    Networks,
    SourceBlock,
    Target,
    Terms,
    describe,
    made,
    similarity_check,
    target_of,
)
from instruct_imagen_data.stages.opened import Opened
from instruct_imagen_data.stages.pictures import describe_pair, open_pair, start_of

STAGE = "art"
DATASET = "wikiart"
ROLES = {DATASET: ("image_text",)}
_SLOTS = ("style", "artist")


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A painting as target.

    Attributes:
      opened: As it was read.
      image: What is known of it.
      target: As stored.
    """

    opened: Opened
    image: schema.Image
    target: Target


def caption_of(told: str, facts: Mapping[str, str]) -> str:
    """Such as "a boat on the sea, Impressionism painting by Claude Monet".

    Args:
      told: The folder's or the captioner's, or ''.
      facts: title, style and artist, as far as they are known.

    Raises:
      Reject: `no_caption`: nothing is known.
    """
    title, style, artist = (facts.get(name, "") for name in ("title", *_SLOTS))
    base = told or title
    known = base.casefold()
    kind = [style] if style and style.casefold() not in known else []
    author = [f"by {artist}"] if artist and artist.casefold() not in known else []
    added = " ".join([*kind, "painting", *author]) if kind or author else ""
    caption = ", ".join(filter(None, (base, added)))
    if not caption:
        raise Reject("no_caption")
    return caption


def look(opened: Opened, terms: Terms, limits: images.Limits, side: int) -> Look:
    """A painting, decoded.

    Raises:
      Reject: `licence` or one of images.REASONS.
    """
    (pair,) = opened.pairs
    terms.licence([pair.licence])
    image, picture = open_pair(pair, limits)
    return Look(opened, image, target_of(picture, side))


def captioned(found: Look) -> Look:
    """A painting whose caption names style and artist.

    Raises:
      Reject: `no_caption`.
    """
    caption = caption_of(found.image.caption, found.opened.facts)
    return dataclasses.replace(found, image=dataclasses.replace(found.image, caption=caption))


def example(measured: tuple[Look, float], terms: Terms) -> Derived:
    """The row of a painting, given with the cosine of target and caption.

    Raises:
      Reject: `check`.
    """
    found, cosine = measured
    image, target, facts = found.image, found.target, found.opened.facts
    key = keys.derived_key(DATASET, (image.key,))
    height, width = target.rgb.shape[:2]
    return Derived(
        key=key,
        task=tasks.DATASETS[DATASET].task,
        dataset=DATASET,
        caption=image.caption,
        image=Encoded(target.encoded, f"{key[:16]}.jpg"),
        width=width,
        height=height,
        references=(),
        slots=tuple(Slot(name, facts[name]) for name in _SLOTS if facts.get(name)),
        checks=terms.check([similarity_check("caption_similarity", cosine)]),
        licence=terms.licence([image.licence]),
        sources=(image.key,),
        split=found.opened.split,
    )


def art_block(
    block: SourceBlock, networks: Networks, *, terms: Terms, limits: images.Limits, side: int
) -> dict[str, Made]:
    """Opened paintings in; rows and rejects of the dataset out."""
    clip = networks.by_role["image_text"]
    there = [opened for opened in block.rows if opened.pairs]
    see = functools.partial(look, terms=terms, limits=limits, side=side)
    looks, unusable = sift(there, see, _refuse_opened)
    told = with_captions([one.image for one in looks], [one.target.rgb for one in looks], networks)
    looks = [dataclasses.replace(one, image=image) for one, image in zip(looks, told, strict=True)]
    looks, silent = sift(looks, captioned, _refuse_look)
    texts = clip.texts([start_of(one.image.caption) for one in looks])
    vectors = clip.images([clip.prepare(one.target.rgb) for one in looks])
    cosines = np.einsum("nd,nd->n", vectors, texts).tolist()
    measured = list(zip(looks, cosines, strict=True))
    rows, unlike = sift(measured, functools.partial(example, terms=terms), _refuse_measured)
    return {DATASET: made(rows, [*unusable, *silent, *unlike])}


def _refuse_opened(opened: Opened, reject: Reject) -> schema.RejectRow:
    return describe_pair(opened.pairs[0], reject, STAGE)


def _refuse_look(found: Look, reject: Reject) -> schema.RejectRow:
    return describe(found.image, reject, STAGE)


def _refuse_measured(measured: tuple[Look, float], reject: Reject) -> schema.RejectRow:
    return _refuse_look(measured[0], reject)
