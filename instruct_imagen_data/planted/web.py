"""The plan of a planted web: which pair shows what, and what is wrong with it. No pixels yet."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from instruct_imagen_data.planted import addresses
from instruct_imagen_data.planted.captions import caption, reject_caption
from instruct_imagen_data.planted.degrade import DEGRADATIONS
from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.world import NOUNS, REJECT_CLASSES, Entity, entities

DEFECTS = (
    "truncated", "not_an_image", "too_small", "aspect_ratio", "empty_caption", "empty_image",
)  # fmt: skip
COPY_KINDS = ("exact", "reencoded", "resized", "cropped", "same_url", "same_caption")
DEFECT_SHARE, REJECT_SHARE, COPY_SHARE = 0.07, 0.07, 0.10
BAD_SHARE = 0.14  # of the pairs without a defect
GENERIC_CAPTION = "Image may contain: one or more objects"
_PAIRS_A_SHARD = 100
_VIEWS_AN_ENTITY = 9


@dataclass(frozen=True)
class Planned:
    """One pair of the planted web.

    Attributes:
        number: Its place in the plan, before pairs are dealt out to shards.
        entity: What it shows; none for a reject class.
        view_index: Which picture of the entity, or which page of the reject class.
        side: Shorter side, in pixels.
        caption: Alt text.
        url: Address, different for each pair but for copies that share it.
        reject_class: A name of REJECT_CLASSES, or none.
        degradation: How a bad picture was spoilt, or none.
        defect: The reason for which the pair is unusable, or none.
        copy_kind: How it was copied, or none.
        copy_of: `number` of the original of a copy, or none.
        trap: What makes an innocent pair look like a copy or a broken file, or none.
        extension: File type as the member's name has it.
        key: Name inside the web: five digits of the shard, four of the row.
    """

    number: int
    entity: Entity | None
    view_index: int
    side: int
    caption: str
    url: str
    reject_class: str | None = None
    degradation: str | None = None
    defect: str | None = None
    copy_kind: str | None = None
    copy_of: int | None = None
    trap: str | None = None
    extension: str = "jpg"
    key: str = field(default="")

    @property
    def shard(self) -> str:
        """Name of the pair's tar."""
        return f"{self.key[:5]}.tar"

    @property
    def origin(self) -> str:
        """Tar and member stem, as every row of the pipeline names the pair."""
        return f"{self.shard}#{self.key}"


def plan(pairs: int, seed: int) -> list[Planned]:
    """All pairs of the web of that size, in the order of their keys."""
    defects, rejects, copies = (round(pairs * s) for s in (DEFECT_SHARE, REJECT_SHARE, COPY_SHARE))
    views = pairs - defects - rejects - copies
    bad = min(round(BAD_SHARE * (pairs - defects)), views)
    drawn = _shown(views, seed)
    planned = _traps(_spoil(_views(drawn, seed), bad, seed), seed)
    good = [one for one in planned if one.degradation is None]
    planned += [_copy(good, len(planned) + n, n, seed) for n in range(copies if good else 0)]
    planned += [_reject(len(planned) + n, n, seed) for n in range(rejects)]
    planned += [_defect(drawn, len(planned) + n, n, seed) for n in range(pairs - len(planned))]
    return _dealt(planned, seed)


def _nouns_in_turn(seed: int) -> list[str]:
    """All nouns, shuffled within their domains, the domains taking turns."""
    shuffled = [
        [members[i] for i in generator("nouns", seed, domain).permutation(len(members))]
        for domain, members in NOUNS.items()
    ]
    return [noun for turn in zip_longest(*shuffled) for noun in turn if noun]


