"""`instruct-imagen evaluate`: an arithmetic model that paints its reference, judged by arithmetic;
then the verb with the embedded networks.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import loader_sets, models, networks
from helpers.denoisers import SIDE, Known

from instruct_imagen_data import images
from instruct_imagen_data.annotators.maps import Map
from model import evaluate
from model.evaluate import checks, rows, scores
from model.evaluate.rows import Cited, Row
from model.evaluate.scores import Drawn
from model.sampling import Sampling
from model.trained import Trained

HOW = Sampling("ddim", 10, "none", 1.0, threshold="clip")


class Levels:
    """An image-text network of two numbers: the angle of a picture is its mean level."""

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        angles = np.array([rgb.mean() / 255 * np.pi / 2 for rgb in batch])
        return np.stack([np.cos(angles), np.sin(angles)], 1)

    def texts(self, batch: Sequence[str]) -> np.ndarray:
        return self.images([np.array([float(text)]) for text in batch])


class Greens:
    """A depth network: as far as a picture is green; a flat one has no depth."""

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        return [Map(rgb[..., 1].copy(), float(np.ptp(rgb[..., 1]) > 0)) for rgb in batch]


def flat(level: int) -> bytes:
    return images.encode_png(np.full((16, 16, 3), level, np.uint8))


def ramp(down: bool = False) -> bytes:
    grey = np.repeat(np.arange(0, 256, 16, dtype=np.uint8)[:, None], 16, 1)
    return images.encode_png(np.repeat((grey[::-1] if down else grey)[..., None], 3, 2))


def row(key: str, dataset: str, target: bytes, *cited: tuple[str, bytes], caption: str = "") -> Row:
    references = tuple(Cited(n, role, "x", data) for n, (role, data) in enumerate(cited, 1))
    told = " ".join(f"[ref#{one.marker}]" for one in references)
    sources = frozenset(data.hex() for _, data in cited)
    return Row(key, dataset, told or "a boat", caption, target, references, sources)


@pytest.fixture
def painter() -> Trained:
    """A model that paints the mean of what its references show, in grey."""
    around = networks.around()
    unet = Known(around, torch.zeros(3, SIDE, SIDE))
    return Trained("nowhere", unet, around, HOW, SIDE, 3)  # type: ignore[arg-type]


def test_a_painter_of_its_references_is_found_to_be_one(painter: Trained) -> None:
    levels = (40, 120, 200)
    several = [
        row(f"{level}", "styled", flat(level), ("style", flat(level)), caption="120")
        for level in levels
    ]
    drawn = evaluate.measure(painter, several, {"image_text": Levels()}, seed=0)
    for one, level, other in zip(drawn, levels, (120, 200, 40), strict=True):
        assert abs(one.right.astype(int) - level).max() <= 1
        assert one.swapped is not None
        assert abs(one.swapped.astype(int) - other).max() <= 1
    style, caption = scores.of(drawn)
    angle = np.pi / 2 / 255
    wanted = np.cos([80 * angle, 80 * angle, 160 * angle]).mean()
    assert (style.check, style.rows, style.better) == ("style_similarity", 3, 1.0)
    np.testing.assert_allclose([style.target, style.right], 1, atol=1e-4)
    assert style.swapped == pytest.approx(wanted, abs=0.01)
    assert caption.check == "caption_similarity"
    # The caption asks for 120: a third of the rows are told that, and do better with their own.
    assert caption.right == pytest.approx(np.cos([80 * angle, 0, 80 * angle]).mean(), abs=0.01)


def test_maps_are_compared_with_the_rows_own_reference(painter: Trained) -> None:
    several = [
        row("up", "depth_webli", ramp(), ("depth", ramp())),
        row("down", "depth_webli", ramp(down=True), ("depth", ramp(down=True))),
    ]
    found = {"image_text": Levels(), "depth": Greens()}
    (depth,) = scores.of(evaluate.measure(painter, several, found, seed=0))
    # The painter paints flat pictures: no depth is seen in them.
    assert (depth.check, depth.right, depth.swapped, depth.better) == (
        "depth_agreement", 0.0, 0.0, 0.5,
    )  # fmt: skip
    assert depth.target > 0.99
    turned = checks.judge(several, [several[1].shown(8), several[1].shown(8)], found)
    assert turned[0]["depth_agreement"] == 0.0
    assert turned[1]["depth_agreement"] == pytest.approx(depth.target, abs=0.01)


@pytest.mark.parametrize(
    ("role", "name", "value"),
    [("mask", "mask_iou", 121 / 127), ("edge", "edge_f1", 0.0), ("sketch", "sketch_f1", 1.0)],
)
def test_each_control_has_the_check_of_its_examples(role: str, name: str, value: float) -> None:
    """What is drawn is three pixels beside what was asked: too far for edges, not for a sketch."""
    drawn = np.zeros((checks.SIDE, checks.SIDE, 3), np.uint8)
    drawn[64:160, 96:99] = 255
    if role == "mask":
        drawn[64:160, 96:220] = 255
    asked = np.roll(drawn, 3, axis=1)
    one = row("a", "x", flat(0), (role, images.encode_png(asked)))
    found = {"image_text": Levels(), "mask": Greens(), "edge": Greens()}
    (told,) = checks.judge([one], [drawn], found)
    assert told == {name: pytest.approx(value)}


def test_only_rows_of_like_references_that_share_no_picture_lend() -> None:
    several = [
        row("a", "styled", flat(1), ("style", flat(9))),
        row("b", "styled", flat(2), ("style", flat(9))),  # the same style
        row("c", "styled", flat(3), ("style", flat(8))),
        row("d", "x", flat(4), ("style", flat(7)), ("content", flat(7))),  # alone
        row("e", "x", flat(5)),
    ]
    lent = [one and [cited.image for cited in one] for one in rows.lent(several)]
    assert lent == [[flat(8)], [flat(8)], [flat(9)], None, None]


def test_a_mean_is_of_the_rows_that_have_the_check() -> None:
    one = row("a", "styled", flat(0))
    picture = np.zeros((8, 8, 3), np.uint8)
    several = [
        Drawn(one, picture, picture, None, None, {"x": 1.0}, {"x": 0.4}, None),
        Drawn(
            one, picture, picture, (), picture, {"x": 0.5, "y": 0.9}, {"x": 0.2, "y": 0.3},
            {"x": 0.2, "y": 0.5},
        ),
    ]  # fmt: skip
    x, y = scores.of(several)
    assert (x.rows, x.target, x.swapped, x.better) == (2, 0.75, 0.2, 0.5)
    assert x.right == pytest.approx(0.3)
    assert (y.rows, y.better) == (1, 0.0)
    assert scores.table({"styled": [x]}).splitlines()[1].split() == [
        "styled", "x", "2", "0.75", "0.30", "0.20", "0.50",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = {"natural": 30, "edge_webli": 30, "suti": 30}
    return loader_sets.write_stage2(tmp_path_factory.mktemp("examples"), made)


def test_rows_are_those_of_the_validation_split(examples: Path) -> None:
    found = rows.read(str(examples), "suti", 100, 3)
    assert sorted(one.key for one in found) == sorted(f"suti{n}" for n in (6, 13, 20, 27))
    assert [len(one.references) for one in found] == [2] * 4
    assert rows.read(str(examples), "suti", 2, 3) == found[:2]
    (single,) = rows.read(str(examples), "suti", 1, 1)
    assert len(single.references) == 1


def test_the_verb(command: Any, examples: Path, tmp_path: Path) -> None:
    models.write_model(tmp_path / "model")
    given = ("--model", tmp_path / "model", "--examples", examples, "--models", "embedded")
    done = command("evaluate", *given, "--output", tmp_path / "out", "--rows", 3)
    assert (done.code, done.lines) == (0, [])
    told = json.loads((tmp_path / "out/scores.json").read_text())
    assert {name: [one["check"] for one in of] for name, of in told["scores"].items()} == {
        "natural": ["caption_similarity"],
        "edge_webli": ["edge_f1", "caption_similarity"],
        "suti": ["subject_similarity", "caption_similarity"],
    }
    for several in told["scores"].values():
        for one in several:
            assert one["rows"] == 3
            assert 0 <= one["right"] <= 1
    assert told["scores"]["natural"][0]["swapped"] is None
    assert done.out.splitlines()[0].split() == [
        "dataset", "check", "rows", "target", "right", "swapped", "better",
    ]  # fmt: skip
    page = (tmp_path / "out/index.html").read_text()
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 3 * 2 + 3 * 5 + 3 * 7  # drawn, target; references twice, swapped
    assert all(one.startswith("data:image/png;base64,") for one in sources)
    assert not re.search(r"https?://|<link|<script", page)
    # The same command gives the same files.
    again = tmp_path / "again"
    assert command("evaluate", *given, "--output", again, "--rows", 3).code == 0
    for name in ("scores.json", "index.html"):
        assert (again / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--examples", "nowhere", "holds no examples"),
        ("--model", "nowhere", "holds no trained network"),
        ("--models", "nowhere", "nowhere"),
        ("--rows", "0", "at least 1"),
    ],
)
def test_wrong_use(
    command: Any, examples: Path, tmp_path: Path, flag: str, value: str, told: str
) -> None:
    models.write_model(tmp_path / "model")
    given = {
        "--model": tmp_path / "model", "--examples": examples, "--output": tmp_path / "out",
        "--models": "embedded", flag: value,
    }  # fmt: skip
    done = command("evaluate", *(one for pair in given.items() for one in pair))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert told in done.err
