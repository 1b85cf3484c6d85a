"""`neighbours` without gather, against the same steps in plain FAISS and numpy, on the same files.

    .venv/bin/python benchmarks/neighbours.py --sizes 10000 100000 1000000

Each run is a process of its own, one thread, this side and the plain one in turn; what counts is
the CPU time of the whole process and its peak memory. With `--features FILE.npy` (unit vectors
[n, d]) the recall of the emitted top-10 is measured on those as well.
"""

import argparse
import functools
import itertools
import multiprocessing
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from processes import measure
from synthetic import make_corpus, write_corpus

from instruct_imagen_data import schema, shards, vectors

SEEDS = 500  # of which the recall is measured


def run_job(corpus: str, output: str) -> None:
    """The phases of `neighbours` but the last, as the job runs them, in this process."""
    from instruct_imagen_data.annotators.roles import Duplicates
    from instruct_imagen_data.stages.choose import Limits
    from instruct_imagen_data.stages.duplicates.verdicts import Judge
    from pipelines import job, neighbours, runners

    judge = Judge(Duplicates(cosine=0.95, confirm_cosine=0.9, phash_bits=54), 0.01)
    told = neighbours.Settings(corpus, output, Limits(0.3, 3.0, 0.0), judge, 1, "")
    flags = runners.with_defaults(["--direct_num_workers=1"])
    for name in neighbours.PHASES:
        if name != "gather":
            build = functools.partial(neighbours.PHASES[name], s=told)
            job._run(job.Phase(name, [told.folder(name)], build), flags)


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function's result from a process of its own: a child's peak memory begins at its parent's,
    so the one that measures must stay small.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def recall(corpus: str, output: str) -> float:
    """Share of the true ten nearest survivors of a domain that the emitted lists hold."""
    keys: list[str] = []
    points, domains = [], []
    for part in shards.list_parts(corpus, "embeddings"):
        verdicts = shards.read_part(output, "verdicts", part, schema.Verdict, ["kept"])
        kept = np.flatnonzero(verdicts["kept"].to_numpy(zero_copy_only=False))
        rows = shards.read_part(corpus, "embeddings", part, None, ["key", "image_vector"])
        names = shards.read_part(corpus, "scores", part, None, ["domain"])["domain"]
        keys += rows["key"].take(kept).to_pylist()
        points.append(vectors.quantise(schema.vectors_of(rows["image_vector"])[kept]))
        domains.append(names.to_numpy(zero_copy_only=False)[kept])
    found, names = np.concatenate(points).astype(np.float32), np.concatenate(domains)
    number = {key: row for row, key in enumerate(keys)}
    lists = [
        one
        for part in shards.list_parts(output, "candidates")
        for one in shards.read_part(output, "candidates", part, schema.Candidates).to_pylist()
    ]
    drawn = [lists[one] for one in np.random.default_rng(0).permutation(len(lists))[:SEEDS]]
    seeds = np.array([number[one["key"]] for one in drawn])
    hits = wanted = 0
    for name in np.unique(names[seeds]):
        same, inside = np.flatnonzero(names == name), np.flatnonzero(names[seeds] == name)
        dots = found[seeds[inside]] @ found[same].T
        dots[seeds[inside][:, None] == same] = -np.inf
        for one, near in zip(inside, dots, strict=True):
            top = same[np.argsort(-near, kind="stable")[: min(10, len(same) - 1)]]
            hits += len({keys[row] for row in top} & set(drawn[one]["neighbours"]))
            wanted += len(top)
    return hits / wanted


def write_features(features: Path, corpus: Path) -> None:
    """Vectors of a file as a corpus of one domain, without copies that are known."""
    halves = np.load(features).astype(np.float16)
    none = np.full(len(halves), -1)
    hashes = np.random.default_rng(0).integers(0, 256, (len(halves), 32), np.uint8)
    write_corpus(corpus, halves, np.zeros(len(halves), np.int64), none, hashes)


def compare(corpus: Path, folder: Path) -> tuple[float, float]:
    """Runs both sides on one corpus and prints a line; CPU seconds of (job, plain)."""
    rows = shards.require_finished(str(corpus), "corpus")["rows_in"]
    ours, plain = folder / f"job-{corpus.name}", folder / f"plain-{corpus.name}"
    for output in (ours, plain):
        shutil.rmtree(output, ignore_errors=True)
    here = Path(__file__)
    job = measure([sys.executable, str(here), "--job", str(corpus), str(ours)])
    peer = here.with_name("plain_neighbours.py")
    other = measure([sys.executable, str(peer), str(corpus), str(plain)])
    print(
        f"{corpus.name:>10} {rows:>9,} rows  job {job.cpu:7.1f} CPU-s {job.peak:5.2f} GB   "
        f"plain {other.cpu:7.1f} CPU-s {other.peak:5.2f} GB   ratio {job.cpu / other.cpu:5.2f}   "
        f"recall of the top-10 {apart(recall, str(corpus), str(ours)):.3f}",
        flush=True,
    )
    return job.cpu, other.cpu


def growth(sizes: list[int], costs: list[float]) -> None:
    """Prints how the job grows from size to size, less the smallest, and what 10M would cost."""
    beyond = [cost - costs[0] for cost in costs]
    runs = list(zip(sizes, beyond, strict=True))[1:]
    for (one, before), (other, after) in itertools.pairwise(runs):
        factor = after / before
        print(f"{one:,} -> {other:,} rows: {factor:.1f} times the CPU, less the {sizes[0]:,} run")
    if len(sizes) > 1:
        each = (costs[-1] - costs[0]) / (sizes[-1] - sizes[0])
        print(f"10,000,000 rows, extrapolated by the last size: {each * 1e7 / 60:.0f} CPU-minutes")


def main() -> None:
    """The table of all sizes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--features", type=Path, help="a .npy of unit vectors [n, d]")
    parser.add_argument("--workdir", type=Path, default=Path("build/neighbours"))
    parser.add_argument("--job", nargs=2, metavar=("CORPUS", "OUTPUT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        run_job(*given.job)
        return
    costs = []
    for rows in given.sizes:
        corpus = given.workdir / str(rows)
        if not (corpus / shards.MANIFEST).exists():
            apart(make_corpus, corpus, rows)
        costs.append(compare(corpus, given.workdir)[0])
    growth(given.sizes, costs)
    if given.features:
        corpus = given.workdir / "features"
        apart(write_features, given.features, corpus)
        compare(corpus, given.workdir)


if __name__ == "__main__":
    main()
