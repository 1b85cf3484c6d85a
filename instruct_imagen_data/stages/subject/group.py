"""Rows of a group: one of its pictures is the target, the others are references.

A target is never one of its references, nor a near-copy of one: such pairs teach copying (FACTS
107).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from instruct_imagen_data import images, keys, schema, tasks
from instruct_imagen_data.annotators.roles import Duplicates
from instruct_imagen_data.schema import Derived, Encoded, Reference, RejectRow
from instruct_imagen_data.stages.blocks import Reject
from instruct_imagen_data.stages.captions import with_captions
from instruct_imagen_data.stages.derived import (
    Networks,
    Target,
    Terms,
    describe,
    similarity_check,
)
from instruct_imagen_data.stages.pictures import start_of

REFERENCE = {"subject_to_image": "subject", "face_to_image": "face"}  # task -> role


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a group must be, and how many rows are made of it.

    Attributes:
      min_size: Pictures that a group must have, once copies are gone.
      max_size: Pictures that are used of a larger one.
      targets: Rows of a group, each with another target.
      duplicates: When two pictures are one.
      band: Least and greatest mean cosine of a group's pictures; None where a folder says that
        they show one thing.
    """

    min_size: int
    max_size: int
    targets: int
    duplicates: Duplicates
    band: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How the rows of a dataset are made.

    Attributes:
      dataset: A name in tasks.DATASETS.
      stage: Name for reject rows.
      rules: What a group must be.
      terms: What a row must fulfil.
      side: Shorter side of targets and references, in pixels.
    """

    dataset: str
    stage: str
    rules: Rules
    terms: Terms
    side: int


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A picture of a group.

    Attributes:
      image: What is known of it.
      target: As stored, be it as target or as reference.
      vector: float32 [d], unit length, of the target.
    """

    image: schema.Image
    target: Target
    vector: np.ndarray


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """A group of pictures, seen by the image-text network; copies of others are not among them."""

    name: str
    noun: str
    members: tuple[Member, ...]
    split: str

    @property
    def similarity(self) -> float:
        """Mean cosine of two of its pictures."""
        vectors = np.stack([one.vector for one in self.members])
        upper = np.triu_indices(len(vectors), 1)
        return float((vectors @ vectors.T)[upper].mean())


Seen = tuple[schema.Image, Target]


def members_of(seen: Iterable[Seen], clip: Any) -> list[Member]:
    """Pictures with their vectors."""
    several = list(seen)
    vectors = clip.images([clip.prepare(target.rgb) for _, target in several])
    return [Member(*one, vector) for one, vector in zip(several, vectors, strict=True)]


def without_copies(
    members: Sequence[Member], rule: Duplicates
) -> tuple[list[Member], list[tuple[Member, Reject]]]:
    """(members in order, but for near-copies of earlier ones; those, with the one that stayed)."""
    kept: list[Member] = []
    copies: list[tuple[Member, Reject]] = []
    for one in members:
        for other in kept:
            cosine = float(one.vector @ other.vector)
            bits = images.hamming(one.image.phash, other.image.phash)
            same = one.image.sha256 == other.image.sha256
            if same or (cosine >= rule.cosine and bits <= rule.phash_bits):
                reject = Reject("duplicate", "", cosine, rule.cosine, survivor=other.image.key)
                copies.append((one, reject))
                break
        else:
            kept.append(one)
    return kept, copies


def check_group(group: Subject, rules: Rules) -> None:
    """Raises Reject: `group_size`, or `unlike` or `alike` for a mean cosine outside the band."""
    size = len(group.members)
    if size < rules.min_size:
        raise Reject("group_size", group.name, size, rules.min_size)
    if rules.band is not None:
        low, high = rules.band
        similarity = group.similarity
        if similarity < low:
            raise Reject("unlike", group.name, similarity, low)
        if similarity > high:
            raise Reject("alike", group.name, similarity, high)


def in_turn(members: Sequence[Member], salt: str) -> list[Member]:
    """Members in the order of their draws: the same whatever the order they were listed in."""
    return sorted(members, key=lambda one: (keys.draw64(one.image.key, salt), one.image.key))


