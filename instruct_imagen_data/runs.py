"""Runs: how rows are brought together by content without going through a shuffle.

A *group* is about 32k rows of consecutive parts: what one element of a job works on. A group that
holds rows for many destinations writes them as one file, a *run*, with a record batch a
destination; only references (destination, (run, batch)) are shuffled, and the receiver reads its
batches by range. One mechanism for vectors and pictures, for a laptop and a cluster.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data import storage

GROUP_ROWS = 32 << 10
Ref = tuple[str, int]  # (name of the run, number of the batch)


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Consecutive parts of a corpus.

    Attributes:
      number: Of the group, from 0.
      first: Number of its first row in the corpus. Row numbers follow the order of the inputs, so
        they are the same whatever the size of blocks and groups.
      parts: Names of the parts, in order.
      rows: Rows of each part.
    """

    number: int
    first: int
    parts: tuple[str, ...]
    rows: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.number:05d}"

    @property
    def size(self) -> int:
        return sum(self.rows)

    def slices(self) -> Iterator[tuple[str, int, int]]:
        """(part, first row, end) of each part, counted within the group."""
        ends = np.cumsum(self.rows).tolist()
        yield from zip(self.parts, [0, *ends[:-1]], ends, strict=True)


def _place(part: str) -> tuple[str, int]:
    stem, _, block = part.rpartition("-")
    return stem, int(block)


def groups_of(parts: Mapping[str, int], group_rows: int = GROUP_ROWS) -> list[Group]:
    """Parts (name to rows) in the order of inputs and blocks, in groups of about `group_rows`."""
    found: list[Group] = []
    held: list[str] = []
    first = size = 0
    for part in sorted(parts, key=_place):  # block 1000 of a file comes after block 999
        held.append(part)
        size += parts[part]
        if size >= group_rows:
            found.append(Group(len(found), first, tuple(held), tuple(parts[p] for p in held)))
            first, held, size = first + size, [], 0
    if held:
        found.append(Group(len(found), first, tuple(held), tuple(parts[p] for p in held)))
    return found


def put(path: str, batches: Sequence[pa.RecordBatch], schema: pa.Schema, **notes: Any) -> None:
    """Writes an Arrow IPC file, whole or not at all; `notes` (JSON) go into its schema."""
    metadata = {name: json.dumps(note) for name, note in notes.items()}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema.with_metadata(metadata)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    storage.write_bytes(path, sink.getvalue())


def put_table(path: str, table: pa.Table, **notes: Any) -> None:
    """Writes a table as an Arrow IPC file of one batch (none if it is empty)."""
    put(path, table.combine_chunks().to_batches(), table.schema, **notes)


def get_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole IPC file; a local one is mapped, not copied."""
    table = pa.ipc.open_file(storage.open_random(path)).read_all()
    return table.select(list(columns)) if columns else table


def get_notes(path: str) -> dict[str, Any]:
    """What was noted when the file was written."""
    with storage.open_random(path) as source:
        metadata = pa.ipc.open_file(source).schema.metadata or {}
    return {name.decode(): json.loads(note) for name, note in metadata.items()}


def run_path(folder: str, run: str) -> str:
    """Place of a run."""
    return storage.join(folder, f"{run}.arrow")


def write_run(
    folder: str, run: str, table: pa.Table, codes: npt.NDArray[np.int64], names: Sequence[str]
) -> None:
    """Writes rows as a run: a batch for each destination, rows in the order given.

    Args:
      codes: [n] number of each row's destination, an index into `names`; -1 leaves the row out.
    """
    order = np.argsort(codes, kind="stable")
    order = order[np.searchsorted(codes[order], 0) :]
    present, starts = np.unique(codes[order], return_index=True)
    # taken in one go: a batch is then a slice, and IPC writes a slice without its parent
    taken = table.take(pa.array(order)).combine_chunks()
    ends = [*starts[1:].tolist(), len(order)][: len(starts)]  # none, where no row goes anywhere
    batches = [
        batch
        for start, end in zip(starts.tolist(), ends, strict=True)
        for batch in taken.slice(start, end - start).to_batches()
    ]
    put(run_path(folder, run), batches, table.schema, to=[names[code] for code in present])


def references(folder: str, run: str) -> Iterator[tuple[str, Ref]]:
    """(destination, reference) of each batch of a run."""
    for batch, name in enumerate(get_notes(run_path(folder, run))["to"]):
        yield name, (run, batch)


def read_batches(folder: str, refs: Iterable[Ref]) -> pa.Table:
    """The rows behind references, in the order of (run, batch): the same in every execution."""
    batches: list[pa.RecordBatch] = []
    opened: dict[str, Any] = {}
    for run, batch in sorted(refs):
        if run not in opened:
            opened[run] = pa.ipc.open_file(storage.open_random(run_path(folder, run)))
        batches.append(opened[run].get_batch(batch))
    return pa.Table.from_batches(batches).replace_schema_metadata(None)
