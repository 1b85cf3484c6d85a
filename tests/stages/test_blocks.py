"""Blocks: sizes, rejects, conservation, and the commit that goes last."""

import itertools
from pathlib import Path

import apache_beam as beam
import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from instruct_imagen_data import schema, shards
from instruct_imagen_data.errors import ConservationError
from instruct_imagen_data.schema import RejectRow
from instruct_imagen_data.stages import blocks
from instruct_imagen_data.stages.blocks import Block, Reject, WriteBlocks
from pipelines import runners


def reject(origin: str, reason: str = "odd") -> RejectRow:
    return RejectRow("k", origin, "", "s", reason, "", "", "", None, None)


def block(kept: list[str], rejected: list[str], part: str = "a-000") -> Block:
    tables = {
        "rows": pa.table({"origin": pa.array(kept, pa.string())}),
        shards.REJECTS: schema.table_of(RejectRow, [reject(origin) for origin in rejected]),
    }
    return Block(part, len(kept) + len(rejected), True, tables)


@given(st.lists(st.integers(0, 50)), st.integers(1, 7))
def test_chunks(weights: list[int], max_rows: int) -> None:
    found = list(blocks.chunks(weights, lambda weight: weight << 20, max_rows))
    assert [weight for chunk in found for weight in chunk] == weights
    for chunk, following in itertools.zip_longest(found, found[1:], fillvalue=[]):
        assert 1 <= len(chunk) <= max_rows
        assert sum(chunk) << 20 <= blocks.MAX_BYTES or len(chunk) == 1
        if following:  # a chunk ends only where it must
            full = len(chunk) == max_rows
            assert full or (sum(chunk) + following[0]) << 20 > blocks.MAX_BYTES


def test_sift_catches_rejects_alone() -> None:
    def halve(number: int) -> int:
        if number % 2:
            raise Reject("odd", f"{number}", float(number), 2.0)
        return number // 2

    def describe(number: int, why: Reject) -> RejectRow:
        return RejectRow(
            "k", str(number), "", "s", why.reason, why.detail, "", "", why.value, why.limit
        )

    kept, rejected = blocks.sift(range(5), halve, describe)
    assert kept == [0, 1, 2]
    assert [(r.origin, r.reason, r.detail, r.value, r.threshold) for r in rejected] == [
        ("1", "odd", "1", 1.0, 2.0),
        ("3", "odd", "3", 3.0, 2.0),
    ]
    with pytest.raises(ZeroDivisionError):
        blocks.sift([0], lambda n: 1 // n, describe)


def test_conservation() -> None:
    before = block(["1", "2", "3"], ["0"])
    blocks.check_conservation(before, block(["3", "1"], ["0", "2"]), "s")
    for after in (
        block(["1", "2"], ["0"]),  # lost
        block(["1", "2", "3", "3"], ["0"]),  # doubled
        block(["1", "2", "3"], []),  # a reject forgotten
        block(["1", "2", "4"], ["0"]),  # renamed
    ):
        with pytest.raises(ConservationError, match="s, part a-000: rows lost or invented"):
            blocks.check_conservation(before, after, "s")
    uneven = block(["1", "2", "3"], ["0"])
    tables = {**uneven.tables, "more": uneven.tables["rows"].slice(1)}
    with pytest.raises(ConservationError, match="differ in length"):
        blocks.check_conservation(before, Block("a-000", 4, True, tables), "s")


def test_write_blocks(tmp_path: Path) -> None:
    made = [block(["1", "2"], ["0"]), block([], [], "b-000")]
    pipeline = beam.Pipeline(options=runners.pipeline_options([]))
    written = pipeline | beam.Create(made) | WriteBlocks(str(tmp_path))
    written | beam.Map(lambda part: (tmp_path / part).touch())
    runners.run(pipeline)
    assert {path.name for path in tmp_path.iterdir()} == {"a-000", "b-000", "rows", "_rejects"}
    commits = list(shards.read_commits(str(tmp_path)))
    assert [(one.part, one.rows_in, one.rows["rows"], one.reasons) for one in commits] == [
        ("a-000", 3, 2, {"odd": 1}),
        ("b-000", 0, 0, {}),
    ]
