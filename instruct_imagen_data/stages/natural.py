"""Text-to-image examples: the kept, captioned pictures of a corpus as they are (Table 1).

Their only condition is the caption, so the check is how well the image-text network finds that the
target, as it is stored, fits it.
"""

import dataclasses
import functools

import numpy as np

from instruct_imagen_data import images, keys, schema, tasks
from instruct_imagen_data.schema import Derived, Encoded
from instruct_imagen_data.stages.blocks import Reject, sift
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
from instruct_imagen_data.stages.kept import Kept
from instruct_imagen_data.stages.pictures import start_of

STAGE = "natural"
DATASET = "natural"
ROLES = {DATASET: ("image_text",)}


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A picture as target, and the cosine of the target and its caption."""

    kept: Kept
    target: Target
    cosine: float


def example(look: Look, terms: Terms) -> Derived:
    """The row of a picture.

    Raises:
      Reject: `licence`; `check`, by the cosine, where a negative one counts as 0.
    """
    image, target = look.kept.image, look.target
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
        slots=(),
        checks=terms.check([similarity_check("caption_similarity", look.cosine)]),
        licence=terms.licence([image.licence]),
        sources=(image.key,),
        split=look.kept.split,
    )


def natural_block(
    block: SourceBlock, networks: Networks, *, terms: Terms, side: int
) -> dict[str, Made]:
    """Kept pictures in; rows and rejects of the dataset out."""
    clip = networks.by_role["image_text"]
    usable, unlicensed = sift(block.rows, functools.partial(_licensed, terms=terms), _refuse)
    targets, prepared = [], []
    for kept in usable:  # one full picture at a time
        target = target_of(images.read(kept.image.image.bytes, images.STORED), side)
        prepared.append(clip.prepare(target.rgb))
        targets.append(target)
    texts = clip.texts([start_of(kept.image.caption) for kept in usable])
    cosines = np.einsum("nd,nd->n", clip.images(prepared), texts).tolist()
    looks = [Look(*one) for one in zip(usable, targets, cosines, strict=True)]
    rows, unlike = sift(looks, functools.partial(example, terms=terms), _refuse)
    return {DATASET: made(rows, [*unlicensed, *unlike])}


def _licensed(kept: Kept, terms: Terms) -> Kept:
    terms.licence([kept.image.licence])
    return kept


def _refuse(row: Kept | Look, reject: Reject) -> schema.RejectRow:
    kept = row.kept if isinstance(row, Look) else row
    return describe(kept.image, reject, STAGE)
