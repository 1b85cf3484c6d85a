"""Styled generation by a styler: captions go in with the style, and rows come out as ever."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from instruct_imagen_data import images, keys, schema
from instruct_imagen_data.annotators.roles import Filters
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.stages.carried import Carried
from instruct_imagen_data.stages.derived import Networks, SourceBlock, Terms
from instruct_imagen_data.stages.pairs import Pairs
from instruct_imagen_data.stages.pictures import key_of, open_pair
from instruct_imagen_data.stages.restyle import STYLED, Recipe, restyle_block, roles_of

LIMITS = images.Limits(min_side=16)
RECIPE = Recipe(
    STYLED, "styled", Filters(0.0, 1.0, caption=-1.0, copy=2.0), 1.0, 1.0, Terms(), LIMITS, 48
)


class Grey:
    """An image-text network that sees how bright a picture is, and reads no text."""

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def images(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        angles = np.array([one.mean() / 255 for one in prepared], np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.array([[1, 0]], np.float32), (len(texts), 1))


@dataclasses.dataclass
class Styler:
    """Paints a grey square drawn from the seed, and remembers what it was asked."""

    by_prompt: bool = False
    asked: list[Any] = dataclasses.field(default_factory=list)

    def prompt(self, caption: str, style: str) -> str:
        return f"{caption}|{style}"

    def paint(self, prompts: Any, styles: Any, seeds: Any) -> list[np.ndarray]:
        self.asked += zip(prompts, [one.shape for one in styles], seeds, strict=True)
        return [np.full((64, 64, 3), seed % 256, np.uint8) for seed in seeds]


@pytest.fixture
def pairs(picture: Callable[..., bytes]) -> Pairs:
    """A style and three contents; nothing is known of the licence of the last one."""

    def pair(number: int, licence: str) -> RawPair:
        data = picture(number, 80, 60)
        return RawPair(f"a#{number}", f"http://a.b/{number}.jpg", f"a {number}", data, licence, "")

    licences = ("CC0-1.0", "CC-BY-4.0", "")
    contents = [open_pair(pair(n, one), LIMITS)[0] for n, one in enumerate(licences)]
    carried = tuple(Carried(image, "train", "s", n) for n, image in enumerate(contents))
    return Pairs("s", {"style": "Cubism"}, pair(9, "CC0-1.0"), carried)


def made(pairs: Pairs, styler: Styler, recipe: Recipe = RECIPE) -> tuple[list[Any], list[Any]]:
    """Rows and rejects of one block; no style transfer network is there."""
    networks = Networks({"image_text": Grey(), "styler": styler}, {"styler": "OpenRAIL"})
    names = tuple(pairs.key(STYLED, one) for one in pairs.contents)
    block = SourceBlock("0", (STYLED,), names, [pairs], schema.table_of(RejectRow, []))
    found = restyle_block(block, networks, recipe=recipe)[STYLED]
    return found.rows.to_pylist(), found.rejects.to_pylist()


def test_a_caption_is_painted(pairs: Pairs) -> None:
    styler = Styler()
    rows, rejects = made(pairs, styler)
    assert (len(rows), rejects) == (3, [])
    for row, content, asked in zip(rows, pairs.contents, styler.asked, strict=True):
        key = pairs.key(STYLED, content)
        assert row["key"] == key
        assert row["sources"] == [content.image.key, key_of(pairs.style)]
        assert asked == (f"{content.image.caption}|Cubism", (48, 64, 3), keys.draw64(key, "styler"))
        assert (row["caption"], row["width"], row["height"]) == (content.image.caption, 48, 48)
        rgb = images.read(row["image"]["bytes"], images.STORED).rgb
        assert abs(rgb.mean() - asked[2] % 256) < 2
        parents = [content.image.licence, "CC0-1.0", "OpenRAIL"]
        assert row["licence"] == keys.join_licences(parents)
        assert [one["role"] for one in row["references"]] == ["style"]
        assert [one["name"] for one in row["checks"]] == ["style_similarity", "caption_similarity"]
    assert made(pairs, Styler())[0] == rows


def test_filters_reject_as_before(pairs: Pairs) -> None:
    half = dataclasses.replace(RECIPE, style_share=0.5)
    rows, rejects = made(pairs, Styler(), half)
    assert len(rows) == 2
    assert [one["reason"] for one in rejects] == ["style_rank"]
    strict = dataclasses.replace(RECIPE, filters=Filters(0.0, 1.0, caption=1.01, copy=2.0))
    assert {one["reason"] for one in made(pairs, Styler(), strict)[1]} == {"caption"}


def test_a_style_told_by_its_name_needs_one(pairs: Pairs) -> None:
    assert len(made(pairs, Styler(by_prompt=True))[0]) == 3
    rows, rejects = made(dataclasses.replace(pairs, facts={}), Styler(by_prompt=True))
    assert not rows
    assert [one["reason"] for one in rejects] == ["style_unnamed"] * 3


def test_roles() -> None:
    assert roles_of("styled", ["styler", "image_text"]) == ("styler", "image_text")
    assert roles_of("styled", ["style_transfer"]) == ("style_transfer", "image_text")
    assert roles_of("style_transfer", ["styler"]) == ("style_transfer", "image_text")
