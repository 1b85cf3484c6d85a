"""What we write opens in the libraries that other people read with, pictures as pictures."""

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import pandas as pd
import PIL.Image
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import webdataset
from helpers import instructed

from instruct_imagen_data import schema, shards
from instruct_imagen_data.schema import Derived, Encoded, Example, Image, Member, Neighbourhood

NAME = "rows"
PARTS = ("00000-000", "00000-001")


def image(number: int) -> Image:
    return Image(
        f"{number:064x}", f"0.tar#{number}", "https://a.example/", instructed.CAPTIONS[number % 6],
        instructed.encoded(number, ("PNG", "WEBP", "JPEG")[number % 3]), 16, 12, 160, 120, False,
        "5" * 64, bytes(range(number, number + 32)), "CC0", '{"n": 1}',
    )  # fmt: skip


def neighbourhood(number: int) -> Neighbourhood:
    members = tuple(
        Member(f"{number + one:064x}", f"view {one}", instructed.encoded(number + one))
        for one in range(5)
    )
    cosines = tuple(float(np.float32(0.5 + one / 70)) for one in range(10))
    return Neighbourhood(f"{number:064x}", "food", "food/1", "train", members, cosines)


# Record -> rows; the examples are of all shapes: no reference, several under a marker, variants.
SHAPES = ("natural", "suti", "edge_webli", "style_transfer")
ROWS: dict[type, list[Any]] = {
    Example: [instructed.example(name, number) for name in SHAPES for number in range(6)],
    Derived: [instructed.derived(name, number) for name in SHAPES for number in range(6)],
    Image: [image(number) for number in range(9)],
    Neighbourhood: [neighbourhood(number) for number in range(7)],
}


@dataclasses.dataclass(frozen=True)
class Written:
    """Rows on disk, in two parts."""

    folder: Path
    record: type
    rows: Sequence[Any]

    @property
    def pattern(self) -> str:
        return str(self.folder / NAME / "part-*.parquet")


@pytest.fixture(scope="module", params=list(ROWS), ids=lambda record: record.__name__)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    record, folder = request.param, tmp_path_factory.mktemp("written")
    rows = ROWS[record]
    for part, some in zip(PARTS, (rows[:4], rows[4:]), strict=True):
        shards.write_part(str(folder), NAME, part, schema.table_of(record, some))
    return Written(folder, record, rows)


def check(found: Any, wanted: Any, where: str = "", *, decoded: bool = False) -> None:
    """Compares a value as a library gives it with the one that was written.

    Args:
      decoded: pictures are Pillow's; else structs of bytes and path.
    """
    if isinstance(wanted, Encoded) and decoded:
        known = np.asarray(PIL.Image.open(io.BytesIO(wanted.bytes)))
        assert isinstance(found, PIL.Image.Image), where
        np.testing.assert_array_equal(np.asarray(found), known, where)
    elif dataclasses.is_dataclass(wanted):
        names = [field.name for field in dataclasses.fields(wanted)]
        assert isinstance(found, Mapping), where
        assert list(found) == names, where
        for name in names:
            check(found[name], getattr(wanted, name), f"{where}.{name}", decoded=decoded)
    elif isinstance(wanted, tuple):
        assert len(found) == len(wanted), where
        for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
            check(one, other, f"{where}[{number}]", decoded=decoded)
    elif isinstance(wanted, float):
        assert np.float32(found) == np.float32(wanted), where
    else:
        assert type(found)(wanted) == found, where
        assert isinstance(found, type(wanted) | np.generic), where


def check_rows(found: Sequence[Any], written: Written, *, decoded: bool = False) -> None:
    assert len(found) == len(written.rows)
    for number, (one, wanted) in enumerate(zip(found, written.rows, strict=True)):
        check(one, wanted, f"row {number}", decoded=decoded)


def test_ours(written: Written) -> None:
    tables = [shards.read_part(str(written.folder), NAME, part, written.record) for part in PARTS]
    check_rows(pa.concat_tables(tables).to_pylist(), written)


