"""Two builds of a dataset, compared by key and by hashes of what the rows hold.

Parts that both builds have, by the hashes in their manifests, are not read; of the others, a batch
of rows is in memory at a time, and the hashes in DuckDB, which goes to disk where they are many.
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from instruct_imagen_data import schema, shards
from instruct_imagen_data.tools.finished import Examples

NO_REJECT = "no reject"  # neither the row nor a parent of it has one in the other build
# What may change, in the words of the table -> columns.
FIELDS: dict[str, tuple[str, ...]] = {
    "instruction": ("instruction",),
    "template": ("template_id",),
    "caption": ("caption",),
    "image": ("image", "width", "height"),
    "references": ("references",),
    "slots": ("slots",),
    "checks": ("checks",),
    "licence": ("licence",),
    "sources": ("sources",),
    "split": ("split",),
    "task": ("task",),
}
_MEMORY = "512MB"  # beyond it DuckDB goes to disk
_BATCH = 256  # rows
_REASONS = """
    WITH gone AS (
      SELECT key, list_concat([key], parents) AS cited FROM {here} ANTI JOIN {there} USING (key)
    ), cited AS (
      SELECT key, unnest(cited) AS parent, generate_subscripts(cited, 1) AS place FROM gone
    ), why AS (
      SELECT cited.key, arg_min(reason, (place, reason)) AS reason
      FROM cited JOIN {there}_rejects AS rejects ON cited.parent = rejects.key GROUP BY cited.key
    )
    SELECT coalesce(reason, '{none}') AS reason, count(*) AS rows
    FROM gone LEFT JOIN why USING (key) GROUP BY 1 ORDER BY 2 DESC, 1
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """What two builds of a dataset differ in.

    Attributes:
      dataset: Its name.
      rows: Of the first and of the second build.
      added: Rows that only the second has, by the reason that the first rejected them for: that of
        the row, or of its first parent that has one.
      removed: Rows that only the first has, by the second's.
      changed: Rows of both that are not the same.
      fields: Name in FIELDS -> rows in which it changed.
    """

    dataset: str
    rows: tuple[int, int]
    added: Mapping[str, int]
    removed: Mapping[str, int]
    changed: int
    fields: Mapping[str, int]

    @property
    def equal(self) -> bool:
        """Whether both hold the same rows."""
        same = self.rows[0] == self.rows[1] and not self.changed
        return same and not self.added and not self.removed


def rows_in(build: Examples | None) -> int:
    """Rows of a build, as its manifest says; of none, 0."""
    return int(build.manifest["rows"].get(build.dataset, 0)) if build is not None else 0


def to_read(one: Examples | None, other: Examples | None) -> dict[str, int]:
    """Part -> rows of the parts of `one` that are not in `other` as they are."""
    there = {sha256 for _, sha256 in _parts(other).values()}
    return {part: rows for part, (rows, sha256) in _parts(one).items() if sha256 not in there}


def _parts(build: Examples | None) -> dict[str, tuple[int, str]]:
    """Part -> (rows, sha256) of the parts that hold rows."""
    if build is None:
        return {}
    name = build.dataset
    listed: Sequence[Mapping[str, Any]] = build.manifest["parts"]
    return {
        str(one["part"]): (int(one["rows"][name]), str(one["sha256"][name]))
        for one in listed
        if one["rows"].get(name, 0)
    }


def compare(
    dataset: str, builds: tuple[Examples | None, Examples | None], read: Callable[[int], object]
) -> Difference:
    """Compares two builds of a dataset, of which one may be missing.

    Args:
      read: Called with the number of rows that were read.

    Raises:
      UsageError: a part is not there, damaged, or of another record.
    """
    first, second = builds
    record = _record(builds)
    names = schema.schema_of(record).names
    fields = {name: found for name, found in FIELDS.items() if set(found) <= set(names)}
    with _database() as database:
        _fill(database, "first", first, (to_read(first, second), fields, record), read)
        _fill(database, "second", second, (to_read(second, first), fields, record), read)
        for table, build in (("first", first), ("second", second)):
            _fill_rejects(database, table, build)
        removed = _counts(database, _REASONS.format(here="first", there="second", none=NO_REJECT))
        added = _counts(database, _REASONS.format(here="second", there="first", none=NO_REJECT))
        changed, by_field = _changed(database, list(fields))
    rows = (rows_in(first), rows_in(second))
    return Difference(dataset, rows, added, removed, changed, by_field)


def _record(builds: tuple[Examples | None, Examples | None]) -> type:
    instructed = any(one.instructed for one in builds if one is not None)
    return schema.Example if instructed else schema.Derived


@contextlib.contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as database:
        database.execute(f"SET threads = 1; SET memory_limit = '{_MEMORY}'")
        database.execute(f"SET temp_directory = '{spill}'")
        yield database


def _fill(
    database: duckdb.DuckDBPyConnection,
    table: str,
    build: Examples | None,
    what: tuple[Mapping[str, int], Mapping[str, Sequence[str]], type],
    read: Callable[[int], object],
) -> None:
    """Makes a table of key, parents, and a hash of each field."""
    parts, fields, record = what
    hashes = {
        name: "hash(" + ", ".join(f'"{column}"' for column in columns) + ")"
        for name, columns in fields.items()
    }
    declared = "".join(f', "{name}" UBIGINT' for name in hashes)
    database.execute(f"CREATE TABLE {table} (key VARCHAR, parents VARCHAR[]{declared})")
    chosen = ", ".join(["key", "sources", *hashes.values()])
    columns = sorted({"key", "sources", *(one for some in fields.values() for one in some)})
    if build is None:
        return
    for part in parts:
        path = shards.part_path(*build.place, part)
        with shards.open_part(path) as file:
            shards.check_schema(file.schema_arrow, record, path)
            for batch in file.iter_batches(_BATCH, columns=columns, use_threads=False):
                database.register("batch", pa.Table.from_batches([batch]))
                database.execute(f"INSERT INTO {table} SELECT {chosen} FROM batch")
                read(batch.num_rows)


def _fill_rejects(database: duckdb.DuckDBPyConnection, table: str, build: Examples | None) -> None:
    """Makes a table of key and reason of what a build rejected."""
    database.execute(f"CREATE TABLE {table}_rejects (key VARCHAR, reason VARCHAR)")
    if build is None:
        return
    for part in shards.list_parts(build.folder, shards.REJECTS):
        rejects = shards.read_part(
            build.folder, shards.REJECTS, part, schema.RejectRow, ["key", "reason"]
        )
        database.register("batch", rejects)
        database.execute(f"INSERT INTO {table}_rejects SELECT key, reason FROM batch")


def _counts(database: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in database.execute(query).fetchall()}


def _changed(
    database: duckdb.DuckDBPyConnection, fields: Sequence[str]
) -> tuple[int, dict[str, int]]:
    """(rows that changed, field -> rows in which it did, where there are any)."""
    differs = [f'first."{name}" <> second."{name}"' for name in fields]
    sums = ", ".join(f"count(*) FILTER (WHERE {one})" for one in [" OR ".join(differs), *differs])
    query = f"SELECT {sums} FROM first JOIN second USING (key)"
    row = database.execute(query).fetchone() or ()
    total, *counts = map(int, row)
    return total, {name: count for name, count in zip(fields, counts, strict=True) if count}
