"""Parts, commits and the two JSON files."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import encoding, schema, shards
from instruct_imagen_data.errors import SchemaMismatch, UsageError
from instruct_imagen_data.schema import Embedding, Member, RejectRow


def reject(number: int, reason: str = "truncated") -> RejectRow:
    return RejectRow(f"{number:064x}", f"a#{number}", "", "read", reason, "", "", "", None, 1.5)


def rejects(*reasons: str) -> pa.Table:
    return schema.table_of(RejectRow, [reject(n, reason) for n, reason in enumerate(reasons)])


def embeddings(rows: int, dimension: int = 8) -> pa.Table:
    vectors = np.arange(rows * dimension, dtype=np.float32).reshape(rows, dimension)
    column = schema.vector_column(vectors)
    keys = pa.array([str(n) for n in range(rows)], pa.string())
    return pa.table([keys, column, column], schema=schema.schema_of(Embedding, dimension))


def test_a_part_comes_back(tmp_path: Path) -> None:
    folder = str(tmp_path)
    table = embeddings(5)
    shards.write_part(folder, "embeddings", "a-000", table)
    found = shards.read_part(folder, "embeddings", "a-000", Embedding)
    assert found.equals(table)
    assert shards.read_part(folder, "embeddings", "a-000", None, ["key"]).column_names == ["key"]
    assert schema.vectors_of(found["image_vector"]).shape == (5, 8)
    assert shards.list_parts(folder, "embeddings") == ["a-000"]
    assert shards.list_parts(folder, "none") == []


def test_a_part_of_another_record_is_refused(tmp_path: Path) -> None:
    shards.write_part(str(tmp_path), "x", "a-000", rejects("truncated"))
    with pytest.raises(SchemaMismatch, match=r"part-a-000.parquet: no field 'image_vector'"):
        shards.read_part(str(tmp_path), "x", "a-000", Embedding)


def test_equal_tables_are_equal_bytes() -> None:
    """Whatever chunks the table is in."""
    whole = embeddings(30)
    pieces = pa.concat_tables([whole.slice(n, 10) for n in (0, 10, 20)])
    assert encoding.serialise(whole).equals(encoding.serialise(pieces))


def test_pictures_lie_in_small_groups_as_they_are() -> None:
    inner = schema.schema_of(schema.Image)
    picture = {"bytes": b"\xff\xd8" + bytes(5000), "path": "x.jpg"}
    sides = dict.fromkeys(("width", "height", "original_width", "original_height"), 1)
    other = sides | {"reencoded": False, "phash": bytes(32), "image": picture}
    rows = [dict.fromkeys(inner.names, "") | other | {"key": str(n)} for n in range(250)]
    file = pq.ParquetFile(io.BytesIO(encoding.serialise(pa.Table.from_pylist(rows, inner))))
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [100, 100, 50]
    columns = {
        (column := file.metadata.row_group(0).column(n)).path_in_schema: column
        for n in range(file.metadata.num_columns)
    }
    assert columns["image.bytes"].compression == "UNCOMPRESSED"
    assert "PLAIN_DICTIONARY" not in columns["image.bytes"].encodings
    assert "RLE_DICTIONARY" not in columns["image.bytes"].encodings
    assert columns["caption"].compression == "ZSTD"
    members = pa.table(
        {"members": pa.array([[]], pa.list_(schema.schema_of(Member).field("image").type))}
    )
    assert encoding._has_pictures(members)
    assert not encoding._has_pictures(embeddings(1))


def test_names_of_blocks() -> None:
    for stem, index in [("00012", 3), ("a-003", 0), ("x.y", 1234)]:
        assert shards.stem_and_index(shards.block_part(stem, index)) == (stem, index)
    assert shards.block_part("00012", 3) == "00012-003"


def test_the_rejects_are_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    write = shards.write_part

    def watched(folder: str, dataset: str, *rest: object, **footer: str) -> str:
        order.append(dataset)
        return write(folder, dataset, *rest, **footer)  # type: ignore[arg-type]

    monkeypatch.setattr(shards, "write_part", watched)
    tables = {shards.REJECTS: rejects("too_small", "truncated", "too_small"), "x": embeddings(2)}
    commit = shards.commit_block(str(tmp_path), "a-001", tables, rows_in=5, last=True)
    assert order == ["x", shards.REJECTS]
    assert commit.reasons == {"too_small": 2, "truncated": 1}
    assert commit.rows == {"x": 2, shards.REJECTS: 3}
    shards.commit_block(str(tmp_path), "a-000", {shards.REJECTS: rejects()}, rows_in=0, last=False)
    first, second = shards.read_commits(str(tmp_path))
    assert second == commit == shards.read_commit(str(tmp_path), "a-001")
    assert (first.part, first.rows_in, first.last, first.reasons) == ("a-000", 0, False, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\xff",
        '{"job": "corpus"}',
        '{"job": "x", "settings": [], "inputs": {}}',
    ],
)
def test_damaged_job_files(tmp_path: Path, text: str) -> None:
    assert shards.read_job(str(tmp_path)) is None
    (tmp_path / shards.JOB).write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=r"_JOB.json is damaged"):
        shards.read_job(str(tmp_path))


def test_only_a_finished_stage_is_taken(tmp_path: Path) -> None:
    folder = str(tmp_path)
    with pytest.raises(UsageError, match=r"holds no finished corpus.*instruct-imagen corpus"):
        shards.require_finished(folder, "corpus")
    shards.write_json(folder, shards.MANIFEST, {"job": "corpus", "ü": 1})
    assert shards.require_finished(folder, "corpus") == {"job": "corpus", "ü": 1}
    with pytest.raises(UsageError, match="written by 'corpus', not by 'neighbours'"):
        shards.require_finished(folder, "neighbours")


def test_small_groups_hold_the_same_rows() -> None:
    """Parts of which single rows are drawn: nothing to unpack, and a footer without statistics."""
    rows = [{"key": f"{n:04d}", "image": bytes([n] * 50)} for n in range(40)]
    fields = pa.schema([("key", pa.string()), ("image", pa.binary())])
    table = pa.Table.from_pylist(rows, fields)
    file = pq.ParquetFile(io.BytesIO(encoding.serialise(table, {"x": "y"}, 16)))
    assert file.read().equals(table)
    assert file.schema_arrow.metadata[b"x"] == b"y"
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [16, 16, 8]
    for group in groups:
        for number in range(2):
            column = group.column(number)
            assert (column.compression, column.statistics) == ("UNCOMPRESSED", None)
    usual = pq.ParquetFile(io.BytesIO(encoding.serialise(table))).metadata.row_group(0)
    assert usual.num_rows == 40
    assert usual.column(0).compression == "ZSTD"
    assert usual.column(0).statistics.min == "0000"
