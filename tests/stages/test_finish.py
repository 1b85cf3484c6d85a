"""The manifest adds up, and is not written of a directory with blocks missing."""

from pathlib import Path

import pytest

from instruct_imagen_data import index, schema, shards
from instruct_imagen_data.errors import ConservationError, UsageError
from instruct_imagen_data.schema import RejectRow
from instruct_imagen_data.stages import finish
from pipelines import finish as verb


def reject(number: int) -> RejectRow:
    return RejectRow(f"{number:x}", f"a#{number}", "", "read", "truncated", "", "", "", None, None)


def commit(folder: Path, part: str, last: bool, rejects: int = 2, rows_in: int = 2) -> None:
    tables = {shards.REJECTS: schema.table_of(RejectRow, [reject(n) for n in range(rejects)])}
    tables["images"] = tables[shards.REJECTS].slice(0, 0)
    shards.commit_block(str(folder), part, tables, rows_in=rows_in, last=last)


def start(folder: Path, *inputs: str) -> None:
    content = {"job": "corpus", "settings": {}, "inputs": dict.fromkeys(inputs, 1), "paths": {}}
    shards.write_json(str(folder), shards.JOB, content)


def test_the_manifest(tmp_path: Path) -> None:
    start(tmp_path, "a.tar", "a-000.tar")
    commit(tmp_path, "a-000", last=False)
    commit(tmp_path, "a-001", last=True, rejects=0, rows_in=0)
    commit(tmp_path, "a-000-000", last=True)
    assert finish.finish(None, str(tmp_path), "corpus", ["images"]) == 4
    manifest = shards.require_finished(str(tmp_path), "corpus")
    assert {name: manifest[name] for name in ("rows_in", "rows", "reasons")} == {
        "rows_in": 4,
        "rows": {"_rejects": 4, "images": 0},
        "reasons": {"truncated": 4},
    }
    assert [one["part"] for one in manifest["parts"]] == ["a-000-000", "a-000", "a-001"]
    assert len(index.find(str(tmp_path), "")) == 4


@pytest.mark.parametrize(
    ("commits", "count"),
    [
        ([], "2 of 2"),
        ([("a-000", True)], "1 of 2"),
        ([("a-000", True), ("b-000", False)], "1 of 2"),
        ([("a-001", True), ("b-000", True)], "1 of 2"),
        ([("a-000", False), ("a-002", True), ("b-000", True)], "1 of 2"),
    ],
)
def test_missing_blocks_are_seen(
    tmp_path: Path,
    commits: list[tuple[str, bool]],
    count: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(tmp_path, "a.tar", "b.tar")
    for part, last in commits:
        commit(tmp_path, part, last)
    with pytest.raises(UsageError, match=f"{count} inputs are not read"):
        finish.finish(None, str(tmp_path), "corpus", ["images"])
    assert verb.main([str(tmp_path)]) == 2
    assert f"{count} inputs" in capsys.readouterr().err
    assert shards.read_json(str(tmp_path), shards.MANIFEST) is None


def test_lost_rows_are_seen(tmp_path: Path) -> None:
    start(tmp_path, "a.tar")
    commit(tmp_path, "a-000", last=True, rows_in=3)
    with pytest.raises(ConservationError, match="part a-000: 3 rows in"):
        finish.finish(None, str(tmp_path), "corpus", ["images"])


def test_the_verb_finishes_what_nothing_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb.main([str(tmp_path)]) == 2
    assert "holds no job that this can finish (corpus, derived datasets)" in capsys.readouterr().err
    start(tmp_path, "a.tar")
    commit(tmp_path, "a-000", last=True)
    assert verb.main([str(tmp_path)]) == 0
    assert "2 rows in, 0 kept, 2 rejected (100.0%)" in capsys.readouterr().out
    assert (tmp_path / shards.MANIFEST).exists()
