"""Filters and rows of restyled pictures, with cosines and pictures that are made up."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from instruct_imagen_data import images, keys, schema
from instruct_imagen_data.annotators.roles import Filters
from instruct_imagen_data.schema import Encoded, RawPair
from instruct_imagen_data.stages.blocks import Reject
from instruct_imagen_data.stages.carried import Carried
from instruct_imagen_data.stages.derived import Networks, SourceBlock, Target, Terms
from instruct_imagen_data.stages.pairs import Pairs
from instruct_imagen_data.stages.restyle import Recipe, Restyled, check_filters, restyle_block

FILTERS = Filters(0.0, 1.0, caption=0.3, copy=0.8)


def recipe(dataset: str, **changes: Any) -> Recipe:
    plain = Recipe(dataset, "test", FILTERS, 1.0, 1.0, Terms(), images.Limits(), 32)
    return dataclasses.replace(plain, **changes)


def content(number: int, level: int = 128, licence: str = "CC0") -> Carried:
    """A picture of one grey level, as a corpus has it."""
    encoded = images.encode_jpeg(np.full((32, 40, 3), level, np.uint8))
    key = f"{number:064x}"
    image = schema.Image(
        key, f"o#{number}", "", f"picture {number}", Encoded(encoded, "a.jpg"), 40, 32, 40, 32,
        False, "5" * 64, bytes(32), licence, "{}",
    )  # fmt: skip
    return Carried(image, "train", "Pop/a_b.jpg", number)


def restyled(style: float, other: float, rank: float) -> Restyled:
    target = Target(np.zeros((4, 4, 3), np.uint8), b"")
    return Restyled(content(1), target, target, style, other, rank)


@pytest.mark.parametrize(
    ("dataset", "style", "other", "rank", "reason"),
    [
        ("style_transfer", 0.79, -1.0, 0.49, ""),
        ("style_transfer", 0.8, 1.0, 0.0, "copy"),
        ("style_transfer", 0.5, 1.0, 0.5, "style_rank"),
        ("styled", 0.79, 0.3, 0.49, ""),
        ("styled", 0.81, 0.2, 0.9, "copy"),
        ("styled", 0.7, 0.2, 0.5, "style_rank"),
        ("styled", 0.7, 0.29, 0.4, "caption"),
    ],
)
def test_filters(dataset: str, style: float, other: float, rank: float, reason: str) -> None:
    given = recipe(dataset, style_share=0.5)
    one = restyled(style, other, rank)
    if not reason:
        check_filters(one, given)
        return
    with pytest.raises(Reject) as refused:
        check_filters(one, given)
    assert refused.value.reason == reason
    value, limit = {
        "copy": (style, 0.8), "style_rank": (rank, 0.5), "caption": (other, 0.3),
    }[reason]  # fmt: skip
    assert (refused.value.value, refused.value.limit) == (value, limit)


class Clip:
    """Vectors of what is put in: of a picture its mean level as an angle, of a text its number."""

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        return turned([float(rgb.mean()) / 255 for rgb in pictures])

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return turned([int(text.split()[-1]) / 255 for text in texts])


def turned(shares: Sequence[float]) -> np.ndarray:
    """Unit vectors [n, 2] at a share of a quarter turn."""
    angles = np.array(shares, np.float32).reshape(-1) * np.pi / 2
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


class Painter:
    """Codes are mean levels; a painting moves the content's level to the code's, whole."""

    def prepare_style(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def codes(self, styles: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([[rgb.mean()] for rgb in styles], np.float32)

    def prepare_content(self, rgb: np.ndarray, side: int) -> np.ndarray:
        assert min(rgb.shape[:2]) <= side
        return rgb[:-3, :-3]  # networks round sides to their strides

    def content_codes(self, contents: Sequence[np.ndarray]) -> np.ndarray:
        return self.codes(contents)

    def __call__(self, contents: Sequence[np.ndarray], codes: np.ndarray) -> list[np.ndarray]:
        assert codes.dtype == np.float32
        pairs = zip(contents, codes[:, 0], strict=True)
        return [np.clip(rgb - rgb.mean() + code, 0, 255).astype(np.uint8) for rgb, code in pairs]


NETWORKS = Networks({"image_text": Clip(), "style_transfer": Painter()}, {"style_transfer": "MIT"})


def block(given: Recipe, contents: Sequence[Carried], style: RawPair) -> SourceBlock:
    pairs = Pairs("Pop/a_b.jpg", {"style": "Pop", "artist": ""}, style, tuple(contents))
    names = tuple(pairs.key(given.dataset, one) for one in contents)
    none = schema.table_of(schema.RejectRow, [])
    return SourceBlock("00000", (given.dataset,), names, [pairs], none)


def painting(level: int, licence: str = "CC0") -> RawPair:
    data = images.encode_jpeg(np.full((70, 80, 3), level, np.uint8))
    return RawPair("Pop/a_b.jpg", "file:Pop/a_b.jpg", "", data, licence, "")


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_strength_lies_between_the_codes(strength: float) -> None:
    given = recipe("style_transfer", strength=strength, filters=Filters(0.0, 1.0, 0.2, copy=2.0))
    levels = [20, 60, 100]
    contents = [content(i, level) for i, level in enumerate(levels)]
    found = restyle_block(block(given, contents, painting(200)), NETWORKS, recipe=given)
    rows = found["style_transfer"].rows.to_pylist()
    assert len(rows) == 3
    for row, level in zip(rows, levels, strict=True):
        target = images.read(row["image"]["bytes"], images.STORED).rgb
        assert target.shape == (32, 40, 3)  # the content's size, whatever the network makes
        wanted = (1 - strength) * level + strength * 200
        assert abs(float(target.mean()) - wanted) < 3
        checks = {check["name"]: check["value"] for check in row["checks"]}
        turn = np.pi / 2 / 255
        assert checks["style_similarity"] == pytest.approx(np.cos((200 - wanted) * turn), abs=0.02)
        near = np.cos((wanted - level) * turn)
        assert checks["content_similarity"] == pytest.approx(near, abs=0.02)


@pytest.mark.parametrize(("count", "share", "kept"), [(8, 0.5, 4), (5, 0.5, 3), (3, 0.0, 0)])
def test_the_most_similar_share_is_kept(count: int, share: float, kept: int) -> None:
    """Without strength a content is as like the style as its level is."""
    given = recipe(
        "style_transfer", strength=0.0, style_share=share, filters=Filters(0.0, 1.0, 0.2, copy=2.0)
    )
    levels = [(37 * i) % 150 for i in range(count)]
    contents = [content(i, level) for i, level in enumerate(levels)]
    found = restyle_block(block(given, contents, painting(200)), NETWORKS, recipe=given)
    rows = found["style_transfer"].rows.to_pylist()
    best = sorted(range(count), key=lambda i: -levels[i])[:kept]
    assert {row["sources"][0] for row in rows} == {contents[i].image.key for i in best}
    rejects = found["style_transfer"].rejects.to_pylist()
    assert [row["reason"] for row in rejects] == ["style_rank"] * (count - kept)


def test_captions_are_compared_and_kept_for_styled_alone() -> None:
    levels = {0: 3, 200: 190, 90: 92}  # number in the caption -> level; 200 is the style's own
    contents = [content(number, level) for number, level in levels.items()]
    for dataset, captions in (("styled", ["picture 90"]), ("style_transfer", [""] * 2)):
        given = recipe(dataset, strength=0.0, filters=Filters(0.0, 1.0, caption=0.99, copy=0.97))
        found = restyle_block(block(given, contents, painting(200)), NETWORKS, recipe=given)[
            dataset
        ]
        assert [row["caption"] for row in found.rows.to_pylist()][-len(captions) :] == captions
        (copied,) = [row for row in found.rejects.to_pylist() if row["reason"] == "copy"]
        assert copied["origin"] == "o#200"


def test_reasons_of_pairs_that_give_nothing() -> None:
    given = recipe(
        "styled", terms=Terms("commercial"), filters=Filters(0.0, 1.0, caption=-1, copy=2.0)
    )
    contents = [content(1, licence="?"), content(2)]
    good = restyle_block(block(given, contents, painting(9)), NETWORKS, recipe=given)["styled"]
    (row,) = good.rows.to_pylist()
    assert row["licence"] == "CC0; MIT"
    (reject,) = good.rejects.to_pylist()
    assert (reject["reason"], reject["detail"], reject["origin"]) == ("licence", "?", "o#1")
    broken = dataclasses.replace(painting(9), image=painting(9).image[:200])
    for style, reason in (
        (painting(9, "own"), "style_licence"),
        (broken, "style_truncated"),
        (dataclasses.replace(broken, image=b""), "style_empty_image"),
        (dataclasses.replace(broken, image=b"text of some length"), "style_not_an_image"),
    ):
        given_block = block(given, contents, style)
        found = restyle_block(given_block, NETWORKS, recipe=given)["styled"]
        assert found.rows.num_rows == 0
        rejects = found.rejects.to_pylist()
        assert [one["reason"] for one in rejects] == [reason] * 2
        assert all(one["detail"].startswith("Pop/a_b.jpg") for one in rejects)
        assert [one["key"] for one in rejects] == list(given_block.keys)
        assert rejects[1]["key"] == keys.derived_key(
            "styled",
            (contents[1].image.key, keys.pair_key("file:Pop/a_b.jpg", "", style.image)),
        )


def test_a_style_without_contents() -> None:
    given = recipe("styled")
    found = restyle_block(block(given, [], painting(9)), NETWORKS, recipe=given)["styled"]
    assert found.rows.num_rows == found.rejects.num_rows == 0
