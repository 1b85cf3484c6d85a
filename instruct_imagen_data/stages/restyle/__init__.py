"""Content pictures in the style of others: style transfer, and styled generation (paper, 3.2, A.3).

Style transfer: style and content are given, the caption is not; what is wanted follows from the
content alone. Styled generation: style and caption are given; the target is a content picture whose
caption is the prompt, restyled (a departure: the paper tunes a StyleDrop model for each of 100K
styles), or what a styler paints of the caption, where the model set has one. Both are filtered by
the image-text network (FACTS 5, 108).
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from instruct_imagen_data import images, keys, tasks
from instruct_imagen_data.schema import Check, Derived, Encoded, Reference, RejectRow, Slot
from instruct_imagen_data.stages.blocks import Reject, sift
from instruct_imagen_data.stages.carried import Carried
from instruct_imagen_data.stages.derived import (
    Made,
    Networks,
    SourceBlock,
    Target,
    made,
    similarity_check,
    target_of,
)
from instruct_imagen_data.stages.pairs import Pairs
from instruct_imagen_data.stages.pictures import start_of
from instruct_imagen_data.stages.restyle.paint import (
    ROLES,
    STYLED,
    STYLER,
    TRANSFER,
    Recipe,
    Style,
    generate,
    paint,
    roles_of,
    style_of,
)

__all__ = ["ROLES", "STYLED", "TRANSFER", "Recipe", "restyle_block", "roles_of"]

UNNAMED = "style"  # what stands beside the marker of a style without a name
CONTENT = "content image"


@dataclasses.dataclass(frozen=True, slots=True)
class Restyled:
    """A content picture, or what its caption says, in a style.

    Attributes:
      content: As the corpus has it.
      before: The content as stored.
      target: The result.
      style_similarity: Cosine of result and style;
      other_similarity: of result and content, or of result and caption for styled generation.
      rank: Among the style's results by style similarity: 0 for the most similar, below 1.
    """

    content: Carried
    before: Target
    target: Target
    style_similarity: float
    other_similarity: float
    rank: float


def restyle(
    contents: Sequence[Carried], style: Style, networks: Networks, recipe: Recipe
) -> list[Restyled]:
    """Contents in a style, measured against it."""
    clip, styler = networks.by_role["image_text"], networks.by_role.get(STYLER)
    read = [images.read(one.image.image.bytes, images.STORED) for one in contents]
    before = [target_of(picture, recipe.side) for picture in read]
    if styler is None:
        painter, rgbs = networks.by_role["style_transfer"], [one.rgb for one in before]
        painted = paint(rgbs, style, painter, recipe.strength, recipe.side)
    else:
        painted = generate(contents, style, styler, recipe)
    encoded = [images.encode_jpeg(rgb) for rgb in painted]
    after = [Target(images.read(data, images.STORED).rgb, data) for data in encoded]
    vectors = clip.images([clip.prepare(one.rgb) for one in after])
    if recipe.dataset == STYLED:
        others = clip.texts([start_of(one.image.caption) for one in contents])
    else:
        others = clip.images([clip.prepare(one.rgb) for one in before])
    near = vectors @ style.vector
    rank = np.empty(len(near))
    rank[np.argsort(-near, kind="stable")] = np.arange(len(near)) / max(1, len(near))
    other = np.einsum("nd,nd->n", vectors, others)
    columns = (contents, before, after, near.tolist(), other.tolist(), rank.tolist())
    return [Restyled(*one) for one in zip(*columns, strict=True)]


def check_filters(one: Restyled, recipe: Recipe) -> None:
    """Raises Reject: `copy`, `style_rank` or `caption`."""
    filters = recipe.filters
    if one.style_similarity >= filters.copy:
        raise Reject("copy", one.content.group, one.style_similarity, filters.copy)
    if one.rank >= recipe.style_share:
        raise Reject("style_rank", one.content.group, one.rank, recipe.style_share)
    if recipe.dataset == STYLED and one.other_similarity < filters.caption:
        raise Reject("caption", one.content.group, one.other_similarity, filters.caption)


def _references(
    one: Restyled, style: Style, key: str, dataset: str
) -> tuple[tuple[Reference, ...], list[Check]]:
    """References and checks: style alone, or style and content."""
    name = style.facts.get("style") or UNNAMED
    shown = Encoded(style.target.encoded, f"{key[:16]}.style.jpg")
    references = [Reference(1, "style", name, shown, False, ())]
    checks = [similarity_check("style_similarity", one.style_similarity)]
    if dataset == STYLED:
        checks.append(similarity_check("caption_similarity", one.other_similarity))
    else:
        before = Encoded(one.before.encoded, f"{key[:16]}.content.jpg")
        references.append(Reference(2, "content", CONTENT, before, True, ()))
        checks.append(similarity_check("content_similarity", one.other_similarity))
    return tuple(references), checks


def example(one: Restyled, style: Style, recipe: Recipe, licence: str) -> Derived:
    """The row of one restyled picture.

    Args:
      licence: Of the network that painted it.

    Raises:
      Reject: `copy`, `style_rank`, `caption`, `check` or `licence`.
    """
    check_filters(one, recipe)
    sources = (one.content.image.key, style.image.key)
    key = keys.derived_key(recipe.dataset, sources)
    references, checks = _references(one, style, key, recipe.dataset)
    height, width = one.target.rgb.shape[:2]
    task = tasks.TASKS[tasks.DATASETS[recipe.dataset].task]
    return Derived(
        key=key,
        task=task.name,
        dataset=recipe.dataset,
        caption=one.content.image.caption if task.captioned else "",
        image=Encoded(one.target.encoded, f"{key[:16]}.jpg"),
        width=width,
        height=height,
        references=references,
        slots=tuple(
            Slot(name, style.facts[name]) for name in ("style", "artist") if style.facts.get(name)
        ),
        checks=recipe.terms.check(checks),
        licence=recipe.terms.licence([one.content.image.licence, style.image.licence, licence]),
        sources=sources,
        split=one.content.split,
    )


def restyle_block(block: SourceBlock, networks: Networks, *, recipe: Recipe) -> dict[str, Made]:
    """Pairs in; rows and rejects of a dataset out."""
    rows: list[Derived] = []
    rejects: list[RejectRow] = []
    for pairs in block.rows:
        refuse = functools.partial(_refuse, pairs=pairs, recipe=recipe)
        try:
            style = style_of(pairs, networks, recipe)
        except Reject as reject:
            why = Reject(f"style_{reject.reason}", f"{pairs.name}: {reject.detail}".rstrip(": "))
            rejects += [refuse(content, why) for content in pairs.contents]
            continue
        found, refused = _rows_of(pairs, style, networks, recipe, refuse)
        rows += found
        rejects += refused
    return {recipe.dataset: made(rows, rejects)}


def _rows_of(
    pairs: Pairs, style: Style, networks: Networks, recipe: Recipe,
    refuse: Callable[[Carried, Reject], RejectRow],
) -> tuple[list[Derived], list[RejectRow]]:  # fmt: skip
    """Rows and rejects of one style."""

    def licensed(content: Carried) -> Carried:
        recipe.terms.licence([content.image.licence])
        return content

    contents, unlicensed = sift(pairs.contents, licensed, refuse)
    results = restyle(contents, style, networks, recipe) if contents else []
    licence = networks.licences[STYLER if STYLER in networks.by_role else "style_transfer"]
    make = functools.partial(example, style=style, recipe=recipe, licence=licence)
    rows, unfit = sift(results, make, lambda one, reject: refuse(one.content, reject))
    return rows, [*unlicensed, *unfit]


def _refuse(content: Carried, reject: Reject, pairs: Pairs, recipe: Recipe) -> RejectRow:
    """The reject row of a pair: its key is that of the row that it would have been."""
    return RejectRow(
        key=pairs.key(recipe.dataset, content),
        origin=content.image.origin,
        url=content.image.url,
        stage=recipe.stage,
        reason=reject.reason,
        detail=reject.detail or pairs.name,
        sha256=content.image.sha256,
        survivor="",
        value=reject.value,
        threshold=reject.limit,
    )
