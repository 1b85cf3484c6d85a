"""Groups of pictures of one thing: copies, sizes, likeness, targets, nouns. Vectors are made up."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from instruct_imagen_data import keys, schema
from instruct_imagen_data.annotators.roles import Duplicates
from instruct_imagen_data.schema import Encoded
from instruct_imagen_data.stages.blocks import Reject
from instruct_imagen_data.stages.derived import Networks, Target, Terms
from instruct_imagen_data.stages.subject.group import (
    Member,
    Recipe,
    Rules,
    Subject,
    check_group,
    in_turn,
    rows_of,
    without_copies,
)
from instruct_imagen_data.stages.subject.nouns import UNKNOWN, candidates, noun_of

RULE = Duplicates(cosine=0.9, confirm_cosine=0.99, phash_bits=10)
PLAIN = Rules(3, 5, 1, RULE)


def turned(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def member(
    name: str, degrees: float = 0.0, bits: int = 0, sha: str = "", licence: str = "CC0",
    caption: str = "",
) -> Member:  # fmt: skip
    """A picture at an angle, whose perceptual hash has so many bits set."""
    key = keys.pair_key(name, caption, b"")
    phash = ((1 << bits) - 1).to_bytes(32, "big")
    image = schema.Image(
        key, name, f"file:{name}", caption, Encoded(b"whole", "a.jpg"), 4, 4, 4, 4, False,
        sha or key, phash, licence, "{}",
    )  # fmt: skip
    target = Target(np.zeros((4, 4, 3), np.uint8), name.encode())
    return Member(image, target, turned(degrees))


class Clip:
    """Every text is at no angle."""

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([turned(0)] * len(texts)) if texts else np.empty((0, 2), np.float32)


NETWORKS = Networks({"image_text": Clip()}, {})


def recipe(**changes: Any) -> Recipe:
    terms = changes.pop("terms", Terms())
    return Recipe("suti", "subject", dataclasses.replace(PLAIN, **changes), terms, 4)


def make(members: Sequence[Member], **changes: Any) -> tuple[list[Any], dict[str, str]]:
    rows, rejects = rows_of(members, "a page", "mug", "train", NETWORKS, recipe(**changes))
    reasons = {row.origin: row.reason for row in rejects}
    cited = {key for row in rows for key in row.sources}
    assert len(reasons) == len(rejects)
    assert sorted([*cited, *(row.key for row in rejects)]) == sorted(
        one.image.key for one in members
    )
    return rows, reasons


def test_copies_are_left_out() -> None:
    """Of equal bytes; or alike by both measures. The first one stays, and is named."""
    members = [
        member("first", 0, 0), member("alike", 20, 10), member("by vector only", 20, 11),
        member("by hash only", 30, 0), member("bytes", 90, 99, members_sha()),
        member("same bytes", 180, 0, members_sha()), member("copy of a copy", 44, 20),
    ]  # fmt: skip
    kept, copies = without_copies(members, RULE)
    assert [one.image.origin for one in kept] == [
        "first", "by vector only", "by hash only", "bytes",
    ]  # fmt: skip
    named = {one.image.origin: reject.survivor for one, reject in copies}
    known = {one.image.origin: one.image.key for one in members}
    assert named == {
        "alike": known["first"],
        "same bytes": known["bytes"],
        "copy of a copy": known["by vector only"],  # 24 degrees and 9 bits away
    }
    assert {reject.reason for _, reject in copies} == {"duplicate"}
    assert copies[0][1].value == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-6)


def members_sha() -> str:
    return "7" * 64


@pytest.mark.parametrize("seed", range(5))
def test_no_two_that_stay_are_copies(seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    members = [member(f"{i}", rng.uniform(0, 360), int(rng.integers(0, 40))) for i in range(40)]
    kept, copies = without_copies(members, RULE)
    assert len(kept) + len(copies) == 40
    assert copies

    def same(one: Member, other: Member) -> bool:
        bits = abs(bin(int.from_bytes(one.image.phash)).count("1")
                   - bin(int.from_bytes(other.image.phash)).count("1"))  # fmt: skip
        return float(one.vector @ other.vector) >= 0.9 and bits <= 10

    assert not any(same(*two) for two in itertools.combinations(kept, 2))
    by_key = {one.image.key: one for one in kept}
    assert all(same(one, by_key[reject.survivor]) for one, reject in copies)


@pytest.mark.parametrize(
    ("angles", "band", "reason"),
    [
        ((0, 30, 60), None, ""),
        ((0, 30), None, "group_size"),
        ((0, 0, 0), None, ""),  # a folder says that they show one thing
        ((0, 30, 60), (0.74, 0.75), ""),  # (cos 30 + cos 30 + cos 60) / 3 = .744
        ((0, 30, 60), (0.75, 1.0), "unlike"),
        ((0, 30, 60), (0.0, 0.74), "alike"),
    ],
)
def test_what_a_group_must_be(angles: Any, band: Any, reason: str) -> None:
    members = tuple(member(str(i), angle) for i, angle in enumerate(angles))
    group = Subject("a page", "mug", members, "train")
    rules = dataclasses.replace(PLAIN, band=band)
    if not reason:
        check_group(group, rules)
        return
    with pytest.raises(Reject) as refused:
        check_group(group, rules)
    assert (refused.value.reason, refused.value.detail) == (reason, "a page")
    value = len(angles) if reason == "group_size" else (2 * np.cos(np.pi / 6) + 0.5) / 3
    assert refused.value.value == pytest.approx(value, abs=1e-6)


def test_rows_of_a_group() -> None:
    members = [member(name, 40.0 * i, caption=name) for i, name in enumerate("abcd")]
    rows, reasons = make(members, targets=3, min_size=4)
    assert reasons == {}
    assert len({row.sources[0] for row in rows}) == len(rows) == 3
    by_key = {one.image.key: one for one in members}
    for row in rows:
        target = by_key[row.sources[0]]
        assert set(row.sources) == by_key.keys()
        assert (row.caption, row.image.bytes) == (target.image.caption, target.target.encoded)
        shown = [by_key[key].target.encoded for key in row.sources[1:]]
        assert [one.image.bytes for one in row.references] == shown
        assert {one.text for one in row.references} == {"mug"}
        others = [by_key[key] for key in row.sources[1:]]
        likeness = np.mean([float(one.vector @ target.vector) for one in others])
        values = {one.name: one.value for one in row.checks}
        assert values["subject_similarity"] == pytest.approx(max(0, likeness), abs=1e-6)
        assert values["caption_similarity"] == pytest.approx(
            max(0, float(target.vector[0])), abs=1e-6
        )


def test_the_order_of_a_group_changes_nothing() -> None:
    members = [member(name, 40.0 * i, 20 * i) for i, name in enumerate("abcdefg")]
    first = make(members, targets=2)
    for turn in (3, 5):
        assert make([*members[turn:], *members[:turn]], targets=2) == first
    rows, reasons = first
    assert set(reasons.values()) == {"surplus"}
    assert len(reasons) == 2  # seven pictures, of which five are used
    assert [row.sources[0] for row in rows] == [
        one.image.key
        for one in in_turn(members, "subject/target")
        if one.image.origin not in reasons
    ][:2]


def test_reasons_of_a_group_that_gives_nothing() -> None:
    away = [member(name, 50.0 * i) for i, name in enumerate("abc")]
    rows, reasons = make(away, terms=Terms(min_check=0.99))
    assert (rows, set(reasons.values()), len(reasons)) == ([], {"check"}, 3)
    # Two copies leave too few: each picture has its own reason.
    rows, reasons = make([*away[:2], member("same", 0), member("equal", 50)])
    assert (rows, reasons) == (
        [], {"a": "group_size", "b": "group_size", "same": "duplicate", "equal": "duplicate"},
    )  # fmt: skip
    rows, reasons = make([*away, member("d", 170, licence="own")], terms=Terms("commercial"))
    assert (rows, set(reasons.values())) == ([], {"licence"})
    assert make([]) == ([], {})


def test_a_caption_is_made_of_the_noun() -> None:
    rows, _ = make([member(name, 40.0 * i) for i, name in enumerate("abc")])
    assert [row.caption for row in rows] == ["a photo of a mug"]


@pytest.mark.parametrize(
    ("captions", "found"),
    [
        (["a red mug", "the red mug on a table", "mug"], ["mug", "red mug"]),
        (
            ["Buy this TEDDY BEAR online", "a teddy bear"],
            ["teddy bear"],
        ),  # no bear without its teddy
        (["hot air balloon", "a hot air balloon", "the balloon"], ["balloon", "hot air balloon"]),
        (["a dog", "a cat"], []),
        (["mug", "mug", "cup", "cup", "tea"], []),  # three of five are wanted
        (["mug"], []),
        (["a photo of the image", "photo of the image"], []),
        ([], []),
        (["ice-cream's", "ice-cream's 12 x9"], ["ice-cream's"]),
    ],
)
def test_candidates(captions: list[str], found: list[str]) -> None:
    assert candidates(captions) == found


def test_the_noun_is_the_candidate_most_like_the_pictures() -> None:
    captions = ["a red mug", "red mug", "a mug", "red"]
    angles = {"mug": 10.0, "red": 80.0, "red mug": 30.0}
    asked: list[str] = []

    class Named:
        def texts(self, texts: Sequence[str]) -> np.ndarray:
            asked.extend(texts)
            names = [text.removeprefix("a photo of a ") for text in texts]
            return np.stack([turned(angles[name]) for name in names])

    vectors = [turned(5), turned(15), turned(13)]
    assert noun_of(captions, vectors, Named()) == "mug"
    assert all(text.startswith("a photo of a ") for text in asked)
    assert noun_of(["dog", "cat"], vectors[:2], Named()) == UNKNOWN
