"""The jobs that derive datasets, on a planted corpus: what becomes of each row, and of restarts."""

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from instruct_imagen_data import agreement, keys, licences, schema, shards, tasks
from instruct_imagen_data.annotators import model_set
from pipelines import derive

Command = Callable[..., Any]
Tree = Callable[[Path], dict[str, str]]
OPTIONS = derive.Options(corpus="", output="")
ALL = {name for one in derive.JOBS for name in one.roles(OPTIONS)}


@pytest.fixture(scope="session")
def given(finished_corpus: Path, finished_neighbourhoods: Path) -> tuple[object, ...]:
    """The flag that names the corpus; the verdicts on it are beside it."""
    return ("--corpus", finished_corpus)


def rows(folder: Path, where: str = "") -> list[dict[str, Any]]:
    """All rows of a dataset, or of its rejects."""
    files = sorted((folder / where).glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files]).to_pylist()


def test_natural(
    given: Any, web: Path, finished_corpus: Path, finished_neighbourhoods: Path, tmp_path: Path,
    command: Command,
) -> None:  # fmt: skip
    """Every row of the corpus is a row of the dataset, or a reject with its verdict."""
    done = command("natural", *given, "--output", tmp_path, "--size", 100)
    assert (done.code, done.lines) == (0, [])
    corpus = duckdb.sql(
        "SELECT i.key, i.origin, i.caption, i.licence, i.width, i.height, v.kept, v.split, v.reason"
        f" FROM '{finished_corpus}/images/*.parquet' i"
        f" JOIN '{finished_neighbourhoods}/verdicts/*.parquet' v USING (key, origin)"
    )
    source = {row[1]: row for row in corpus.fetchall()}
    made = rows(tmp_path / "natural")
    rejected = rows(tmp_path / "natural", shards.REJECTS)
    assert len(made) + len(rejected) == len(source)
    good = {row[0]: row for row in source.values() if row[6]}
    assert {row["sources"][0] for row in made} == set(good)
    for row in made:
        key, _, caption, licence, width, height, _, split, _ = good[row["sources"][0]]
        assert row["key"] == keys.derived_key("natural", (key,))
        assert (row["task"], row["dataset"]) == ("text_to_image", "natural")
        assert (row["caption"], row["split"]) == (caption, split)
        assert row["licence"] == keys.join_licences([licence])
        assert min(row["width"], row["height"]) == min(100, width, height)
        assert abs(row["width"] / row["height"] - width / height) < 0.02
        assert row["references"] == row["slots"] == []
        (check,) = row["checks"]
        assert check["name"] == "caption_similarity"
        assert 0 <= check["value"] <= 1
    for row in rejected:
        assert (row["reason"], row["stage"]) == ("verdict", "natural")
        assert row["detail"] == source[row["origin"]][8]
    manifest = shards.require_finished(str(tmp_path / "natural"), "natural")
    assert manifest["rows_in"] == len(source)
    assert manifest["rows"] == {"natural": len(made), "_rejects": len(rejected)}
    # The check agrees with what the corpus measured: pictures are only a little smaller.
    scores = duckdb.sql(
        f"SELECT key, similarity FROM '{finished_corpus}/scores/*.parquet'"
    ).fetchall()
    similarity = dict(scores)
    apart = [abs(row["checks"][0]["value"] - max(0, similarity[row["sources"][0]])) for row in made]
    assert sum(apart) / len(apart) < 0.05


def test_control_sees_what_was_planted(
    given: Any, web: Path, finished_corpus: Path, tmp_path: Path, command: Command
) -> None:
    """Rows that keep their picture's size, against the truth of the picture."""
    done = command("control", *given, "--output", tmp_path, "--size", 512)
    assert (done.code, done.lines) == (0, [])
    truth = {
        row["origin"]: row
        for path in web.glob("maps-*.parquet")
        for row in pq.read_table(path).to_pylist()
    }
    images = duckdb.sql(f"SELECT key, origin FROM '{finished_corpus}/images/*.parquet'")
    origins = dict(images.fetchall())
    agree = {
        "depth": agreement.depth_agreement,
        "mask": agreement.mask_iou,
        "edge": lambda one, other: agreement.edge_f1(one, other, 2.0),
    }
    for role, least in (("depth", 0.8), ("mask", 0.75), ("edge", 0.7)):
        made = rows(tmp_path / f"{role}_webli")
        rejected = rows(tmp_path / f"{role}_webli", shards.REJECTS)
        assert len(made) + len(rejected) == len(origins)
        assert {row["reason"] for row in rejected} <= {
            "verdict",
            "no_object",
            "flat_depth",
            "check",
        }
        values = []
        for row in made:
            (reference,), (check,) = row["references"], row["checks"]
            assert (reference["role"], reference["aligned"]) == (role, True)
            assert check["value"] >= 0.5
            known = truth.get(origins[row["sources"][0]])
            if known is not None:  # copies have no maps
                found, png = (_grey(one) for one in (reference["image"]["bytes"], known[role]))
                values.append(agree[role](found, png))
        assert len(values) >= 20
        assert sum(values) / len(values) >= least
    assert all(
        variant["name"] in ("depth", "mask")
        for row in rows(tmp_path / "edge_webli")
        for variant in row["references"][0]["variants"]
    )