@pytest.mark.parametrize("streaming", [False, True])
def test_hugging_face_datasets(written: Written, tmp_path: Path, streaming: bool) -> None:
    found = datasets.load_dataset(
        "parquet", data_files=written.pattern, cache_dir=str(tmp_path), streaming=streaming
    )["train"]
    check_rows(list(found), written, decoded=True)


def test_hugging_face_knows_where_pictures_are(written: Written, tmp_path: Path) -> None:
    found = datasets.load_dataset("parquet", data_files=written.pattern, cache_dir=str(tmp_path))
    features = found["train"].features
    if written.record is Neighbourhood:
        assert isinstance(features["members"].feature["image"], datasets.Image)
        return
    assert isinstance(features["image"], datasets.Image)
    if written.record is not Image:
        reference = features["references"].feature
        assert isinstance(reference["image"], datasets.Image)
        assert isinstance(reference["variants"].feature["image"], datasets.Image)


def test_pyarrow_dataset(written: Written) -> None:
    found = ds.dataset(written.folder / NAME)
    check_rows(found.to_table().to_pylist(), written)
    name = "key" if written.record is not Neighbourhood else "id"
    wanted = getattr(written.rows[5], name)
    some = found.to_table(filter=ds.field(name) == wanted).to_pylist()
    assert some
    assert {row[name] for row in some} == {wanted}


def test_duckdb(written: Written) -> None:
    with duckdb.connect() as database:
        query = f"SELECT * FROM read_parquet('{written.pattern}')"
        found = database.sql(query).to_arrow_table()
        check_rows(found.to_pylist(), written)
        if written.record is Example:  # a picture of a list, by SQL alone
            sizes = database.execute(
                f'SELECT octet_length("references"[1].image.bytes) FROM ({query}) '
                "WHERE dataset = 'suti' ORDER BY key"
            ).fetchall()
            wanted = sorted(
                (row.key, len(row.references[0].image.bytes))
                for row in written.rows
                if row.dataset == "suti"
            )
            assert [size for (size,) in sizes] == [size for _, size in wanted]


def test_pandas(written: Written) -> None:
    found = pd.read_parquet(written.folder / NAME)
    assert list(found.columns) == schema.schema_of(written.record).names
    check_rows(found.to_dict("records"), written)


def test_polars(written: Written) -> None:
    for found in (
        polars.read_parquet(written.pattern),
        polars.scan_parquet(written.pattern).collect(),
    ):
        check_rows(found.to_dicts(), written)


# The library leaves the files that it opens to the garbage collector.
@pytest.mark.filterwarnings(r"ignore:unclosed file .*suti-00000\.tar:ResourceWarning")
def test_webdataset(command: Callable[..., Any], tmp_path: Path) -> None:
    rows = [instructed.example("suti", number) for number in range(12)]
    instructed.write(tmp_path / "train", "suti", [rows[:5], rows[5:]])
    assert command("export", "--to", "webdataset", tmp_path / "train", tmp_path / "out").code == 0
    for split in ("train", "validation"):
        tar = tmp_path / "out" / split / "suti-00000.tar"
        found = list(webdataset.WebDataset(str(tar), shardshuffle=False).decode("pil"))
        wanted = [row for row in rows if row.split == split]
        assert [one["__key__"] for one in found] == [row.key for row in wanted]
        for one, row in zip(found, wanted, strict=True):
            assert one["json"]["instruction"] == row.instruction
            (measured,) = one["json"]["checks"]
            check(measured, row.checks[0])
            pictures = [(one["json"]["image"], row.image)] + [
                (told["image"], reference.image)
                for told, reference in zip(one["json"]["references"], row.references, strict=True)
            ]
            for told, encoded in pictures:
                member = told["file"].removeprefix(f"{row.key}.")
                known = PIL.Image.open(io.BytesIO(encoded.bytes)).convert("RGB")
                np.testing.assert_array_equal(np.asarray(one[member]), np.asarray(known))
    assert json.loads((tmp_path / "out" / shards.MANIFEST).read_text())["to"] == "webdataset"
