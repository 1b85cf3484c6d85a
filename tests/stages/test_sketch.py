"""Drawings as conditions, and what is left of a group whose pictures cannot be used."""

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from instruct_imagen_data import images, schema
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.schema import RawPair
from instruct_imagen_data.stages.blocks import Reject
from instruct_imagen_data.stages.derived import Networks, SourceBlock, Terms
from instruct_imagen_data.stages.opened import Opened
from instruct_imagen_data.stages.sketch import lines_of, sketch_block


def drawing(paper: int, ink: int, width: int = 80, height: int = 60) -> np.ndarray:
    """A cross of ink on paper."""
    rgb = np.full((height, width, 3), paper, np.uint8)
    rgb[height // 2] = rgb[:, width // 2] = ink
    return rgb


def test_lines_are_white_on_black() -> None:
    dark, light = lines_of(drawing(255, 0), 80, 60), lines_of(drawing(0, 255), 80, 60)
    assert (dark == light).all()
    assert dark.dtype == np.uint8
    wanted = np.zeros((60, 80), np.uint8)
    wanted[30] = wanted[:, 40] = 255
    assert (dark == wanted).all()
    assert lines_of(drawing(255, 0), 40, 30).shape == (30, 40)


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [(80, 60, True), (41, 30, True), (85, 60, False), (60, 80, False), (80, 63, False)],
)
def test_a_drawing_of_another_shape(width: int, height: int, fits: bool) -> None:
    if fits:
        assert lines_of(drawing(255, 0), width, height).shape == (height, width)
        return
    with pytest.raises(Reject) as refused:
        lines_of(drawing(255, 0), width, height)
    assert refused.value.reason == "misaligned"
    assert refused.value.value == pytest.approx(80 / 60 * height / width)


class Edges:
    """Where the brightness jumps: what any edge network sees in a picture of two levels."""

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Map]:
        return [Map(cv2.Canny(rgb, 50, 150)) for rgb in pictures]


def encoded(rgb: np.ndarray, kind: str = "PNG") -> bytes:
    sink = io.BytesIO()
    PIL.Image.fromarray(rgb).save(sink, kind)
    return sink.getvalue()


def pair(path: str, data: bytes, caption: str = "", licence: str = "CC0") -> RawPair:
    return RawPair(path, f"file:{path}", caption, data, licence, "")


def photo() -> np.ndarray:
    rgb = np.full((96, 128, 3), 60, np.uint8)
    rgb[24:72, 32:96] = 200
    return rgb


def outline(shift: int = 0) -> np.ndarray:
    rgb = np.full((96, 128, 3), 255, np.uint8)
    corners = [(32 + shift, 24 + shift), (95 + shift, 71 + shift)]
    return cv2.rectangle(rgb, *corners, (0, 0, 0), 1)


PHOTO, GOOD = encoded(photo()), encoded(outline())


def derive(pairs: list[RawPair], terms: Terms | None = None) -> Any:
    opened = Opened("a", {}, tuple(pairs), "train")
    block = SourceBlock(
        "00000", ("sketch2image",), (), [opened], schema.table_of(schema.RejectRow, [])
    )
    networks = Networks({"edge": Edges()}, {"edge": "MIT"})
    found = sketch_block(block, networks, terms=terms or Terms(), limits=images.Limits(), side=96)
    made = found["sketch2image"]
    reasons = {row["origin"]: row["reason"] for row in made.rejects.to_pylist()}
    assert len(reasons) == made.rejects.num_rows
    return made.rows.to_pylist(), reasons


def test_the_check_falls_as_lines_move_away() -> None:
    shifted = [pair(f"d/a_{i}.png", encoded(outline(i))) for i in (0, 3, 16)]
    rows, reasons = derive([pair("image/a.jpg", PHOTO, "a square"), *shifted])
    assert reasons == {}
    values = [row["checks"][0]["value"] for row in rows]
    assert values[0] == 1.0
    assert values[1] > 0.95  # people draw what they see, not where it is
    assert values[2] < 0.2
    assert {row["licence"] for row in rows} == {"CC0; MIT"}


@pytest.mark.parametrize(
    ("pairs", "rows", "reasons"),
    [
        ([pair("image/a.jpg", PHOTO, "a"), pair("d/a_1.png", GOOD)], 1, []),
        ([pair("image/a.jpg", PHOTO, "a")], 0, ["no_drawing"]),
        ([pair("image/a.jpg", PHOTO), pair("d/a_1.png", GOOD)], 0, ["no_caption", "no_photo"]),
        ([pair("d/a_1.png", GOOD), pair("d/a_2.png", GOOD)], 0, ["no_photo", "no_photo"]),
        ([pair("image/a.jpg", PHOTO[:90], "a"), pair("d/a_1.png", GOOD)], 0,
         ["truncated", "no_photo"]),
        ([pair("image/a.jpg", PHOTO, "a"), pair("d/a_1.png", GOOD[:90])], 0,
         ["no_drawing", "truncated"]),
        ([pair("image/a.jpg", PHOTO, "a"), pair("d/a_1.png", b"text"), pair("d/a_2.png", GOOD)], 1,
         ["not_an_image"]),
        ([pair("image/a.jpg", PHOTO, "a", "own"), pair("d/a_1.png", GOOD)], 0,
         ["licence", "no_photo"]),
        ([pair("image/a.jpg", PHOTO, "a"), pair("d/a_1.png", GOOD, "", "own")], 0,
         ["no_drawing", "licence"]),
        ([pair("image/a.jpg", PHOTO, "a"), pair("d/a_1.png", encoded(outline(20)))], 0,
         ["no_drawing", "check"]),
        ([], 0, []),
    ],
)  # fmt: skip
def test_every_picture_of_a_group_counts(
    pairs: list[RawPair], rows: int, reasons: list[str]
) -> None:
    found, rejected = derive(pairs, Terms("commercial", 0.5))
    assert len(found) == rows
    assert Counter(rejected.values()) == Counter(reasons)
    cited = {key for row in found for key in row["sources"]}
    assert len(cited) + len(rejected) == len(pairs)
