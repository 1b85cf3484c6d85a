"""Directories of finished jobs as DuckDB tables: how the tools read what the jobs wrote.

Only the columns that a query names are read, part by part, through the one storage module: a
directory in a bucket is read like one on a disk.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from instruct_imagen_data import index, schema, shards, storage, tasks
from instruct_imagen_data.errors import UsageError

CORPUS, NEIGHBOURS, INSTRUCT = "corpus", "neighbours", "instruct"
_MEMORY = "1GB"  # beyond it DuckDB goes to disk

# Job -> table in a query -> (dataset on disk, its record).
TABLES: dict[str, dict[str, tuple[str, type]]] = {
    CORPUS: {
        "images": ("images", schema.Image),
        "scores": ("scores", schema.Score),
        "refused": (shards.REJECTS, schema.RejectRow),
    },
    NEIGHBOURS: {
        "verdicts": ("verdicts", schema.Verdict),
        "duplicates": ("duplicates", schema.Duplicate),
        "candidates": ("candidates", schema.Candidates),
        "neighbourhoods": ("neighbourhoods", schema.Neighbourhood),
        "dropped": (shards.REJECTS, schema.RejectRow),
    },
}


@dataclasses.dataclass(frozen=True)
class Finished:
    """A directory that a job has finished.

    Attributes:
      folder: The directory.
      verb: The job that wrote it: a name in TABLES.
      job: Its `_JOB.json`.
      manifest: Its `_MANIFEST.json`.
    """

    folder: str
    verb: str
    job: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the job's output depends on: its options and what they were resolved to."""
        settings: Mapping[str, Any] = self.job["settings"]
        return settings

    def table(self, name: str) -> ds.Dataset:
        """A table of the job, unread; its first part's schema is compared with the record's."""
        dataset, record = TABLES[self.verb][name]
        files = storage.list_files(storage.join(self.folder, dataset))
        places = [file.path for file in files if file.name.endswith(".parquet")]
        if places:
            with shards.open_part(places[0]) as file:
                shards.check_schema(file.schema_arrow, record, places[0])
        return self._dataset(places, schema.schema_of(record).remove_metadata())

    def index(self) -> ds.Dataset:
        """Where each key is: the job's `_index/`."""
        files = storage.list_files(storage.join(self.folder, index.FOLDER))
        return self._dataset([file.path for file in files], index.SCHEMA)

    def _dataset(self, places: Sequence[str], of: pa.Schema) -> ds.Dataset:
        fs, _ = storage.open_place(self.folder)
        paths = [storage.open_place(place)[1] for place in places]
        form = ds.ParquetFileFormat()
        return ds.FileSystemDataset.from_paths(paths, schema=of, format=form, filesystem=fs)


@dataclasses.dataclass(frozen=True)
class Examples:
    """A finished dataset of stage 2.

    Attributes:
      folder: Its directory.
      dataset: A name in tasks.DATASETS.
      manifest: Its `_MANIFEST.json`.
    """

    folder: str
    dataset: str
    manifest: Mapping[str, Any]

    @property
    def instructed(self) -> bool:
        """Whether its rows are schema.Example, else schema.Derived."""
        return bool(self.manifest["job"] == INSTRUCT)

    @property
    def place(self) -> tuple[str, str]:
        """(directory, name in it) under which `shards` finds the parts: they lie in the folder."""
        name = storage.open_place(self.folder)[1].rpartition("/")[2]
        return storage.parent(self.folder), name


@dataclasses.dataclass(frozen=True)
class Jobs:
    """The finished jobs of one command line; without neighbours, the corpus alone is told of.

    Attributes:
      corpus: The corpus.
      neighbours: Of it.
      examples: Datasets of stage 2 before they have instructions;
      instructed: and with them.
    """

    corpus: Finished
    neighbours: Finished | None = None
    examples: Sequence[Examples] = ()
    instructed: Sequence[Examples] = ()

    def __iter__(self) -> Iterator[Finished]:
        yield self.corpus
        if self.neighbours is not None:
            yield self.neighbours


def open_jobs(folders: Sequence[str]) -> Jobs:
    """The jobs that wrote these directories, in any order.

    Raises:
      UsageError: a directory is no finished job's, or no corpus is among them, or two of a kind.
    """
    found: dict[str, Finished] = {}
    examples: dict[tuple[str, bool], Examples] = {}
    for folder in folders:
        datasets = _examples(folder)
        for dataset in datasets:
            kind = (dataset.dataset, dataset.instructed)
            if kind in examples:
                both = f"{examples[kind].folder} and {dataset.folder}"
                raise UsageError(f"{both} are both the dataset {dataset.dataset}: give one of each")
            examples[kind] = dataset
        if datasets:
            continue
        one = _open(folder)
        if one.verb in found:
            both = f"{found[one.verb].folder} and {folder}"
            raise UsageError(f"{both} are both of the job {one.verb}: give one of each")
        found[one.verb] = one
    if CORPUS not in found:
        raise UsageError(f"none of {', '.join(folders)} is a corpus: name its directory too")
    jobs = Jobs(
        found[CORPUS],
        found.get(NEIGHBOURS),
        tuple(one for one in examples.values() if not one.instructed),
        tuple(one for one in examples.values() if one.instructed),
    )
    _check_match(jobs)
    return jobs


