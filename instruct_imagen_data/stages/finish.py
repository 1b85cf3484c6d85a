"""The last step of a job's graph: the manifest, from the commits of all blocks, and the index.

The same function is the verb `instruct-imagen finish DIR`, for runs where nothing waits for the
graph's end.
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data import index, shards, storage
from instruct_imagen_data.errors import ConservationError, UsageError


def manifest_of(job: str, commits: Sequence[shards.Commit]) -> dict[str, Any]:
    """The manifest of a job whose blocks are these: totals first, then a line a part.

    Raises:
      ConservationError: a block's rows are not its rows in, less its rejects.
    """
    for commit in commits:
        rejected = commit.rows[shards.REJECTS]
        kept = {name: n for name, n in commit.rows.items() if name != shards.REJECTS}
        if any(n + rejected != commit.rows_in for n in kept.values()):
            raise ConservationError(f"part {commit.part}: {commit.rows_in} rows in, {commit.rows}")
    return {"job": job, **_totals(commits)}


def _totals(commits: Sequence[shards.Commit]) -> dict[str, Any]:
    rows: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for commit in commits:
        rows.update(commit.rows)
        reasons.update(commit.reasons)
        splits.update(commit.splits or {})
    told = any(commit.splits is not None for commit in commits)
    return {
        "rows_in": sum(commit.rows_in for commit in commits),
        "rows": dict(sorted(rows.items())),
        **({"splits": dict(sorted(splits.items()))} if told else {}),
        "reasons": dict(sorted(reasons.items())),
        "parts": [_part(commit) for commit in commits],
    }


def _part(commit: shards.Commit) -> dict[str, Any]:
    """The line of a part."""
    splits = {} if commit.splits is None else {"splits": commit.splits}
    return {"part": commit.part, "rows": commit.rows, **splits, "sha256": commit.sha256}


def check_complete(folder: str, commits: Sequence[shards.Commit]) -> None:
    """Whether every input of `_JOB.json` has been read to its end.

    Raises:
      UsageError: blocks are missing; says how many inputs are not finished.
    """
    blocks: dict[str, dict[int, bool]] = {}
    for commit in commits:
        stem, index = shards.stem_and_index(commit.part)
        blocks.setdefault(stem, {})[index] = commit.last
    finished = sum(
        last.get(len(last) - 1, False) and sorted(last) == list(range(len(last)))
        for last in blocks.values()
    )
    wanted = len((shards.read_json(folder, shards.JOB) or {"inputs": {}})["inputs"])
    if finished != wanted:
        raise UsageError(
            f"{folder}: {wanted - finished} of {wanted} inputs are not read to their end; "
            "the command that started the job continues it"
        )


def finish(_: Any, folder: str, job: str, indexed: Sequence[str]) -> int:
    """Writes `_index/` and then `_MANIFEST.json` of a directory whose blocks are all committed.

    Args:
      indexed: Datasets whose keys go into the index, beside the rejects.

    Returns:
      Rows read by the job.

    Raises:
      UsageError: blocks are missing.
    """
    commits = list(shards.read_commits(folder))
    check_complete(folder, commits)
    manifest = manifest_of(job, commits)
    parts = [commit.part for commit in commits]
    index.build(folder, index.of_parts(folder, [*indexed, shards.REJECTS], parts))
    shards.write_json(folder, shards.MANIFEST, manifest)
    return int(manifest["rows_in"])


@dataclasses.dataclass(eq=False)
class Finish(beam.PTransform):
    """Names of written parts in; when the last is there, writes index and manifest.

    Attributes:
      folder: The job's directory.
      job: Its verb.
      indexed: Datasets whose keys the index holds.
    """

    folder: str
    job: str
    indexed: tuple[str, ...]

    def expand(self, parts: PCollection[str]) -> PCollection[int]:
        write = functools.partial(
            finish, folder=self.folder, job=self.job, indexed=list(self.indexed)
        )
        # Counting is the barrier: one element, once all parts are written, even of no parts.
        return parts | beam.combiners.Count.Globally() | "Manifest" >> beam.Map(write)


def finish_dataset(folder: str, job: str, dataset: str) -> int:
    """Writes `_MANIFEST.json` of one derived dataset: each input of its job file is a part.

    Returns:
      Rows of the dataset.

    Raises:
      UsageError: parts are missing.
    """
    commits = list(shards.read_commits(folder))
    wanted = (shards.read_json(folder, shards.JOB) or {"inputs": {}})["inputs"]
    missing = wanted.keys() - {commit.part for commit in commits}
    if missing:
        raise UsageError(
            f"{folder}: {len(missing)} of {len(wanted)} parts are not there, such as "
            f"{min(missing)}; the command that started the job continues it"
        )
    manifest = {"job": job, "dataset": dataset, **_totals(commits)}
    shards.write_json(folder, shards.MANIFEST, manifest)
    return int(manifest["rows"].get(dataset, 0))


def _finish_datasets(
    _: int, output: str, job: str, datasets: Sequence[str], emptied: Sequence[str]
) -> dict[str, int]:
    for folder in emptied:
        storage.delete(folder)
    return {name: finish_dataset(storage.join(output, name), job, name) for name in datasets}


@dataclasses.dataclass(eq=False)
class FinishDatasets(beam.PTransform):
    """Names of written parts in; when the last is there, writes the manifest of each dataset.

    Attributes:
      output: Directory that holds a folder a dataset.
      job: Its verb.
      datasets: Names in tasks.DATASETS.
      emptied: Directories of large intermediate files, deleted first.
    """

    output: str
    job: str
    datasets: tuple[str, ...]
    emptied: tuple[str, ...] = ()

    def expand(self, parts: PCollection[str]) -> PCollection[dict[str, int]]:
        write = functools.partial(
            _finish_datasets,
            output=self.output,
            job=self.job,
            datasets=self.datasets,
            emptied=self.emptied,
        )
        return parts | beam.combiners.Count.Globally() | "Manifest" >> beam.Map(write)
