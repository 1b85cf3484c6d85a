"""Parts, commits, the job file and the manifest: what a dataset looks like on disk.

DIR/_JOB.json                      written first: options, hashes, inputs
DIR/images/part-00012-003.parquet  one part a block and dataset
DIR/_rejects/part-00012-003.parquet  written last: the block's commit, even when empty
DIR/_MANIFEST.json                 written last of all: a finished stage is known by it alone
"""

import contextlib
import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from instruct_imagen_data import schema, storage
from instruct_imagen_data.encoding import ROWS_PER_GROUP, serialise
from instruct_imagen_data.errors import UsageError

REJECTS = "_rejects"
JOB = "_JOB.json"
MANIFEST = "_MANIFEST.json"
_FOOTER_READERS = 16


def part_path(folder: str, dataset: str, part: str) -> str:
    """Place of one part of a dataset."""
    return storage.join(folder, dataset, f"part-{part}.parquet")


def part_name(file: storage.File) -> str:
    """The part's name ("00012-003") of a file in a dataset's folder."""
    return file.name.removeprefix("part-").removesuffix(".parquet")


def block_part(stem: str, index: int) -> str:
    """Name of the part that is block `index` of an input file."""
    return f"{stem}-{index:03d}"


def stem_and_index(part: str) -> tuple[str, int]:
    """The inverse of `block_part`."""
    stem, _, index = part.rpartition("-")
    return stem, int(index)


def list_parts(folder: str, dataset: str) -> list[str]:
    """Names of the parts of a dataset that are whole, sorted."""
    files = storage.list_files(storage.join(folder, dataset))
    return [part_name(file) for file in files if file.name.endswith(".parquet")]