def example(target: Member, group: Subject, caption: str, cosine: float, recipe: Recipe) -> Derived:
    """The row of one target, with all others of its group as references under one marker.

    Args:
      caption: Of the target.
      cosine: Of target and caption.

    Raises:
      Reject: `licence` or `check`.
    """
    others = [one for one in in_turn(group.members, target.image.key) if one is not target]
    sources = tuple(one.image.key for one in (target, *others))
    dataset, terms = recipe.dataset, recipe.terms
    key = keys.derived_key(dataset, sources)
    task = tasks.DATASETS[dataset].task
    height, width = target.target.rgb.shape[:2]
    likeness = float(np.mean([one.vector @ target.vector for one in others]))
    checks = [
        similarity_check("subject_similarity", likeness),
        similarity_check("caption_similarity", cosine),
    ]
    references = tuple(
        Reference(
            marker=1,
            role=REFERENCE[task],
            text=group.noun,
            image=Encoded(one.target.encoded, f"{key[:16]}.{number}.jpg"),
            aligned=False,
            variants=(),
        )
        for number, one in enumerate(others, 1)
    )
    return Derived(
        key=key,
        task=task,
        dataset=dataset,
        caption=caption,
        image=Encoded(target.target.encoded, f"{key[:16]}.jpg"),
        width=width,
        height=height,
        references=references,
        slots=(),
        checks=terms.check(checks),
        licence=terms.licence(one.image.licence for one in (target, *others)),
        sources=sources,
        split=group.split,
    )


def _make(
    group: Subject, networks: Networks, recipe: Recipe
) -> tuple[list[Derived], list[tuple[Member, Reject]]]:
    """(rows of a group, the targets or members that gave none and why)."""
    try:
        check_group(group, recipe.rules)
    except Reject as reject:
        return [], [(one, reject) for one in group.members]
    targets = in_turn(group.members, "subject/target")[: recipe.rules.targets]
    told = with_captions(
        [one.image for one in targets], [one.target.rgb for one in targets], networks
    )
    targets = [dataclasses.replace(one, image=i) for one, i in zip(targets, told, strict=True)]
    group = dataclasses.replace(group, members=_replaced(group.members, targets))
    captions = [one.image.caption or f"a photo of a {group.noun}" for one in targets]
    texts = networks.by_role["image_text"].texts([start_of(caption) for caption in captions])
    rows: list[Derived] = []
    lost: list[tuple[Member, Reject]] = []
    for target, caption, text in zip(targets, captions, texts, strict=True):
        try:
            rows.append(example(target, group, caption, float(target.vector @ text), recipe))
        except Reject as reject:
            lost.append((target, reject))
    return rows, lost


def _replaced(members: Sequence[Member], others: Sequence[Member]) -> tuple[Member, ...]:
    """Members, with others in the place of those of the same key."""
    by_key = {one.image.key: one for one in others}
    return tuple(by_key.get(one.image.key, one) for one in members)


def rows_of(
    members: Sequence[Member], name: str, noun: str, split: str, networks: Networks, recipe: Recipe
) -> tuple[list[Derived], list[RejectRow]]:
    """Rows of a group of pictures, and a reject for each picture that is in none of them."""
    kept, left = without_copies(members, recipe.rules.duplicates)
    drawn = in_turn(kept, "subject/chosen")
    chosen = drawn[: recipe.rules.max_size]
    left += [(one, Reject("surplus", name)) for one in drawn[recipe.rules.max_size :]]
    rows, lost = _make(Subject(name, noun, tuple(chosen), split), networks, recipe)
    cited = {key for row in rows for key in row.sources}
    reasons = {one.image.key: reject for one, reject in lost}
    for one in chosen:
        if one.image.key not in cited:  # its own reason, or that of the target it was to go with
            left.append((one, reasons.get(one.image.key) or lost[-1][1]))
    return rows, [describe(one.image, reject, recipe.stage) for one, reject in left]