def _grey(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


def test_licences_and_checks_decide(given: Any, tmp_path: Path, command: Command) -> None:
    assert command("natural", *given, "--output", tmp_path / "all").code == 0
    flags = ("--licences", "commercial", "--min-check", 0.4)
    done = command("natural", *given, "--output", tmp_path / "some", *flags)
    assert done.code == 0
    everything = rows(tmp_path / "all" / "natural")
    free = [row for row in everything if licences.allows_commercial_use(row["licence"])]
    like = [row for row in free if row["checks"][0]["value"] >= 0.4]
    some = rows(tmp_path / "some" / "natural")
    # Other rows share their batches: the last bits of the cosines may differ, and nothing else.
    values = [[row["checks"][0].pop("value") for row in found] for found in (some, like)]
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    assert some == like
    reasons = Counter(row["reason"] for row in rows(tmp_path / "some" / "natural", shards.REJECTS))
    assert reasons["licence"] == len(everything) - len(free) > 0
    assert reasons["check"] == len(free) - len(like) > 0
    assert f"  check              {reasons['check']:>9,}" in done.out


def test_one_command_makes_all(given: Any, tmp_path: Path, command: Command, tree: Tree) -> None:
    """What it makes is what the jobs make by themselves; the table tells of each dataset."""
    done = command("derive", *given, "--output", tmp_path / "out")
    assert (done.code, done.lines) == (0, [])
    models = model_set.load_set("embedded")
    lines = done.out[done.out.index(f"{tmp_path}/out:\n") :].splitlines()[1:]
    assert [line.split()[0] for line in lines] == [name for name in tasks.DATASETS if name in ALL]
    made = set()
    for line in lines:
        name, told = line.split(maxsplit=1)
        if told.startswith("skipped:"):
            assert not (tmp_path / "out" / name).exists()
            continue
        made.add(name)
        manifest = shards.require_finished(str(tmp_path / "out" / name), verb_of(name))
        assert told.startswith(f"{manifest['rows'][name]:,} rows, rejected: ")
        assert all(f"{count} {reason}" in told for reason, count in manifest["reasons"].items())
    assert made == {
        name
        for one in derive.JOBS
        for name, roles in one.roles(OPTIONS).items()
        if not one.needs and all(role in models.roles for role in roles)
    }
    alone = command("natural", *given, "--output", tmp_path / "alone")
    assert alone.code == 0
    assert tree(tmp_path / "alone" / "natural") == tree(tmp_path / "out" / "natural")
    again = command("natural", *given, "--output", tmp_path / "out")
    assert "natural: nothing to do" in again.out
    before = tree(tmp_path / "out")
    assert command("derive", *given, "--output", tmp_path / "out").code == 0
    assert tree(tmp_path / "out") == before


def verb_of(dataset: str) -> str:
    (verb,) = (one.module.VERB for one in derive.JOBS if dataset in one.roles(OPTIONS))
    return str(verb)


def test_some_at_a_time(given: Any, tmp_path: Path, command: Command) -> None:
    done = command("derive", *given, "--output", tmp_path, "--only", "natural")
    assert done.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["natural"]
    assert "  depth_webli       skipped: not in --only" in done.out


def test_what_is_lost_is_made_again(
    given: Any, tmp_path: Path, command: Command, tree: Tree
) -> None:
    flags = ("natural", *given, "--output", tmp_path)
    assert command(*flags).code == 0
    folder = tmp_path / "natural"
    whole = tree(folder)
    lost = sorted((folder / shards.REJECTS).iterdir())[3]
    lost.unlink()
    (folder / shards.MANIFEST).unlink()
    kept = {path: path.stat() for path in folder.glob("*.parquet") if path.name != lost.name}
    done = command("finish", folder)
    assert done.code == 2
    assert "1 of " in done.lines[0]
    assert command(*flags).code == 0
    assert tree(folder) == whole
    assert {path: path.stat() for path in kept} == kept
    (folder / shards.MANIFEST).unlink()
    done = command("finish", folder)  # nothing waited for the end of its graph
    assert done.code == 0
    assert "rows of natural" in done.out
    assert tree(folder) == whole


def test_threads(given: Any, tmp_path: Path, command: Command, tree: Tree) -> None:
    for workers in (1, 2):
        flags = ("--output", tmp_path / str(workers), f"--direct_num_workers={workers}")
        assert command("derive", *given, *flags).code == 0
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def refused(done: Any, *words: str) -> None:
    assert done.code == 2, done
    (line,) = done.lines
    for word in words:
        assert word in line


@pytest.mark.parametrize("verb", ["natural", "control", "derive"])
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--size", "0"], ["--size 0: at least 1"]),
        (["--min-check", "2"], ["--min-check 2.0: from 0 to 1"]),
        (["--licences", "some"], ["--licences some: known are all and commercial"]),
        (["--models", "none"], ["no model set 'none'"]),
        (["--device", "tpu"], ["--device tpu"]),
        (["--neighbourhoods", "none"], ["none holds no finished neighbours", "to its end"]),
        (["--corpus", "none"], ["none holds no finished corpus"]),
        (["--max-reject-rate", "2"], ["--max-reject-rate 2.0"]),
        (["--min_check", "2"], ["unknown flag --min_check", "did you mean --min-check?"]),
    ],
    ids=" ".join,
)
def test_wrong_use(
    verb: str, flags: list[str], words: list[str], given: Any, tmp_path: Path, command: Command
) -> None:
    refused(command(verb, *given, "--output", tmp_path / "out", *flags), *words)
    assert not (tmp_path / "out").exists()


