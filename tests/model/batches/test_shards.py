"""Rows by number: those of the split alone, from a cache that stays within its bounds."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers.loader_sets import split_of, write_stage1

from instruct_imagen_data import schema, shards
from model.batches import shards as reading
from model.batches.shards import Reader, Rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stage1(tmp_path_factory.mktemp("stage1") / "neighbourhoods", rows=61, group=8)


def rows_of(folder: Path, split: str = "train") -> Rows:
    parts = shards.list_parts(str(folder), "neighbourhoods")
    columns = ("id", "members")
    return reading.find(str(folder), "neighbourhoods", parts, schema.Neighbourhood, split, columns)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_rows_are_those_of_the_split_in_order(folder: Path, split: str) -> None:
    rows = rows_of(folder, split)
    reader = Reader(1 << 30)
    found = [reader.row(rows, *rows.place(number)) for number in range(len(rows))]
    assert [one["id"] for one in found] == [f"id{n}" for n in range(61) if split_of(n) == split]
    assert set(found[0]) == {"id", "members"}
    part, row = rows.place(len(rows) - 1)
    table = pq.read_table(rows.path(part)).to_pylist()
    assert table[row]["id"] == found[-1]["id"]


def test_groups_stay_at_hand_within_the_limit(folder: Path) -> None:
    rows = rows_of(folder)
    groups = sum(len(ends) for ends in rows.group_ends)
    places = [rows.place(number) for number in range(len(rows))]
    large, small = Reader(1 << 30), Reader(1)
    for _ in range(3):
        for place in places:
            assert large.row(rows, *place) == small.row(rows, *place)
    assert large.reads == groups
    assert small.reads == 3 * groups  # one group is held, and the rows lie in order
    assert len(small._groups) == 1


def test_what_is_held_is_counted(folder: Path) -> None:
    rows = rows_of(folder)
    limit = 40_000
    reader = Reader(limit)
    for number in (*range(len(rows)), *range(0, len(rows), 5)):
        reader.row(rows, *rows.place(number))
        held = sum(table.nbytes for table in reader._groups.values())
        assert held == reader._held
        assert held <= limit or len(reader._groups) == 1
    assert len(reader._groups) > 1
