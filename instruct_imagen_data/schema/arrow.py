"""Records as Arrow: `schema_of` is the Parquet schema of a record, stored and compared on disk."""

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data.errors import SchemaMismatch
from instruct_imagen_data.schema.records import Encoded

_SCALARS: dict[Any, pa.DataType] = {
    str: pa.string(),
    bytes: pa.binary(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def _type_of(hint: Any) -> tuple[pa.DataType, bool]:
    """(pyarrow type, nullable) of a type hint."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return typing.get_args(hint)[1], False
    if origin in (typing.Union, types.UnionType):
        (inner,) = (a for a in typing.get_args(hint) if a is not type(None))
        return _type_of(inner)[0], True
    if origin is tuple:
        kind, nullable = _type_of(typing.get_args(hint)[0])
        return pa.list_(pa.field("item", kind, nullable=nullable)), nullable
    if dataclasses.is_dataclass(hint):
        shown = _shows_pictures(hint)
        fields = _fields(typing.cast(type, hint))
        return pa.struct([field.with_nullable(shown) for field in fields]), shown
    return _SCALARS[hint], False


def _shows_pictures(hint: Any) -> bool:
    """Whether a field of this type is, or holds, encoded pictures.

    Hugging Face `datasets` takes our feature metadata for a column only if it is nullable at every
    level; else it shows bytes for pictures. No picture is ever null.
    """
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint).values()
        return hint is Encoded or any(map(_shows_pictures, hints))
    return any(map(_shows_pictures, typing.get_args(hint)))


def _fields(record: type) -> list[pa.Field]:
    hints = typing.get_type_hints(record, include_extras=True)
    fields = []
    for field in dataclasses.fields(record):
        kind, nullable = _type_of(hints[field.name])
        fields.append(pa.field(field.name, kind, nullable=nullable))
    return fields


def _features(schema: pa.Schema) -> dict[str, Any]:
    """Hugging Face feature metadata: image structs are shown as pictures."""
    image = _type_of(Encoded)[0]

    def feature(kind: pa.DataType) -> Any:
        if kind == image:
            return {"_type": "Image"}
        if pa.types.is_struct(kind):
            return {field.name: feature(field.type) for field in kind}
        if pa.types.is_fixed_size_list(kind):
            inner = feature(kind.value_type)
            return {"feature": inner, "length": kind.list_size, "_type": "Sequence"}
        if pa.types.is_list(kind):
            return {"feature": feature(kind.value_type), "_type": "List"}
        names = {"double": "float64", "float": "float32", "halffloat": "float16"}
        text = "binary" if pa.types.is_fixed_size_binary(kind) else str(kind)
        return {"dtype": names.get(text, text), "_type": "Value"}

    return {field.name: feature(field.type) for field in schema}


@functools.cache
def schema_of(record: type, dimension: int | None = None) -> pa.Schema:
    """The pyarrow schema of a record, with its name and the Hugging Face features as metadata.

    Args:
      record: one of this module's dataclasses.
      dimension: length of its `Vector` fields, which become fixed-size lists; a nullable one is
        forbidden (Parquet writes it and cannot read it back).
    """
    schema = pa.schema(_fields(record))
    for i, field in enumerate(schema):
        if field.type == pa.list_(pa.float16()):
            if dimension is None:
                raise ValueError(f"{record.__name__}.{field.name} needs a dimension")
            inner = pa.field("item", pa.float16(), nullable=False)
            vector = pa.field(field.name, pa.list_(inner, dimension), nullable=False)
            schema = schema.set(i, vector)
    metadata = {
        "record": record.__name__,
        "huggingface": json.dumps({"info": {"features": _features(schema)}}),
    }
    return schema.with_metadata(metadata)


def versions(*records: type) -> dict[str, str]:
    """Record name -> hash of its fields: two runs that differ in it cannot share an output."""

    def version(record: type) -> str:
        text = schema_of(record).remove_metadata().to_string(show_field_metadata=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    return {record.__name__: version(record) for record in records}


def dimension_of(schema: pa.Schema) -> int:
    """Length of the vectors of an Embedding schema read from a part."""
    return int(schema.field("image_vector").type.list_size)


def check(found: pa.Schema, wanted: pa.Schema, where: str) -> None:
    """Raises SchemaMismatch naming the first field of `found` that is not as `wanted`."""
    for field in wanted:
        index = found.get_field_index(field.name)
        if index < 0:
            have = ", ".join(found.names)
            raise SchemaMismatch(f"{where}: no field {field.name!r}; it holds {have}")
        if not found.field(index).equals(field):
            other = found.field(index)
            raise SchemaMismatch(
                f"{where}: field {field.name!r} is {other.type}"
                f"{'' if other.nullable else ' not null'}, wanted {field.type}"
            )


def table_of(record: type, rows: Sequence[Any], dimension: int | None = None) -> pa.Table:
    """An Arrow table of record instances, column by column."""
    schema = schema_of(record, dimension)

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]

    columns = {name: [plain(getattr(row, name)) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def vector_column(vectors: npt.NDArray[np.generic]) -> pa.FixedSizeListArray:
    """[n, d] vectors as a float16 fixed-size list column, without making Python objects."""
    inner = pa.field("item", pa.float16(), nullable=False)
    kind = pa.list_(inner, vectors.shape[1])
    flat = pa.array(np.ascontiguousarray(vectors, np.float16).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def vectors_of(column: pa.ChunkedArray) -> npt.NDArray[np.generic]:
    """A vector column as a [n, d] float16 array (a view where it is one chunk)."""
    width = column.type.list_size
    flat = [chunk.flatten().to_numpy(zero_copy_only=True) for chunk in column.chunks]
    joined = flat[0] if len(flat) == 1 else np.concatenate([*flat, np.empty(0, np.float16)])
    return joined.reshape(-1, width)
