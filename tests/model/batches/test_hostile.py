"""Folders and rows that are not as they should be: one clear line, or a stand-in."""

import dataclasses
import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.loader_sets import TEMPLATES, write_stage1, write_stage2

from instruct_imagen_data import schema
from instruct_imagen_data.errors import SchemaMismatch, UsageError
from model import batches
from model.batches import DataConfig

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


def config_of(folder: Path, **changes: Any) -> DataConfig:
    stage = 1 if (folder / "neighbourhoods").exists() else 2
    given = {"stage": stage, "size": 8, "batch_size": 4, "lanes": 4, "window": 8}
    return DataConfig(str(folder), templates=str(folder / "templates"), **(given | changes))


def keys_of(config: DataConfig, many: int) -> list[str]:
    stream = batches.stream(config)
    taken = itertools.islice(stream, -(-many // config.batch_size))
    return [key for batch in taken for key in batch.keys][:many]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return write_stage2(tmp_path / "two", {"natural": 90, "suti": 40})


def broken(*rows: int) -> Callable[[schema.Example], schema.Example]:
    """Targets of these rows of `natural` do not decode."""
    names = {f"natural{row}" for row in rows}

    def change(one: schema.Example) -> schema.Example:
        bad = dataclasses.replace(one.image, bytes=one.image.bytes[:30])
        return dataclasses.replace(one, image=bad) if one.key in names else one

    return change


def test_a_bad_row_is_replaced_and_nothing_else_moves(two: Path, tmp_path: Path) -> None:
    bad = {"natural3", "natural50"}
    other = write_stage2(tmp_path / "bad", {"natural": 90, "suti": 40}, broken(3, 50))
    whole, found = keys_of(config_of(two), 200), keys_of(config_of(other), 200)
    differ = [(one, two) for one, two in zip(whole, found, strict=True) if one != two]
    assert len(differ) >= 2
    assert {one for one, _ in differ} == bad
    assert not bad & set(found)
    assert all(stand_in.startswith("natural") for _, stand_in in differ)


def test_bad_rows_are_counted_once_each(tmp_path: Path) -> None:
    folder = write_stage2(tmp_path / "bad", {"natural": 30}, broken(1, 2))
    stream = batches.stream(config_of(folder, max_bad_rows=2))
    counts = [next(stream).bad_rows for _ in range(40)]
    assert counts[-1] == 2
    assert counts == sorted(counts)


@pytest.mark.parametrize("workers", [0, 1])
def test_too_many_bad_rows_name_part_row_and_key(tmp_path: Path, workers: int) -> None:
    folder = write_stage2(tmp_path / "bad", {"natural": 30}, broken(*range(20)))
    with pytest.raises(UsageError) as told:
        keys_of(config_of(folder, max_bad_rows=3, workers=workers), 100)
    line = str(told.value)
    assert "\n" not in line
    assert re.match("[4-7] rows cannot be used, more than --max-bad-rows 3; the last is row ", line)
    assert f"of {folder}/natural/part-0000" in line
    assert ", key natural" in line
    assert line.endswith("corrupt: SyntaxError: broken PNG file (incomplete checksum in b'IHDR')")


def test_a_window_without_a_good_row_says_so(tmp_path: Path) -> None:
    folder = write_stage2(tmp_path / "bad", {"natural": 3}, broken(0, 1, 2))
    with pytest.raises(UsageError, match="3 rows cannot be used, all of a window; the last is row"):
        keys_of(config_of(folder, max_bad_rows=9), 1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_part_damaged_behind_its_footer_is_named(tmp_path: Path, workers: int) -> None:
    folder = write_stage1(tmp_path / "one", rows=30, parts=1)
    path = folder / "neighbourhoods" / "part-00000.parquet"
    data = bytearray(path.read_bytes())
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):  # the header of the page of each picture column
        for number in range(len(file.schema)):
            column = file.metadata.row_group(group).column(number)
            if column.path_in_schema.endswith("bytes"):
                start = column.dictionary_page_offset or column.data_page_offset
                data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"part-00000.parquet is damaged") as told:
        keys_of(config_of(folder, workers=workers), 8)
    assert "\n" not in str(told.value)


def truncate(folder: Path) -> None:
    path = folder / "natural" / "part-00001.parquet"
    path.write_bytes(path.read_bytes()[:-200])


def other_schema(folder: Path) -> None:
    table = pa.table({"key": ["a"], "split": ["train"]})
    pq.write_table(table, folder / "natural" / "part-00001.parquet")


def only_validation(folder: Path) -> None:
    for path in sorted((folder / "natural").glob("part-*")):
        table = pq.read_table(path)
        place = table.schema.get_field_index("split")
        column = pa.array(["validation"] * table.num_rows)
        pq.write_table(table.set_column(place, table.schema.field(place), column), path)


def untested_templates(folder: Path) -> None:
    path = folder / "templates" / "natural.toml"
    path.write_text(path.read_text().replace('"train"', '"validation"'))


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no folder": (shutil.rmtree, "holds no mixture.toml: name what"),
    "no mixture": (lambda one: (one / "mixture.toml").unlink(), "holds no mixture.toml: name what"),
    "bad mixture": (lambda one: (one / "mixture.toml").write_text("x"), "is no TOML"),
    "binary mixture": (lambda one: (one / "mixture.toml").write_bytes(b"\xff"), "is no text"),
    "unfinished": (
        lambda one: (one / "natural" / "_MANIFEST.json").unlink(),
        "holds no finished instruct",
    ),
    "of another job": (
        lambda one: (one / "natural" / "_MANIFEST.json").write_text(json.dumps({"job": "derive"})),
        "was written by 'derive', not by 'instruct'",
    ),
    "part gone": (lambda one: (one / "natural/part-00000.parquet").unlink(), "is gone"),
    "truncated": (truncate, r"part-00001.parquet is damaged"),
    "empty file": (
        lambda one: (one / "natural/part-00000.parquet").write_bytes(b""),
        "part-00000.parquet is damaged",
    ),
    "no train row": (only_validation, "draws natural, which has no row of the split train"),
    "no templates": (lambda one: shutil.rmtree(one / "templates"), "cannot be read as templates"),
    "no train template": (untested_templates, "holds no template of the split train"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_one_clear_line(two: Path, name: str) -> None:
    damage, message = HOSTILE[name]
    damage(two)
    with pytest.raises(UsageError, match=message) as told:
        batches.stream(config_of(two, stage=2))
    assert "\n" not in str(told.value)


def test_another_schema_is_named_field_by_field(two: Path) -> None:
    other_schema(two)
    with pytest.raises(SchemaMismatch, match=r"part-00001.parquet: field 'key' is string, wanted"):
        batches.stream(config_of(two))


def test_stage_1_refuses_what_is_not_its_own(two: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished neighbours"):
        batches.stream(config_of(two, stage=1))
    file = tmp_path / "file"
    file.write_text("")
    for stage, message in ((1, "is a file"), (2, "holds no mixture.toml")):
        with pytest.raises(UsageError, match=message):
            batches.stream(DataConfig(str(file), stage=stage))
    empty = write_stage1(tmp_path / "empty", rows=0, parts=1)
    with pytest.raises(UsageError, match="holds no row of the split train"):
        batches.stream(config_of(empty))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": 3}, "stage 3: 1 "),
        ({"split": "test"}, "split 'test': train or validation"),
        ({"size": 0}, "size 0: at least 1"),
        ({"lanes": 0}, "lanes 0: at least 1"),
        ({"workers": -1}, "workers -1: at least 0"),
        ({"drop_both": 0.8, "drop_context": 0.4}, "together at most 1"),
    ],
)
def test_settings_that_make_no_sense(two: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        batches.make_plan(config_of(two, **changes))


def test_rows_without_a_template_are_bad_rows(tmp_path: Path) -> None:
    def nameless(one: schema.Example) -> schema.Example:
        return dataclasses.replace(one, caption="") if one.key == "natural4" else one

    folder = write_stage2(tmp_path / "two", {"natural": 20}, nameless, TEMPLATES)
    assert "natural4" not in keys_of(config_of(folder), 60)
    with pytest.raises(UsageError, match="key natural4: no train template that needs only"):
        keys_of(config_of(folder, max_bad_rows=0), 60)