def _shown(views: int, seed: int) -> list[tuple[Entity, int]]:
    """Entities with their number of views: one of each noun, then a second of each ..."""
    count = max(round(views / _VIEWS_AN_ENTITY), 1)
    nouns = _nouns_in_turn(seed)
    rounds = -(-count // len(nouns))
    drawn: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities(seed, rounds):
        drawn[entity.noun].append(entity)
    ordered = [drawn[noun][number] for number in range(rounds) for noun in nouns]
    sizes = np.full(count, views // count)
    sizes[: views % count] += 1
    # 6 to 12 views each: what one entity gives up its neighbour in the list takes.
    for first in range(0, count - 1, 2):
        room = max(min(3, int(sizes[first]) - 6, 12 - int(sizes[first + 1])), 0)
        moved = int(generator("sizes", seed, first).integers(0, room + 1))
        sizes[first] -= moved
        sizes[first + 1] += moved
    return [(entity, int(size)) for entity, size in zip(ordered, sizes, strict=False)]


def _side(rng: np.random.Generator) -> int:
    return int(rng.integers(160, 401))


def _views(drawn: list[tuple[Entity, int]], seed: int) -> list[Planned]:
    planned: list[Planned] = []
    for entity, size in drawn:
        for view_index in range(size):
            number = len(planned)
            rng = generator("pair", seed, number)
            extension = str(rng.choice(["jpg", "png", "webp"], p=[0.86, 0.08, 0.06]))
            url = addresses.entity_url(entity, rng, number, extension)
            text = caption(entity, view_index, seed)
            planned.append(
                Planned(number, entity, view_index, _side(rng), text, url, extension=extension)
            )
    return planned


def _spoil(planned: list[Planned], bad: int, seed: int) -> list[Planned]:
    """The same pairs, `bad` of them with a degradation, each kind equally often."""
    chosen = generator("bad", seed).permutation(len(planned))[:bad].tolist()
    kinds = tuple(DEGRADATIONS)
    kind_of = {number: kinds[rank % len(kinds)] for rank, number in enumerate(chosen)}
    return [
        replace(one, degradation=kind_of[one.number], extension="jpg")
        if one.number in kind_of
        else one
        for one in planned
    ]


def _traps(planned: list[Planned], seed: int) -> list[Planned]:
    """The same pairs with innocent look-alikes among the good ones, about 10 % in all."""
    good = [one.number for one in planned if one.degradation is None]
    order = [good[i] for i in generator("traps", seed).permutation(len(good))]
    share = max(len(good) // 40, 1)
    twins, generic, names, wrong = (order[i * share : (i + 1) * share] for i in range(4))
    result = list(planned)
    for first, second in zip(twins[::2], twins[1::2], strict=False):
        for number in (first, second):
            text = planned[first].caption
            result[number] = replace(result[number], caption=text, trap="shared_caption")
    for number in generic if share > 3 else ():
        result[number] = replace(result[number], caption=GENERIC_CAPTION, trap="generic_caption")
    for number in names:
        entity = planned[number].entity
        assert entity is not None
        url = addresses.same_file_name(entity, generator("names", seed, number), number)
        result[number] = replace(result[number], url=url, trap="shared_file_name")
    for number in wrong:
        result[number] = replace(result[number], extension="jpg", trap="wrong_extension")
    return result


def _copy(good: list[Planned], number: int, rank: int, seed: int) -> Planned:
    rng = generator("copy", seed, number)
    original = good[int(rng.integers(len(good)))]
    kind = COPY_KINDS[rank % len(COPY_KINDS)]
    assert original.entity is not None
    text = caption(original.entity, 1000 + number, seed)
    if kind == "same_caption" or (kind == "exact" and rng.random() < 0.5):
        text = original.caption
    if kind == "same_url":
        url = addresses.spelt_otherwise(original.url, rng)
    elif kind == "resized":
        url = addresses.thumbnail(original.url, rng)
    else:
        url = addresses.elsewhere(original.url, rng, number)
    extension = original.extension if kind == "exact" else "jpg"
    return replace(
        original, number=number, caption=text, url=url, copy_kind=kind, copy_of=original.number,
        extension=extension, trap=None,
    )  # fmt: skip


def _reject(number: int, rank: int, seed: int) -> Planned:
    rng = generator("reject", seed, number)
    kind = REJECT_CLASSES[rank % len(REJECT_CLASSES)]
    url = addresses.advert_url(kind, rng, number)
    text = reject_caption(kind, rank, seed)
    return Planned(number, None, rank, _side(rng), text, url, reject_class=kind)


def _defect(drawn: list[tuple[Entity, int]], number: int, rank: int, seed: int) -> Planned:
    """A pair of a further view of some entity with one of the DEFECTS."""
    rng = generator("defect", seed, number)
    entity, size = drawn[int(rng.integers(len(drawn)))]
    view_index = size + 100 + rank
    text = caption(entity, view_index, seed)
    defect = DEFECTS[rank % len(DEFECTS)]
    if defect == "empty_caption":
        text = ("", " ", "\n\t ")[int(rng.integers(3))]
    url = addresses.entity_url(entity, rng, number, "jpg")
    return Planned(number, entity, view_index, _side(rng), text, url, defect=defect)


def _dealt(planned: list[Planned], seed: int) -> list[Planned]:
    """The pairs with their keys, shuffled over shards of about 100."""
    shards = max(round(len(planned) / _PAIRS_A_SHARD), 1)
    rows = -(-len(planned) // shards)
    order = generator("order", seed).permutation(len(planned))
    return [
        replace(planned[number], key=f"{place // rows:05d}{place % rows:04d}")
        for place, number in enumerate(order.tolist())
    ]
