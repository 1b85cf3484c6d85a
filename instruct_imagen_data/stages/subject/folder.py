"""Rows of a source folder's groups, which the folder says to be of one subject each."""

import functools
from collections.abc import Mapping

from instruct_imagen_data import images
from instruct_imagen_data.schema import Derived, RawPair, RejectRow
from instruct_imagen_data.stages.blocks import sift
from instruct_imagen_data.stages.derived import (
    Made,
    Networks,
    SourceBlock,
    Terms,
    made,
    target_of,
)
from instruct_imagen_data.stages.pictures import describe_pair, open_pair
from instruct_imagen_data.stages.subject.group import Recipe, Seen, members_of, rows_of

NOUN = "person"  # of a group whose folder names none: faces


def see(pair: RawPair, terms: Terms, limits: images.Limits, side: int) -> Seen:
    """A picture of a folder, decoded.

    Raises:
      Reject: `licence` or one of images.REASONS.
    """
    terms.licence([pair.licence])
    image, picture = open_pair(pair, limits)
    return image, target_of(picture, side)


def folder_block(
    block: SourceBlock, networks: Networks, *, recipe: Recipe, limits: images.Limits
) -> Mapping[str, Made]:
    """Opened groups of pictures in; rows and rejects of a dataset out."""
    clip = networks.by_role["image_text"]
    look = functools.partial(see, terms=recipe.terms, limits=limits, side=recipe.side)
    refuse = functools.partial(describe_pair, stage=recipe.stage)
    rows: list[Derived] = []
    rejects: list[RejectRow] = []
    for opened in block.rows:
        seen, refused = sift(opened.pairs, look, refuse)
        noun = opened.facts.get("noun", NOUN)
        members = members_of(seen, clip)
        found, left = rows_of(members, opened.name, noun, opened.split, networks, recipe)
        rows += found
        rejects += [*refused, *left]
    return {recipe.dataset: made(rows, rejects)}
