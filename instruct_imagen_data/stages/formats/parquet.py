"""Parquet with image bytes or Hugging Face image structs."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages.formats import rows

_BATCH_ROWS = 64  # held as Python objects while they are yielded
_BUFFER_BYTES = 1 << 20  # a column chunk is read piece by piece, not whole
_MARK = b"PAR1"


class _Broken(Exception):
    """A file that is no Parquet, or is damaged."""


def _image_bytes(value: Any) -> bytes | None:
    if isinstance(value, dict):  # Hugging Face: {bytes, path}
        value = value.get("bytes")
    return value if isinstance(value, bytes) else None


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values, for a column that is stored by a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_binary(kind: pa.DataType) -> bool:
    kind = _plain(kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column has pictures or other bytes in it, at any depth: no metadata."""
    if pa.types.is_struct(kind):
        return any(_holds_bytes(field.type) for field in kind)
    if pa.types.is_nested(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return _is_binary(kind)


def _roles(schema: pa.Schema, columns: rows.Columns, path: str) -> dict[str, str]:
    """The column of each role. Raises UsageError, listing the columns."""
    roles = {
        role: rows.pick(role, schema.names, getattr(columns, role), path)
        for role in ("image", "caption", "url")
    }
    for role, name in roles.items():
        if schema.names.count(name) > 1:
            raise UsageError(f"{path} has more than one column {name!r}")
        kind = _plain(schema.field(name).type) if name else pa.string()
        nested = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
        if role == "image" and not (_is_binary(kind) or nested):
            raise UsageError(
                f"{path}: column {name!r} is {kind}, not image bytes; "
                "name the right one with --image-column"
            )
        if role != "image" and pa.types.is_nested(kind):
            raise UsageError(
                f"{path}: column {name!r} is {kind}, not text; "
                f"name the right one with --{role}-column"
            )
    return roles


def _open(source: pa.NativeFile) -> pq.ParquetFile:
    """Raises _Broken; an error of the disk or the network passes."""
    size = source.size()
    source.seek(max(0, size - len(_MARK)))
    if source.read(len(_MARK)) != _MARK:
        raise _Broken("it does not end as Parquet does")
    try:
        return pq.ParquetFile(source, buffer_size=_BUFFER_BYTES, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise _broken(source, error) from error


def _broken(source: pa.NativeFile, error: Exception) -> Exception:
    """The error itself if the file cannot be read to its end, else _Broken.

    Arrow reports a damaged page and a lost connection alike, as an OSError without number.
    """
    try:
        source.seek(0)
        while source.read(_BUFFER_BYTES):
            pass
    except OSError:
        return error
    return _Broken(" ".join(str(error).split()))


def check_columns(path: str, columns: rows.Columns) -> bool:
    """Whether the file is Parquet. Raises UsageError if it is and has not the columns."""
    with storage.open_random(path) as source:
        try:
            schema = _open(source).schema_arrow
        except _Broken:
            return False
    _roles(schema, columns, path)
    return True


def read_parquet(path: str, name: str, columns: rows.Columns) -> Iterator[rows.Row]:
    """Rows of a Parquet file with image bytes or HF image structs, in small batches.

    A damaged file gives the rows before the damage and one reject, `unreadable_shard`.
    """
    index = 0
    with storage.open_random(path) as source:
        try:
            for record, roles in _records(source, path, columns):
                yield _row(f"{name}#{index}", record, roles)
                index += 1
        except _Broken as error:
            yield rows.unreadable(name, index, error)


def _records(
    source: pa.NativeFile, path: str, columns: rows.Columns
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Rows as dictionaries, with the column of each role; other bytes are left out."""
    file = _open(source)
    roles = _roles(file.schema_arrow, columns, path)
    wanted = [
        field.name
        for field in file.schema_arrow
        if field.name in roles.values() or not _holds_bytes(field.type)
    ]
    batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted, use_threads=False)
    while True:
        try:
            batch = next(batches, None)
            records = [] if batch is None else batch.to_pylist()
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise _broken(source, error) from error
        if batch is None:
            return
        yield from ((record, roles) for record in records)


def _row(origin: str, record: dict[str, Any], roles: dict[str, str]) -> rows.Row:
    """The pair of a row, or the reject row that says why there is none."""
    data = _image_bytes(record.pop(roles["image"]))
    caption = rows.text(record.pop(roles["caption"]))
    url = rows.text(record.get(roles["url"])) if roles["url"] else ""
    if data is None:
        return rows.reject(origin, "missing_image", url=url, caption=caption)
    if len(data) > rows.MAX_MEMBER_BYTES:
        return rows.reject(origin, "too_many_bytes", f"{len(data)} bytes", url, caption)
    return rows.pair(origin, record, caption, data, url)


def bytes_per_row(path: str, size: int) -> float:
    """About how many bytes of a file of `size` bytes hold one row; 0 if it is no Parquet."""
    with storage.open_random(path) as source:
        try:
            count = _open(source).metadata.num_rows
        except _Broken:
            return 0.0
    return size / count if count else 0.0
