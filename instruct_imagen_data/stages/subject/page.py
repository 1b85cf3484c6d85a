"""Rows of a corpus' pages: pictures of one page that look alike enough to show one thing."""

import functools
import itertools
from collections.abc import Mapping

from instruct_imagen_data import images
from instruct_imagen_data.schema import Derived, RejectRow
from instruct_imagen_data.stages.blocks import Reject, sift
from instruct_imagen_data.stages.carried import Carried
from instruct_imagen_data.stages.derived import (
    Made,
    Networks,
    SourceBlock,
    Terms,
    describe,
    made,
    target_of,
)
from instruct_imagen_data.stages.subject.group import Recipe, Seen, members_of, rows_of
from instruct_imagen_data.stages.subject.nouns import noun_of


def see(row: Carried, terms: Terms, side: int) -> Seen:
    """A picture of a corpus, decoded.

    Raises:
      Reject: `licence`.
    """
    terms.licence([row.image.licence])
    picture = images.read(row.image.image.bytes, images.STORED)
    return row.image, target_of(picture, side)


def page_block(block: SourceBlock, networks: Networks, *, recipe: Recipe) -> Mapping[str, Made]:
    """Carried pictures, sorted by page, in; rows and rejects of a dataset out."""
    clip = networks.by_role["image_text"]
    look = functools.partial(see, terms=recipe.terms, side=recipe.side)
    refuse = functools.partial(_refuse, stage=recipe.stage)
    rows: list[Derived] = []
    rejects: list[RejectRow] = []
    for page, carried in itertools.groupby(block.rows, lambda row: row.group):
        several: list[Carried] = list(carried)
        seen, refused = sift(several, look, refuse)
        members = members_of(seen, clip)
        captions = [one.image.caption for one in members]
        noun = noun_of(captions, [one.vector for one in members], clip)
        found, left = rows_of(members, page, noun, several[0].split, networks, recipe)
        rows += found
        rejects += [*refused, *left]
    return {recipe.dataset: made(rows, rejects)}


def _refuse(row: Carried, reject: Reject, stage: str) -> RejectRow:
    return describe(row.image, reject, stage)