def _examples(folder: str) -> list[Examples]:
    """The finished datasets of stage 2 that a directory is or holds; none where it is no such."""
    found = []
    try:
        places = [folder, *storage.list_folders(folder)]
    except NotADirectoryError:
        return []
    for place in places:
        manifest = shards.read_json(place, shards.MANIFEST)
        if manifest is not None and manifest.get("dataset") in tasks.DATASETS:
            found.append(Examples(place, str(manifest["dataset"]), manifest))
    return found


def open_examples(folder: str) -> list[Examples]:
    """The datasets of stage 2 that a directory is or holds, in Table 1's order.

    Raises:
      UsageError: there are none, or one of them is not finished.
    """
    if storage.find(folder) is not None:
        raise UsageError(f"{folder} is a file: name the directory that a job filled")
    found: dict[str, Examples] = {}
    for one in _examples(folder):
        if one.dataset in found:
            both = f"{found[one.dataset].folder} and {one.folder}"
            raise UsageError(f"{both} are both the dataset {one.dataset}: give one of them")
        found[one.dataset] = one
    there = {one.folder for one in found.values()}
    for place in storage.list_folders(folder):
        if place not in there and shards.read_job(place) is not None:
            raise UsageError(f"{place} is not finished: run the job that fills it to its end")
    if not found:
        raise UsageError(
            f"{folder} holds no finished dataset: name the --output of `instruct-imagen instruct` "
            "or `instruct-imagen derive`"
        )
    return [found[name] for name in tasks.DATASETS if name in found]


def _check_match(jobs: Jobs) -> None:
    """Raises UsageError unless the neighbours are of this corpus, as it is now."""
    if jobs.neighbours is None:
        return
    there = {one["part"]: one["rows"]["scores"] for one in jobs.corpus.manifest["parts"]}
    if jobs.neighbours.job["inputs"] != there:
        raise UsageError(
            f"{jobs.neighbours.folder} was made of another corpus than {jobs.corpus.folder}, "
            "or that has grown since: name the corpus it was made of, or run neighbours again"
        )


def _open(folder: str) -> Finished:
    try:
        manifest = shards.read_json(folder, shards.MANIFEST)
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is a file: name the directory that a job filled") from error
    if manifest is None:
        what = "is not there" if not storage.exists(folder) else f"has no {shards.MANIFEST}"
        raise UsageError(f"{folder} {what}: name the --output of a job that ran to its end")
    verb = str(manifest.get("job"))
    if verb not in TABLES:
        raise UsageError(f"{folder} was written by {verb!r}; known are {', '.join(TABLES)}")
    job = shards.read_job(folder)
    if job is None:
        raise UsageError(f"{folder} has a {shards.MANIFEST} but no {shards.JOB}: it is damaged")
    return Finished(folder, verb, job, manifest)


def connect(jobs: Jobs) -> duckdb.DuckDBPyConnection:
    """A database in which the jobs' tables have the names of TABLES. Memory is bounded."""
    database = duckdb.connect()
    database.execute(f"SET memory_limit = '{_MEMORY}'; SET preserve_insertion_order = false")
    for job in jobs:
        for name in TABLES[job.verb]:
            database.register(name, job.table(name))
    return database


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """For queries: a part that DuckDB cannot read is told of as `shards.open_part` does.

    Raises:
      UsageError: a part is damaged.
    """
    try:
        yield
    except duckdb.Error as error:
        _, found, reason = str(error).partition("reading the stream registered as ")
        if not found:
            raise
        raise UsageError(
            f"a part is damaged ({' '.join(reason.split())}); "
            "run the job that wrote it again, with --overwrite"
        ) from error


def read_rows(
    folder: str, dataset: str, places: Iterable[tuple[str, int]], columns: Sequence[str] | None
) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows of a dataset by their place (part, row); only the row groups they are in are read.

    Args:
      columns: Those to read; None for all.
    """
    wanted: dict[str, list[int]] = {}
    for part, row in places:
        wanted.setdefault(part, []).append(row)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for part, rows in sorted(wanted.items()):
        with shards.open_part(shards.part_path(folder, dataset, part)) as file:
            first = 0
            for group in range(file.num_row_groups):
                end = first + file.metadata.row_group(group).num_rows
                inside = [row for row in rows if first <= row < end]
                if inside:
                    table = file.read_row_group(group, columns=columns, use_threads=False)
                    picked = table.take(pa.array([row - first for row in inside])).to_pylist()
                    found |= {(part, row): one for row, one in zip(inside, picked, strict=True)}
                first = end
    return found


def members(job: Finished) -> Iterator[tuple[str, pa.Table]]:
    """(part, its `id` and `keys`) of each part of neighbourhoods/, no picture read."""
    for part in shards.list_parts(job.folder, "neighbourhoods"):
        with shards.open_part(shards.part_path(job.folder, "neighbourhoods", part)) as file:
            leaves = [file.schema.column(i).path for i in range(len(file.schema))]
            (key,) = [one for one in leaves if one.startswith("members.") and one.endswith(".key")]
            table = file.read(columns=["id", key], use_threads=False)
        flat = pc.list_flatten(table["members"]).combine_chunks().field("key")
        offsets = table["members"].combine_chunks().offsets
        yield part, pa.table({"id": table["id"], "keys": pa.ListArray.from_arrays(offsets, flat)})
