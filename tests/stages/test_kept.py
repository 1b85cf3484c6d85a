"""The kept pictures of a corpus: verdicts are found, are its own, and are followed row by row."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from instruct_imagen_data import schema, shards
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages.derived import Todo
from instruct_imagen_data.stages.kept import Corpus, Kept, open_corpus, read_kept


def test_verdicts_are_followed(finished_corpus: Path, finished_neighbourhoods: Path) -> None:
    corpus = open_corpus(str(finished_corpus))
    assert corpus.neighbourhoods == str(finished_neighbourhoods)
    assert corpus.models == "embedded"
    kept: dict[str, tuple[str, str]] = {}
    refused: dict[tuple[str, str], tuple[str, str, float | None]] = {}
    for part in corpus.parts:
        block = read_kept(Todo(part, ("natural",)), corpus, "test")
        assert len(block.keys) == corpus.parts[part]
        for row in block.rows:
            assert isinstance(row, Kept)
            kept[row.image.origin] = (row.image.key, row.split)
            assert row.image.image.bytes[:2] in (b"\xff\xd8", b"\x89P", b"RI")
        for row in block.rejects.to_pylist():
            assert (row["stage"], row["reason"]) == ("test", "verdict")
            assert len(row["sha256"]) == 64
            refused[row["origin"], row["key"]] = (row["detail"], row["survivor"], row["value"])
    verdicts = duckdb.sql(
        "SELECT origin, key, split, kept, reason, survivor, value "
        f"FROM '{finished_neighbourhoods}/verdicts/*.parquet'"
    ).fetchall()
    assert kept == {one[0]: (one[1], one[2]) for one in verdicts if one[3]}
    assert refused == {(one[0], one[1]): (one[4], one[5], one[6]) for one in verdicts if not one[3]}
    assert kept
    assert refused


def copy(folder: Path, to: Path, *names: str) -> Path:
    """Some files of a job's directory."""
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, to / name)
    return to


JSON = (shards.JOB, shards.MANIFEST)


def test_verdicts_are_found_beside(
    tmp_path: Path, finished_corpus: Path, finished_neighbourhoods: Path
) -> None:
    corpus = copy(finished_corpus, tmp_path / "corpus", *JSON)
    (tmp_path / "photos").mkdir()
    with pytest.raises(
        UsageError, match=r"no verdicts on .*corpus are beside it: run .*neighbours"
    ):
        open_corpus(str(corpus))
    assert open_corpus(str(corpus), str(finished_neighbourhoods))  # named: anywhere
    near = copy(finished_neighbourhoods, tmp_path / "near", *JSON)
    found = open_corpus(f"{corpus}/")
    assert found.neighbourhoods == str(near)
    other = copy(finished_neighbourhoods, tmp_path / "other", *JSON)
    with pytest.raises(UsageError, match=r"several folders .*near, .*other\): name one by --neigh"):
        open_corpus(str(corpus))
    assert open_corpus(str(corpus), str(other)).neighbourhoods == str(other)
    (near / shards.MANIFEST).unlink()
    shutil.rmtree(other)
    with pytest.raises(UsageError, match=r"near holds no finished neighbours"):
        open_corpus(str(corpus))
    shutil.rmtree(near)
    job = json.loads((finished_neighbourhoods / shards.JOB).read_text())
    job["inputs"].popitem()
    copy(finished_neighbourhoods, near, *JSON)
    (near / shards.JOB).write_text(json.dumps(job))
    with pytest.raises(UsageError, match="no verdicts on"):
        open_corpus(str(corpus))
    with pytest.raises(UsageError, match=r"near was not made from .*corpus"):
        open_corpus(str(corpus), str(near))


def test_verdicts_on_other_rows(
    tmp_path: Path, finished_corpus: Path, finished_neighbourhoods: Path
) -> None:
    """Equal names and counts are not enough: keys are compared."""
    part = next(iter(open_corpus(str(finished_corpus)).parts))
    table = shards.read_part(str(finished_neighbourhoods), "verdicts", part, schema.Verdict)
    shards.write_part(str(tmp_path), "verdicts", part, table.slice(1))
    corpus = Corpus(str(finished_corpus), str(tmp_path), {part: table.num_rows}, "")
    with pytest.raises(UsageError, match=f"part {part} judges other rows"):
        read_kept(Todo(part, ("natural",)), corpus, "test")


def test_settings_tell_corpora_and_verdicts_apart(
    tmp_path: Path, finished_corpus: Path, finished_neighbourhoods: Path
) -> None:
    settings: list[Any] = [open_corpus(str(finished_corpus)).settings()]
    for folder, name, change in [
        (finished_corpus, shards.MANIFEST, lambda c: c["parts"][0]["sha256"].update(images="x")),
        (finished_neighbourhoods, shards.JOB, lambda c: c["settings"].update(overlap=2)),
    ]:
        corpus = copy(finished_corpus, tmp_path / name / "corpus", *JSON)
        near = copy(finished_neighbourhoods, tmp_path / name / "near", *JSON)
        path = (corpus if folder == finished_corpus else near) / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        settings.append(open_corpus(str(corpus)).settings())
    assert settings[1]["corpus_parts"] != settings[0]["corpus_parts"] == settings[2]["corpus_parts"]
    assert settings[2]["verdicts"] != settings[0]["verdicts"]
    assert settings[1]["verdicts"] == settings[0]["verdicts"]
