"""Measuring, with arithmetic for networks: what is stored of a picture, and what is refused."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from instruct_imagen_data import images, keys, schema, shards
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.quality import Quality
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.stages import measure
from instruct_imagen_data.stages.blocks import Block, check_conservation

Picture = Callable[..., bytes]
SIDE = 8


def small(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return rgb[:SIDE, :SIDE]


class Brightness:
    """Quality is the mean of the pixels, 0 to 255."""

    def __init__(self, bins: bool) -> None:
        self.bins = bins

    def prepare(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return small(rgb)

    def __call__(self, batch: Sequence[npt.NDArray[np.uint8]]) -> Quality:
        value = np.array([rgb.mean() for rgb in batch], np.float32)
        deviation = np.array([rgb.std() for rgb in batch], np.float32)
        return Quality(
            value, deviation, np.full((len(batch), 10), 0.1, np.float32) if self.bins else None
        )


class Colours:
    """A picture's vector is its mean colour; a text's is that of the colour it names first."""

    dimension = 3
    NAMES = ("red", "green", "blue")

    def __init__(self) -> None:
        self.longest = 0

    def prepare(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return small(rgb)

    @staticmethod
    def _unit(rows: Any) -> npt.NDArray[np.float32]:
        array = np.asarray(rows, np.float32).reshape(-1, 3) + 1e-3
        unit: npt.NDArray[np.float32] = array / np.linalg.norm(array, axis=1, keepdims=True)
        return unit

    def images(self, batch: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        return self._unit([rgb.mean((0, 1)) for rgb in batch])

    def texts(self, batch: Sequence[str]) -> npt.NDArray[np.float32]:
        self.longest = max(self.longest, *map(len, batch), 0, 0)
        return self._unit([[text.startswith(name) for name in self.NAMES] for text in batch])


def instruments(direction: str = "higher", bins: bool = True) -> measure.Instruments:
    embedded = model_set.load_set("embedded")
    domains = tuple(model_set.Domain(name, (name,)) for name in Colours.NAMES)
    models = dataclasses.replace(
        embedded,
        quality=dataclasses.replace(embedded.quality, direction=direction, low=0.0, high=255.0),
        image_text=dataclasses.replace(
            embedded.image_text, logit_scale=10.0, min_probability=0.5, min_margin=0.1
        ),
        domains=domains[:2],
        rejects=domains[2:],
    )
    colours = Colours()
    networks = model_set.Networks(Brightness(bins), colours)  # type: ignore[arg-type]
    return measure.Instruments(models, networks, colours.texts(list(Colours.NAMES)))


def plain(colour: tuple[int, int, int], kind: str = "PNG", side: int = 70) -> bytes:
    rgb = np.full((side, side, 3), colour, np.uint8)
    return images.encode_png(rgb) if kind == "PNG" else images.encode_jpeg(rgb)


def block(pairs: list[RawPair]) -> Block:
    tables = {
        "pairs": schema.table_of(RawPair, pairs),
        shards.REJECTS: schema.table_of(
            RejectRow, [RejectRow("k", "a#x", "", "read", "missing_image", "", "", "", None, None)]
        ),
    }
    return Block("a-000", len(pairs) + 1, True, tables)


def pair(
    name: str, image: bytes, caption: str = "red", url: str = "https://a.org/1.jpg"
) -> RawPair:
    return RawPair(f"a#{name}", url, caption, image, "CC0", '{"n": 1}')


def run(pairs: list[RawPair], made: measure.Instruments, **limits: int) -> Block:
    before = block(pairs)
    after = measure.measure_block(before, made, images.Limits(**limits))
    check_conservation(before, after, "corpus")
    assert list(after.tables) == ["images", "scores", "embeddings", shards.REJECTS]
    for name, record in [
        ("images", schema.Image),
        ("scores", schema.Score),
        ("embeddings", schema.Embedding),
    ]:
        shards.check_schema(after.tables[name].schema, record, name)
    return after


def test_what_is_stored_of_a_picture(picture: Picture) -> None:
    data = picture(3, 200, 100)
    url = "https://Example.com/a/Cat.jpg?utm_source=x"
    after = run([pair("1", data, "red Cat", url)], instruments())
    (image,), (score,) = (after.tables[name].to_pylist() for name in ("images", "scores"))
    key = keys.pair_key(url, "red Cat", data)
    assert image == {
        "key": key,
        "origin": "a#1",
        "url": url,
        "caption": "red Cat",
        "image": {"bytes": data, "path": f"{key[:16]}.jpg"},  # the bytes that were read
        "width": 200,
        "height": 100,
        "original_width": 200,
        "original_height": 100,
        "reencoded": False,
        "sha256": hashlib.sha256(data).hexdigest(),
        "phash": images.perceptual_hash(images.read(data, images.Limits()).rgb),
        "licence": "CC0",
        "metadata": '{"n": 1}',
    }
    assert score["key"] == key
    assert score["phash"] == image["phash"]
    assert score["url_id"] == keys.id64("example.com/a/Cat.jpg")
    assert score["caption_id"] == keys.id64("red cat")
    assert score["file_id"] == keys.id64("example.com/cat.jpg")
    assert score["bytes_id"] == keys.id64(image["sha256"])


def test_a_large_picture_is_shrunk_and_encoded_anew(picture: Picture) -> None:
    data = picture(3, 400, 200)
    (image,) = run([pair("1", data)], instruments(), max_side=100).tables["images"].to_pylist()
    assert (image["width"], image["height"]) == (100, 50)
    assert (image["original_width"], image["original_height"], image["reencoded"]) == (
        400,
        200,
        True,
    )
    assert image["image"]["bytes"] != data
    assert image["sha256"] == hashlib.sha256(data).hexdigest()


def test_scores_and_domains() -> None:
    colours = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250), "grey": (99, 99, 99)}
    pairs = [pair(name, plain(colour), f"{name} thing") for name, colour in colours.items()]
    after = run(pairs, instruments())
    scores = after.tables["scores"].to_pylist()
    assert [one["domain"] for one in scores[:3]] == ["red", "green", "blue"]
    assert [one["domain_accepted"] for one in scores] == [True, True, False, False]
    assert scores[3]["domain_margin"] == pytest.approx(0, abs=1e-6)
    assert [one["similarity"] for one in scores[:3]] == pytest.approx([1, 1, 1], abs=1e-4)
    assert [one["quality"] for one in scores] == pytest.approx([250 / 3] * 3 + [99])
    assert sum(scores[0]["distribution"]) == pytest.approx(1)
    vectors = schema.vectors_of(after.tables["embeddings"]["image_vector"])
    assert np.linalg.norm(vectors.astype(np.float32), axis=1) == pytest.approx(1, abs=1e-3)
    mirrored = run(pairs, instruments("lower", bins=False)).tables["scores"].to_pylist()
    assert [one["quality"] for one in mirrored] == pytest.approx([255 - 250 / 3] * 3 + [156])
    assert mirrored[0]["distribution"] == []


def test_rejects(picture: Picture) -> None:
    good = picture(1)
    bad = {
        "empty": (b"", "red", "empty_image"),
        "html": (b"<html>not found</html>", "red", "not_an_image"),
        "cut": (picture(2, 300, 300)[:3000], "red", "truncated"),
        "small": (picture(2, 63, 90), "red", "too_small"),
        "long": (picture(2, 500, 80), "red", "aspect_ratio"),
        "silent": (good, " \n\t", "empty_caption"),
        "both": (b"", "", "empty_image"),  # the picture is looked at first
    }
    pairs = [pair("good", good)]
    pairs += [pair(name, data, caption) for name, (data, caption, _) in bad.items()]
    after = run(pairs, instruments())
    assert after.tables["images"]["origin"].to_pylist() == ["a#good"]
    first, *rows = after.rejects.to_pylist()
    assert (first["origin"], first["stage"]) == ("a#x", "read")  # of the stage before
    assert [(row["origin"], row["reason"]) for row in rows] == [
        (f"a#{name}", reason) for name, (_, _, reason) in bad.items()
    ]
    for row, one in zip(rows, pairs[1:], strict=True):
        assert row["key"] == keys.pair_key(one.url, one.caption, one.image)
        assert row["sha256"] == hashlib.sha256(one.image).hexdigest()
        assert (row["url"], row["stage"]) == (one.url, "corpus")


def test_nothing_in_nothing_out() -> None:
    after = run([], instruments())
    assert [table.num_rows for table in after.tables.values()] == [0, 0, 0, 1]
    assert after.tables["embeddings"].schema.field("image_vector").type.list_size == 3
    assert run([pair("1", b"")], instruments(bins=False)).rejects.num_rows == 2


def test_networks_see_the_start_of_a_caption(picture: Picture) -> None:
    """A tokenizer takes time quadratic in a word's length; the caption is kept whole."""
    made = instruments()
    caption = "green " + "x" * 1_000_000
    after = run([pair("1", picture(1), caption)], made)
    assert after.tables["images"]["caption"].to_pylist() == [caption]
    assert made.networks.image_text.longest <= 2000  # type: ignore[attr-defined]
    spaced = run([pair("1", picture(1), " " * 5000 + "green")], made)
    assert pa.compute.max(spaced.tables["scores"]["similarity"]).as_py() is not None
