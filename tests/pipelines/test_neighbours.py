"""The job `neighbours` on made-up corpora: what it promises of any output, by brute force."""

import functools
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from instruct_imagen_data import runs, schema, shards, vectors
from instruct_imagen_data.stages.cells import ClusterCells
from pipelines import neighbours

Rows = list[dict[str, Any]]
DIMENSION = 32
DOMAINS = ("animals", "art", "food")
LEVEL, CONFIRM = 0.96, 0.995  # of the embedded set, whose thresholds are used
FLAGS = ("--models", "embedded", "--min-similarity", "-1", "--direct_num_workers=1")


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def make_rows(count: int, seed: int, quality: float = 7.0) -> Rows:
    """Pictures of topics in three domains; every eighth is a copy of some kind of another."""
    rng = np.random.Generator(np.random.PCG64(seed))
    topics = unit(rng.normal(size=(max(1, count // 9), DIMENSION)))
    rows: Rows = []
    for n in range(count):
        topic = int(rng.integers(len(topics)))
        vector = unit(topics[topic] + 0.6 * unit(rng.normal(size=DIMENSION)))
        ids = {name: 1 + 10 * n + i for i, name in enumerate(("bytes", "url", "caption", "file"))}
        phash = rng.integers(0, 256, 32, np.uint8)
        if n % 8 == 7:  # the copies of a copy make chains
            of = rows[int(rng.integers(n))]
            shared = ("bytes", "url", "vector", "caption")[n // 8 % 4]
            vector = unit(of["vector"] + 0.05 * unit(rng.normal(size=DIMENSION)))
            topic, phash = of["topic"], of["phash"] if shared == "vector" else phash
            if shared in ids:
                ids[shared] = of["ids"][shared]
        key = hashlib.sha256(f"{seed} {n}".encode()).hexdigest()
        made = {"key": key, "topic": topic, "vector": vector, "ids": ids, "phash": phash}
        rows.append(made | {"quality": quality + float(rng.normal()) / 8})
    return rows


def write_corpus(folder: Path, rows: Rows, part_rows: int = 50) -> Path:
    """Rows as a finished corpus job leaves them."""
    parts = []
    for index, first in enumerate(range(0, len(rows), part_rows)):
        part, name = rows[first : first + part_rows], shards.block_part("00000", index)
        columns = {
            "key": [row["key"] for row in part],
            "origin": [f"00000.tar#{first + n}" for n in range(len(part))],
            "quality": [row["quality"] for row in part],
            "quality_deviation": [0.0] * len(part),
            "distribution": [[]] * len(part),
            "domain": [DOMAINS[row["topic"] % 3] for row in part],
            "domain_probability": [0.9] * len(part),
            "domain_margin": [0.5] * len(part),
            "domain_accepted": [True] * len(part),
            "similarity": [0.5] * len(part),
            **{f"{kind}_id": [row["ids"][kind] for row in part] for kind in part[0]["ids"]},
            "phash": [row["phash"].tobytes() for row in part],
        }
        column = schema.vector_column(np.stack([row["vector"] for row in part]))
        embedding = schema.schema_of(schema.Embedding, DIMENSION)
        pictures = [
            schema.Image(
                row["key"], f"00000.tar#{first + n}", f"https://a.org/{first + n}", "words",
                schema.Encoded(row["key"].encode(), "x.jpg"), 64, 64, 64, 64, False,
                "", row["phash"].tobytes(), "", "{}",
            )
            for n, row in enumerate(part)
        ]  # fmt: skip
        tables = {
            "scores": pa.table(columns, schema=schema.schema_of(schema.Score)),
            "embeddings": pa.table([columns["key"], column, column], schema=embedding),
            "images": schema.table_of(schema.Image, pictures),
        }
        for dataset, table in tables.items():
            shards.write_part(str(folder), dataset, name, table)
        parts.append({"part": name, "rows": {"scores": len(part)}, "sha256": {}})
    job = {"job": "corpus", "settings": {"models": "embedded"}, "inputs": {}, "paths": {}}
    manifest = {"job": "corpus", "rows_in": len(rows), "rows": {"scores": len(rows)}}
    shards.write_json(str(folder), shards.JOB, job)
    shards.write_json(str(folder), shards.MANIFEST, manifest | {"reasons": {}, "parts": parts})
    return folder


def run(corpus: Path, output: Path, *flags: str) -> Path:
    given = ["--corpus", str(corpus), "--output", str(output), *FLAGS, *flags]
    assert neighbours.main(given) == 0
    return output


def rows_of(output: Path, dataset: str) -> Rows:
    parts = shards.list_parts(str(output), dataset)
    return [
        row
        for part in parts
        for row in shards.read_part(str(output), dataset, part, None).to_pylist()
    ]


def cosines(rows: Rows) -> np.ndarray:
    """Of all rows, as the job rounds them."""
    halves = np.array([row["vector"] for row in rows], np.float16).reshape(-1, DIMENSION)
    integers = vectors.quantise(halves).astype(np.int64)
    return integers @ integers.T / vectors.NORM**2


def check(output: Path, rows: Rows, overlap: int = 1) -> None:
    """Everything that must hold of an output, stated by brute force."""
    number = {row["key"]: n for n, row in enumerate(rows)}
    near = cosines(rows)
    verdicts = {row["key"]: row for row in rows_of(output, "verdicts")}
    rejects = {row["key"]: row for row in rows_of(output, shards.REJECTS)}
    found = rows_of(output, "neighbourhoods")
    assert verdicts.keys() == number.keys()
    uses: dict[str, int] = {}
    for one in found:
        keys = [member["key"] for member in one["members"]]
        assert len(set(keys)) == 5
        assert keys[0] == one["id"]
        assert all(member["image"]["bytes"] == member["key"].encode() for member in one["members"])
        assert {DOMAINS[rows[number[key]]["topic"] % 3] for key in keys} == {one["domain"]}
        pairs = [(number[a], number[b]) for i, a in enumerate(keys) for b in keys[i + 1 :]]
        assert all(near[pair] < LEVEL for pair in pairs)
        np.testing.assert_allclose([near[pair] for pair in pairs], one["similarities"], atol=1e-6)
        for key in keys:
            assert verdicts[key]["kept"]
            uses[key] = uses.get(key, 0) + 1
    assert max(uses.values(), default=0) <= overlap
    assert uses.keys().isdisjoint(rejects)
    assert uses.keys() | rejects.keys() == number.keys()
    edges = {frozenset((row["key"], row["other"])) for row in rows_of(output, "duplicates")}
    for key, row in verdicts.items():
        if row["reason"] == "duplicate":
            survivor = verdicts[row["survivor"]]
            assert survivor["kept"]
            assert rows[number[row["survivor"]]]["quality"] >= rows[number[key]]["quality"]
            assert row["component"] == survivor["component"]
            _explained(rows[number[key]], rows[number[row["survivor"]]], row, near, number)
        assert row["kept"] == (row["reason"] == "")
    for edge in edges:  # what stays together is split together
        assert len({verdicts[key]["split"] for key in edge}) == 1


def _explained(
    row: dict[str, Any], by: dict[str, Any], verdict: dict[str, Any], near: np.ndarray,
    number: dict[str, int],
) -> None:  # fmt: skip
    """The evidence that a verdict names holds between a row and the one that stayed."""
    kind, cosine = verdict["detail"], near[number[row["key"]], number[by["key"]]]
    if kind == "vector":
        apart = np.bitwise_count(row["phash"] ^ by["phash"]).sum()
        assert cosine >= LEVEL
        assert apart <= 74
    else:
        assert row["ids"][kind] == by["ids"][kind]
        assert kind in ("bytes", "url") or cosine >= CONFIRM


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_output(seed: int, tmp_path: Path) -> None:
    rows = make_rows(240, seed)
    output = run(write_corpus(tmp_path / "corpus", rows), tmp_path / "out", f"--overlap={seed}")
    check(output, rows, overlap=seed)
    manifest = shards.require_finished(str(output), "neighbours")
    assert manifest["neighbourhoods"] > 3
    assert manifest["reasons"]["duplicate"] > 5
    low = [row for row in rows_of(output, "verdicts") if row["low_quantile"]]
    assert len(low) == int(0.3 * len(rows))
    cut = max(row["quality"] for row in rows if row["key"] in {one["key"] for one in low})
    assert all(row["quality"] <= cut for row in rows if row["key"] in {one["key"] for one in low})


@pytest.mark.parametrize("count", [0, 1, 4, 12])
@pytest.mark.parametrize("quality", [7.0, 1.0])  # 1.0: all are below the set's floor
def test_small_corpora(count: int, quality: float, tmp_path: Path) -> None:
    rows = make_rows(count, 5, quality)
    output = run(write_corpus(tmp_path / "corpus", rows), tmp_path / "out")
    check(output, rows)
    if quality < 2:
        assert {row["reason"] for row in rows_of(output, "verdicts")} <= {"low_quality"}


def judgement(output: Path) -> dict[str, Any]:
    """All that was decided, without the names of parts; origins count blocks, keys do not."""
    rows = {name: rows_of(output, name) for name in ("verdicts", shards.REJECTS, "neighbourhoods")}
    return {
        name: sorted(found, key=lambda row: row.get("id", row.get("key")))
        for name, found in rows.items()
    }


def test_blocks_and_groups_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(240, 4)
    one = run(write_corpus(tmp_path / "a", rows, 50), tmp_path / "out-a")
    monkeypatch.setattr(runs, "GROUP_ROWS", 64)
    monkeypatch.setattr(runs.groups_of, "__defaults__", (64,))
    other = run(write_corpus(tmp_path / "b", rows, 17), tmp_path / "out-b")
    assert judgement(one) == judgement(other)


def test_several_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Domains of many cells: what holds of any output, and not by blocks and groups."""
    small = functools.partial(ClusterCells, cell_rows=30)
    monkeypatch.setattr(neighbours, "ClusterCells", small)
    rows = make_rows(480, 7)
    one = run(write_corpus(tmp_path / "a", rows, 50), tmp_path / "out-a")
    check(one, rows)
    cells = shards.require_finished(str(one / "_phases" / "cells"), "cells")["cells"]
    assert len(cells) > 2 * len(DOMAINS)
    assert not (one / "_phases" / "cells" / "samples").exists()
    monkeypatch.setattr(runs, "GROUP_ROWS", 64)
    monkeypatch.setattr(runs.groups_of, "__defaults__", (64,))
    other = run(write_corpus(tmp_path / "b", rows, 17), tmp_path / "out-b")
    assert judgement(one) == judgement(other)


def test_other_kernels_give_the_same_rows(tmp_path: Path) -> None:
    """Sums of rounded vectors are exact: no BLAS kernel and no thread can change them."""
    rows = make_rows(240, 6)
    corpus = write_corpus(tmp_path / "corpus", rows)
    one = run(corpus, tmp_path / "out")
    command = [sys.executable, "-m", "pipelines.neighbours", "--corpus", str(corpus)]
    command += ["--output", str(tmp_path / "other"), *FLAGS[:-1], "--direct_num_workers=2"]
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Nehalem"}
    root = Path(__file__).parents[2]
    subprocess.run(command, check=True, env=environment, cwd=root, capture_output=True)
    assert judgement(one) == judgement(tmp_path / "other")
    assert json.loads((one / shards.MANIFEST).read_text()) == json.loads(
        (tmp_path / "other" / shards.MANIFEST).read_text()
    )
