"""`_index/`: where each key is, sorted by key, so that one is found without reading the parts."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from instruct_imagen_data import shards, storage

FOLDER = "_index"
SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
    ]
)
_ROWS_PER_FILE = 4 << 20  # serialised in memory, then put at once
_ROWS_PER_GROUP = 16 << 10  # a look-up reads one or two groups
_SORT_MEMORY = "512MB"  # beyond it the sort goes to disk


def places(
    dataset: str,
    part: str,
    keys: pa.ChunkedArray,
    origins: pa.ChunkedArray | None = None,
    rows: npt.NDArray[np.integer] | None = None,
) -> pa.Table:
    """Rows for the index: one for each key.

    Args:
      origins: of the rows; '' where they have none.
      rows: int [n] the row each key is in; one after the other by default.
    """
    count = len(keys)
    numbers = np.arange(count) if rows is None else rows
    columns = [
        keys,
        pa.repeat("", count) if origins is None else origins,
        pa.repeat(dataset, count),
        pa.repeat(part, count),
        pa.array(numbers.astype(np.int32)),
    ]
    return pa.table(columns, schema=SCHEMA)


def of_parts(folder: str, datasets: Sequence[str], parts: Sequence[str]) -> Iterator[pa.Table]:
    """Where the keys of some parts are: what `build` wants of datasets of one row a key."""
    for part in parts:
        for dataset in datasets:
            table = shards.read_part(folder, dataset, part, None, ["key", "origin"])
            yield places(dataset, part, table["key"], table["origin"])


def build(folder: str, found: Iterable[pa.Table]) -> None:
    """Writes the index of a job's directory.

    Memory is bounded whatever the number of rows; the same rows give the same bytes.

    Args:
      found: tables of SCHEMA, in any order.
    """
    batches = (batch for table in found for batch in table.to_batches())
    rows = pa.RecordBatchReader.from_batches(SCHEMA, batches)
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as database:
        database.execute(f"SET threads = 1; SET memory_limit = '{_SORT_MEMORY}'")
        database.execute(f"SET temp_directory = '{spill}'")
        database.register("unsorted", rows)
        query = "SELECT * FROM unsorted ORDER BY key, dataset, part, row"
        ordered = database.sql(query).to_arrow_reader(_ROWS_PER_GROUP)
        for number, table in enumerate(_files(ordered)):
            sink = pa.BufferOutputStream()
            pq.write_table(
                table.cast(SCHEMA), sink, row_group_size=_ROWS_PER_GROUP, compression="zstd"
            )
            place = storage.join(folder, FOLDER, f"part-{number:05d}.parquet")
            storage.write_bytes(place, sink.getvalue())


def _files(ordered: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in ordered:
        held.append(batch)
        rows += batch.num_rows
        if rows >= _ROWS_PER_FILE:
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if held or not rows:
        yield pa.Table.from_batches(held, SCHEMA if not held else None)


def find(folder: str, key: str) -> list[dict[str, str | int]]:
    """Rows of the index whose key starts with a prefix, by key.

    Only the row groups whose range can hold the key are read.
    """
    found: list[dict[str, str | int]] = []
    upper = key + "\U0010ffff"
    for file in storage.list_files(storage.join(folder, FOLDER)):
        with shards.open_part(file.path) as parquet:
            for group in range(parquet.num_row_groups):
                bounds = parquet.metadata.row_group(group).column(0).statistics
                if bounds is None or bounds.max < key or bounds.min > upper:
                    continue
                table = parquet.read_row_group(group, use_threads=False)
                found += table.filter(pc.starts_with(table["key"], key)).to_pylist()
    return found
