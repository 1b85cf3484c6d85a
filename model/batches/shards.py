"""Rows of a dataset by number, straight from its parts: an index of them, and a cache of groups."""

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from instruct_imagen_data import shards

_FOOTER_READERS = 16

Numbers = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one split of a dataset, in the order of its parts. 4 bytes a row.

    Attributes:
      folder, dataset: Where `shards` finds the parts.
      parts: Their names.
      firsts: int64 [parts + 1], number of each part's first row, and of all.
      rows: int32 [n], row in its part of each.
      group_ends: For each part, the end of each of its row groups.
      columns: Those that are read.
    """

    folder: str
    dataset: str
    parts: tuple[str, ...]
    firsts: Numbers
    rows: npt.NDArray[np.int32]
    group_ends: tuple[tuple[int, ...], ...]
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, number: int) -> tuple[int, int]:
        """(number of the part, row in it)."""
        part = int(np.searchsorted(self.firsts, number, side="right")) - 1
        return part, int(self.rows[number])

    def path(self, part: int) -> str:
        return shards.part_path(self.folder, self.dataset, self.parts[part])


def find(
    folder: str,
    dataset: str,
    parts: Sequence[str],
    record: type,
    split: str,
    columns: Sequence[str],
) -> Rows:
    """The rows of a split of a dataset; footers and the column `split` are read, nothing else.

    Raises:
      SchemaMismatch: a part holds another record.
      UsageError: a part is gone or damaged.
    """

    def look(part: str) -> tuple[npt.NDArray[np.int32], tuple[int, ...]]:
        path = shards.part_path(folder, dataset, part)
        with shards.open_part(path) as file:
            shards.check_schema(file.schema_arrow, record, path)
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            splits = file.read(columns=["split"], use_threads=False)["split"]
        inside = np.flatnonzero(pc.equal(splits, split).to_numpy())
        return inside.astype(np.int32), tuple(np.cumsum(groups, dtype=int).tolist())

    with ThreadPoolExecutor(_FOOTER_READERS) as readers:
        looked = list(readers.map(look, parts))
    rows = [one for one, _ in looked]
    return Rows(
        folder,
        dataset,
        tuple(parts),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.concatenate([np.empty(0, np.int32), *rows]),
        tuple(ends for _, ends in looked),
        tuple(columns),
    )


class Reader:
    """Reads single rows; the row groups that it read last stay at hand, at most `limit` bytes.

    One group more than fits is held while it is in use. What rows a lane draws lie together, so a
    group is usually read once a lane; where too many lanes share too small a cache, it is read
    again, and nothing else changes. To hold all that is in use takes a window and a group of rows
    for each dataset and each lane that is read here.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0  # bytes
        self._groups: OrderedDict[tuple[str, int], pa.RecordBatch] = OrderedDict()
        self.reads = 0  # row groups read so far

    def row(self, rows: Rows, part: int, row: int) -> dict[str, Any]:
        """A row as Python values, by the number of its part and its place there.

        Raises:
          UsageError: the part is gone or damaged.
        """
        ends = rows.group_ends[part]
        group = int(np.searchsorted(ends, row, side="right"))
        first = ends[group - 1] if group else 0
        held = self._group(rows.path(part), group, rows.columns)
        found: dict[str, Any] = held.slice(row - first, 1).to_pylist()[0]
        return found

    def _group(self, path: str, group: int, columns: Sequence[str]) -> pa.RecordBatch:
        held = self._groups.get((path, group))
        if held is not None:
            self._groups.move_to_end((path, group))
            return held
        with shards.open_part(path) as file:
            table = file.read_row_group(group, [*columns], use_threads=False)
        (held,) = (
            table.combine_chunks().to_batches()
        )  # a row of one is taken faster than of a table
        self.reads += 1
        self._groups[path, group] = held
        self._held += held.nbytes
        while self._held > self._limit and len(self._groups) > 1:
            self._held -= self._groups.popitem(last=False)[1].nbytes
        return table