def test_other_wrong_use(
    given: Any, finished_corpus: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    out = tmp_path / "out"
    refused(
        command("derive", *given, "--output", out, "--only", "naturl"), "--only naturl", "known"
    )
    refused(
        command("control", *given, "--output", out, "--only", "natural"), "known are depth_webli"
    )
    own = command("natural", *given, "--output", finished_corpus)
    refused(own, "holds a job of its own", "choose another --output")
    assert not out.exists()
    assert command("natural", *given, "--output", out).code == 0
    before = tree(out)
    for verb in ("natural", "derive"):
        done = command(verb, *given, "--output", out, "--size", 99)
        refused(done, "natural holds another job", "--size was 256, is now 99", "--overwrite")
        assert tree(out) == before
    assert command("natural", *given, "--output", out, "--size", 99, "--overwrite").code == 0
    assert command("natural", *given, "--output", tmp_path / "fresh", "--size", 99).code == 0
    assert tree(out) == tree(tmp_path / "fresh")
    (tmp_path / "mine" / "natural").mkdir(parents=True)
    (tmp_path / "mine" / "natural" / "photo.jpg").touch()
    done = command("natural", *given, "--output", tmp_path / "mine")
    refused(done, "natural is not empty and holds no job")


def test_a_plan_writes_nothing(given: Any, tmp_path: Path, command: Command) -> None:
    done = command("derive", *given, "--output", tmp_path / "out", "--plan")
    assert done.code == 0
    assert f"phase natural -> {tmp_path}/out/natural" in done.out
    assert not (tmp_path / "out").exists()


def test_too_many_rejects(given: Any, tmp_path: Path, command: Command) -> None:
    """Everything is written, and the table printed, before it is said."""
    for _ in range(2):
        done = command("derive", *given, "--output", tmp_path, "--max-reject-rate", 0.01)
        assert done.code == 3
        assert "above --max-reject-rate 0.01" in done.lines[-1]
        assert "  natural  " in done.out
        assert (tmp_path / "natural" / shards.MANIFEST).exists()


def test_the_job_file_tells_what_a_dataset_depends_on(
    given: Any, tmp_path: Path, command: Command
) -> None:
    assert command("natural", *given, "--output", tmp_path).code == 0
    job = json.loads((tmp_path / "natural" / shards.JOB).read_text())
    assert job["job"] == "natural"
    settings = job["settings"]
    assert settings["dataset"] == "natural"
    assert [*settings["weights"]] == ["image_text", "set"]
    assert settings["records"] == schema.versions(schema.Derived, schema.RejectRow)
    assert {"corpus_parts", "verdicts", "size", "min_check", "licences"} <= settings.keys()
    assert not {"only", "output", "corpus", "plan"} & settings.keys()
