"""Pictures that are carried to the blocks that want them: those that were asked for, shrunk."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

from instruct_imagen_data import runs, schema, shards
from instruct_imagen_data.stages import carried
from instruct_imagen_data.stages.kept import Corpus, open_corpus, read_judged

BLOCKS = ["b-0", "b-1", "b-2"]


@pytest.fixture
def corpus(finished_corpus: Path, finished_neighbourhoods: Path) -> Corpus:
    return open_corpus(str(finished_corpus))


@pytest.mark.parametrize("rows", [[], [0], [11], [3, 3, 4, 7, 11, 11], list(range(12))])
def test_rows_are_picked(tmp_path: Path, rows: list[int]) -> None:
    """Whatever the row groups are, and also where a row is wanted twice."""
    table = pa.table({"a": np.arange(12), "b": [f"text {n}" for n in range(12)]})
    path = Path(shards.part_path(str(tmp_path), "things", "p"))
    path.parent.mkdir()
    for size in (1, 5, 12):
        pa.parquet.write_table(table, path, row_group_size=size)
        found = shards.take_rows(str(tmp_path), "things", "p", np.array(rows, np.intp), ["b"])
        assert found.to_pydict() == {"b": [f"text {n}" for n in rows]}


def test_what_is_wanted_arrives(corpus: Corpus, tmp_path: Path) -> None:
    """Pictures of three parts, some wanted twice, in two of three blocks."""
    wanted: dict[str, list[tuple[int, str, int, int]]] = {
        part: [(0, "g", 1, 0), (0, "f", 0, 2), (1, "g", number, 0)]
        for number, part in enumerate([part for part, rows in corpus.parts.items() if rows > 1][:3])
    }
    refs: dict[str, list[runs.Ref]] = {}
    for part, rows in wanted.items():
        names = ("row", "group", "number", "block")
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        table = pa.table(columns | {"split": ["train"] * len(rows)})
        carried.write_run(str(tmp_path), corpus.folder, part, table, BLOCKS, 48)
        for name, ref in carried.references(str(tmp_path), part):
            refs.setdefault(name, []).append(ref)
    assert refs.keys() == {"b-0", "b-2"}
    images = {
        (part, row): one
        for part in wanted
        for row, one in enumerate(
            shards.read_part(corpus.folder, "images", part, schema.Image).to_pylist()
        )
    }
    for block, name in ((0, "b-0"), (2, "b-2")):
        found = carried.load(str(tmp_path), refs[name][::-1])
        expected = sorted(
            (group, number, images[part, row]["key"])
            for part, rows in wanted.items()
            for row, group, number, place in rows
            if place == block
        )
        assert [(one.group, one.number, one.image.key) for one in found] == expected
        for one in found:
            original = next(row for row in images.values() if row["key"] == one.image.key)
            assert (one.image.caption, one.image.sha256) == (
                original["caption"],
                original["sha256"],
            )
            whole = PIL.Image.open(io.BytesIO(original["image"]["bytes"])).convert("RGB")
            small = PIL.Image.open(io.BytesIO(one.image.image.bytes))
            assert min(small.size) == 48
            resized = whole.resize(small.size, PIL.Image.Resampling.BOX)
            assert np.abs(np.asarray(resized, float) - np.asarray(small, float)).mean() < 12


def test_a_run_is_written_once(corpus: Corpus, tmp_path: Path) -> None:
    part = next(iter(corpus.parts))
    row = {"row": [0], "group": ["g"], "number": [0], "block": [1], "split": ["train"]}
    carried.write_run(str(tmp_path), corpus.folder, part, pa.table(row), BLOCKS, 48)
    (file,) = tmp_path.iterdir()
    before = file.stat()
    carried.write_run(str(tmp_path), corpus.folder, part, pa.table(row), BLOCKS, 48)
    assert file.stat() == before
    none = pa.table(row).slice(1)
    carried.write_run(str(tmp_path), corpus.folder, "other", none, BLOCKS, 48)
    assert list(carried.references(str(tmp_path), "other")) == []
    assert carried.load(str(tmp_path), []) == []


def test_rows_with_their_verdicts(corpus: Corpus) -> None:
    rows = 0
    for part in list(corpus.parts)[:5]:
        table, verdicts = read_judged(corpus, part, ("key", "url"))
        assert table.column_names == ["key", "url"]
        assert table["key"].to_pylist() == verdicts["key"].to_pylist()
        assert verdicts.column_names == schema.schema_of(schema.Verdict).names
        assert table.num_rows == corpus.parts[part]
        rows += table.num_rows
    assert rows > 5
