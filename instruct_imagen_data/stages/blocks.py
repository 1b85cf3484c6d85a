"""Blocks: the unit of work, and the one place where functions are lifted to them.

A block is a named piece of a dataset that keeps its part name through every map-like stage. It
carries a table a dataset (rows in the same order) and the rejects of all stages behind it, so that
the last stage writes everything and commits. Nothing here is ever shuffled.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection

from instruct_imagen_data import schema, shards
from instruct_imagen_data.errors import ConservationError

MAX_ROWS = 256
MAX_BYTES = 64 << 20  # of encoded input: an Arrow binary column holds at most 2 GiB

Row = TypeVar("Row")
Result = TypeVar("Result")


class Reject(Exception):
    """A record that cannot go on. `sift` alone catches it."""

    def __init__(
        self,
        reason: str,
        detail: str = "",
        value: float | None = None,
        limit: float | None = None,
        survivor: str = "",
    ) -> None:
        super().__init__(reason, detail, value, limit, survivor)
        self.reason, self.detail, self.value, self.limit = reason, detail, value, limit
        self.survivor = survivor


@dataclasses.dataclass(frozen=True)
class Block:
    """Rows with a part name.

    Attributes:
      part: Name such as `00012-003`: input file 00012.tar, block 3.
      rows_in: Rows that were read for it, rejects included.
      last: No further block follows in the input file.
      tables: Dataset name to rows; the `_rejects` of all stages so far are always among them.
    """

    part: str
    rows_in: int
    last: bool
    tables: Mapping[str, pa.Table]

    @property
    def rejects(self) -> pa.Table:
        return self.tables[shards.REJECTS]


def sift(
    rows: Iterable[Row],
    function: Callable[[Row], Result],
    describe: Callable[[Row, Reject], schema.RejectRow],
) -> tuple[list[Result], list[schema.RejectRow]]:
    """The results of a record function, in order, and a reject row for each record it refused.

    Any exception but `Reject` is a bug and stops the job: a block that did not fail is complete.
    """
    kept: list[Result] = []
    rejected: list[schema.RejectRow] = []
    for row in rows:
        try:
            kept.append(function(row))
        except Reject as reject:
            rejected.append(describe(row, reject))
    return kept, rejected


def chunks(
    rows: Iterable[Row], weigh: Callable[[Row], int], max_rows: int = MAX_ROWS
) -> Iterator[list[Row]]:
    """Rows in order, in lists of at most max_rows rows and (but for one row) MAX_BYTES bytes."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        weight = weigh(row)
        if chunk and (len(chunk) == max_rows or size + weight > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += weight
    if chunk:
        yield chunk


def check_conservation(before: Block, after: Block, stage: str) -> None:
    """Raises ConservationError unless each row of `before` is in a table or a reject, once."""
    known = before.rejects["origin"].to_pylist()
    wanted = sorted(
        known
        + [
            origin
            for name, table in before.tables.items()
            if name != shards.REJECTS
            for origin in table["origin"].to_pylist()
        ]
    )
    datasets = [t for name, t in after.tables.items() if name != shards.REJECTS]
    if len({table.num_rows for table in datasets}) > 1:
        raise ConservationError(f"{stage}, part {after.part}: its tables differ in length")
    found = sorted(datasets[0]["origin"].to_pylist() + after.rejects["origin"].to_pylist())
    if wanted != found:
        lost = sorted(set(wanted) ^ set(found))[:3]
        raise ConservationError(f"{stage}, part {after.part}: rows lost or invented, e.g. {lost}")


def count(before: Block, after: Block, stage: str) -> None:
    """Beam counters `stage/kept` and `stage/REASON` of one block."""
    kept = next(t.num_rows for name, t in after.tables.items() if name != shards.REJECTS)
    Metrics.counter(stage, "kept").inc(kept)
    for reason in after.rejects["reason"].to_pylist()[before.rejects.num_rows :]:
        Metrics.counter(stage, reason).inc()


def _commit(block: Block, folder: str) -> str:
    shards.commit_block(folder, block.part, block.tables, rows_in=block.rows_in, last=block.last)
    return block.part


@dataclasses.dataclass(eq=False)
class WriteBlocks(beam.PTransform):
    """Blocks in; the names of the parts written out. `_rejects` goes last: the block's commit."""

    folder: str

    def expand(self, blocks: PCollection[Block]) -> PCollection[str]:
        return blocks | beam.Map(_commit, self.folder)
