"""What rows are judged by, read from a corpus once and kept as columns."""

import dataclasses
import json

import pyarrow as pa

from instruct_imagen_data import schema, shards, vectors
from instruct_imagen_data.errors import ConservationError, UsageError
from instruct_imagen_data.runs import Group

_SCORES = tuple(field.name for field in dataclasses.fields(schema.Choice) if field.name != "source")


def source_values(corpus: str, part: str, column: str) -> list[str]:
    """The source of each row of a part: a field of Image, or else a name inside its metadata.

    Raises:
      UsageError: no row of the part has it.
    """
    field = column if column in schema.schema_of(schema.Image).names else "metadata"
    values = shards.read_part(corpus, "images", part, schema.Image, [field])[field].to_pylist()
    if field == column:
        return [str(value) for value in values]
    objects = [json.loads(value or "{}") for value in values]
    if objects and not any(column in one for one in objects):
        known = ", ".join(sorted(objects[0]))
        raise UsageError(
            f"--source-column {column}: no field of the images and not in their metadata "
            f"({known or 'which is empty'})"
        )
    return [str(one.get(column, "")) for one in objects]


def read_rows(corpus: str, group: Group, source_column: str) -> pa.Table:
    """The rows of a group (schema.Choice), from its parts of `scores/`.

    Raises:
      ConservationError: a part does not hold the rows that the corpus' manifest says.
    """
    tables = [
        shards.read_part(corpus, "scores", part, schema.Score, _SCORES) for part in group.parts
    ]
    if tuple(table.num_rows for table in tables) != group.rows:
        raise ConservationError(f"{corpus}: parts of scores/ differ from the manifest")
    table = pa.concat_tables(tables).combine_chunks()
    sources: list[str] = []
    if source_column:
        sources = [s for part in group.parts for s in source_values(corpus, part, source_column)]
    columns = {name: table[name] for name in _SCORES} | {
        "key": vectors.column_of(vectors.pack_keys(table["key"])),
        "source": pa.array(sources) if sources else pa.repeat("", table.num_rows),
    }
    wanted = schema.schema_of(schema.Choice)
    return pa.table({name: columns[name] for name in wanted.names}, schema=wanted)
