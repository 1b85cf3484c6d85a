"""A table as the bytes of a Parquet file: how all parts are encoded."""

import functools
import io
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_GROUP = 100  # of parts with pictures: viewers and loaders hold one group in memory
ROWS_PER_GROUP_DRAWN = 16  # of parts of which single rows are drawn


def _has_pictures(table: pa.Table) -> bool:
    def holds(kind: pa.DataType) -> bool:
        if pa.types.is_struct(kind):
            return any(holds(field.type) for field in kind)
        if pa.types.is_list(kind):
            return holds(kind.value_type)
        return bool(kind == pa.binary())

    return any(holds(field.type) for field in table.schema)


def serialise(
    table: pa.Table, footer: Mapping[str, str] | None = None, rows_per_group: int = ROWS_PER_GROUP
) -> pa.Buffer:
    """A table as the bytes of a Parquet file; the same table gives the same bytes.

    Text and numbers are zstd; pictures (compressed already: zstd saves 0.1 %) and vectors are
    stored as they are, without dictionary. So is all of smaller groups than usual, where zstd and
    dictionaries save 0.4 % and cost a third of the time; nor have these statistics, which double
    the footer.

    Args:
      rows_per_group: Of tables with pictures; others are one group.
    """
    small = rows_per_group < ROWS_PER_GROUP
    plain = {
        field.name
        for field in table.schema
        if not (pa.types.is_string(field.type) or pa.types.is_integer(field.type)) or small
    }
    if footer:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **footer})
    columns = {
        path: path.split(".")[0] in plain for path in _columns(table.schema.remove_metadata())
    }
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=rows_per_group if _has_pictures(table) else max(1, table.num_rows),
        compression={path: "NONE" if as_is else "ZSTD" for path, as_is in columns.items()},
        use_dictionary=[path for path, as_is in columns.items() if not as_is],
        write_statistics=not small,
        store_schema=True,
    )
    return sink.getvalue()


@functools.lru_cache(64)  # schemas; it takes milliseconds, as long as some parts take in all
def _columns(plain: pa.Schema) -> list[str]:
    """Dotted paths of the Parquet columns that tables of a schema are written as."""
    empty = io.BytesIO()
    pq.write_table(plain.empty_table(), empty)
    leaves = pq.ParquetFile(empty).schema
    return [leaves.column(i).path for i in range(len(leaves))]