def write_part(
    folder: str,
    dataset: str,
    part: str,
    table: pa.Table,
    rows_per_group: int = ROWS_PER_GROUP,
    **footer: str,
) -> str:
    """Writes one part, whole or not at all; the sha256 (hex) of its bytes."""
    data = serialise(table, footer, rows_per_group)
    storage.write_bytes(part_path(folder, dataset, part), data)
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def open_part(path: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file of ours, for as long as the block lasts.

    Raises:
      UsageError: the file is not there or damaged, in its footer or in what the block reads of it.
    """
    try:
        with storage.open_random(path) as source:
            yield pq.ParquetFile(source)
    except FileNotFoundError as error:
        raise UsageError(f"{path} is gone; the job that wrote it must run again") from error
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's or the network's; of bytes that make no sense, no number is given
        raise UsageError(
            f"{path} is damaged ({' '.join(str(error).split())}); "
            "run the job that wrote it again, with --overwrite"
        ) from error


def read_part(
    folder: str, dataset: str, part: str, record: type | None, columns: Sequence[str] | None = None
) -> pa.Table:
    """One part as a table, its schema compared with the record's (None: taken as it is).

    Raises:
      SchemaMismatch: naming the first field that differs.
      UsageError: the part is not there or damaged.
    """
    path = part_path(folder, dataset, part)
    with open_part(path) as file:
        if record is not None:
            check_schema(file.schema_arrow, record, path)
        return file.read(columns=list(columns) if columns else None, use_threads=False)


def take_rows(
    folder: str, dataset: str, part: str, rows: npt.NDArray[np.intp], columns: Sequence[str]
) -> pa.Table:
    """Some rows of a part, ascending, that may repeat; only row groups that hold one are read."""
    found, first = [], 0
    with open_part(part_path(folder, dataset, part)) as file:
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            inside = rows[np.searchsorted(rows, first) : np.searchsorted(rows, end)]
            if len(inside):
                table = file.read_row_group(group, [*columns], use_threads=False)
                found.append(table.take(pa.array(inside - first)))
            first = end
        if not found:
            return file.schema_arrow.empty_table().select([*columns])
    return pa.concat_tables(found).combine_chunks()


def check_schema(found: pa.Schema, record: type, where: str) -> None:
    """Compares the schema of an opened part with a record; see `schema.check`."""
    # Vectors may be of any length; where there are none, the check says so.
    dimension = schema.dimension_of(found) if "image_vector" in found.names else 1
    schema.check(found, schema.schema_of(record, dimension), where)


@dataclasses.dataclass(frozen=True, slots=True)
class Commit:
    """What a block came to, kept in the footer of its `_rejects` part."""

    part: str
    rows_in: int
    rows: dict[str, int]  # dataset -> rows written
    sha256: dict[str, str]  # dataset -> sha256 of the part's bytes
    reasons: dict[str, int]  # reject reason -> rows
    last: bool  # no further block follows in the input file
    splits: dict[str, int] | None = None  # split -> rows written, where loaders ask for it


def commit_block(
    folder: str, part: str, tables: Mapping[str, pa.Table], *, rows_in: int, last: bool
) -> Commit:
    """Writes the parts of a block in the order given, `_rejects` last: that is its commit."""
    rejects = tables[REJECTS]
    written = {
        name: write_part(folder, name, part, table)
        for name, table in tables.items()
        if name != REJECTS
    }
    rows = {name: table.num_rows for name, table in tables.items()}
    commit = Commit(part, rows_in, rows, written, reasons_of(rejects), last)
    write_commit(folder, commit, rejects)
    return commit


def reasons_of(rejects: pa.Table) -> dict[str, int]:
    """Reason -> rows of a table of rejects, sorted."""
    return dict(sorted(Counter(rejects["reason"].to_pylist()).items()))


def write_commit(folder: str, commit: Commit, rejects: pa.Table) -> None:
    """Writes the `_rejects` part of a block whose other parts are written."""
    told = {name: one for name, one in dataclasses.asdict(commit).items() if one is not None}
    write_part(folder, REJECTS, commit.part, rejects, commit=json.dumps(told))


def read_commit(folder: str, part: str) -> Commit:
    """The commit of a block, from the footer of its `_rejects` part (no rows are read)."""
    with open_part(part_path(folder, REJECTS, part)) as file:
        footer = file.schema_arrow.metadata
    return Commit(**json.loads(footer[b"commit"]))


def read_commits(folder: str) -> Iterator[Commit]:
    """All commits of a job's directory, in the order of their parts' names."""
    with ThreadPoolExecutor(_FOOTER_READERS) as readers:
        yield from readers.map(lambda part: read_commit(folder, part), list_parts(folder, REJECTS))


def write_json(folder: str, name: str, content: Mapping[str, Any]) -> None:
    """Writes `_JOB.json` or `_MANIFEST.json`."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    storage.write_bytes(storage.join(folder, name), text.encode())


def read_json(folder: str, name: str) -> dict[str, Any] | None:
    """The content of `_JOB.json` or `_MANIFEST.json`, None where there is none.

    Raises:
      UsageError: the file is there but is no JSON.
    """
    try:
        data = storage.read_bytes(storage.join(folder, name))
    except FileNotFoundError:
        return None
    try:
        content = json.loads(data)
    except ValueError as error:
        raise UsageError(f"{storage.join(folder, name)} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{storage.join(folder, name)} is damaged: not a JSON object")
    return content


def read_job(folder: str) -> dict[str, Any] | None:
    """The content of `_JOB.json` (job, settings, inputs, paths), None where there is none.

    Raises:
      UsageError: the file is there but is no job's.
    """
    content = read_json(folder, JOB)
    if content is not None:
        tables = (content.get(name) for name in ("settings", "inputs", "paths"))
        if "job" not in content or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{storage.join(folder, JOB)} is damaged: it describes no job")
    return content


def require_finished(folder: str, verb: str) -> dict[str, Any]:
    """The manifest of a finished job.

    Raises:
      UsageError: there is none; says which command finishes it.
    """
    manifest = read_json(folder, MANIFEST)
    if manifest is None:
        raise UsageError(
            f"{folder} holds no finished {verb} (no {MANIFEST}): "
            f"run `instruct-imagen {verb} ... --output {folder}` to its end"
        )
    if manifest.get("job") != verb:
        raise UsageError(f"{folder} was written by {manifest.get('job')!r}, not by {verb!r}")
    return manifest
