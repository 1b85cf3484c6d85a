"""`_index/` finds what a scan of the parts finds, and is the same bytes each time."""

import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import index, shards

PARTS = ("a-000", "b-000")


def fill(folder: Path, rows: int) -> list[dict[str, str | int]]:
    """Parts of two datasets with `rows` rows in all; every tenth key is there twice."""
    keys = [
        hashlib.sha256(str(n - n % 10 if n % 10 == 1 else n).encode()).hexdigest()
        for n in range(rows)
    ]
    placed: list[dict[str, str | int]] = []
    datasets = [(dataset, part) for part in PARTS for dataset in ("images", shards.REJECTS)]
    for start, (dataset, part) in enumerate(datasets):
        mine = range(start, rows, 4)
        table = pa.table(
            {
                "key": [keys[n] for n in mine],
                "origin": [f"f#{n}" for n in mine],
                "more": [0.5] * len(mine),
            }
        )
        table = table.set_column(0, "key", table["key"].cast(pa.string()))
        table = table.set_column(1, "origin", table["origin"].cast(pa.string()))
        shards.write_part(str(folder), dataset, part, table)
        placed += [
            {"key": keys[n], "origin": f"f#{n}", "dataset": dataset, "part": part, "row": row}
            for row, n in enumerate(mine)
        ]
    return sorted(
        placed, key=lambda one: tuple(one[name] for name in ("key", "dataset", "part", "row"))
    )


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_index(tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = fill(tmp_path, rows)
    monkeypatch.setattr(index, "_ROWS_PER_GROUP", 64)
    monkeypatch.setattr(index, "_ROWS_PER_FILE", 256)
    folder = str(tmp_path)
    index.build(folder, index.of_parts(folder, ["images", shards.REJECTS], PARTS))
    files = sorted((tmp_path / index.FOLDER).iterdir())
    assert len(files) == max(1, -(-rows // 256))
    tables = [pq.read_table(file) for file in files]
    assert all(table.schema.equals(index.SCHEMA) for table in tables)
    assert pa.concat_tables(tables).to_pylist() == placed
    for key in ["", "7", "ab", *(str(one["key"]) for one in placed[::97]), "g"]:
        assert index.find(folder, key) == [one for one in placed if str(one["key"]).startswith(key)]


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    fill(tmp_path, 500)
    found = []
    for _ in range(2):
        index.build(str(tmp_path), index.of_parts(str(tmp_path), ["images"], PARTS))
        found.append(
            io.BytesIO((tmp_path / index.FOLDER / "part-00000.parquet").read_bytes()).read()
        )
    assert found[0] == found[1]


def test_no_index_finds_nothing(tmp_path: Path) -> None:
    assert index.find(str(tmp_path), "ab") == []
