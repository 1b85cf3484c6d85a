"""Parquet with image bytes or Hugging Face image structs."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages.formats import rows


def _image_bytes(value: Any) -> bytes | None:
    if isinstance(value, dict):  # Hugging Face: {bytes, path}
        value = value.get("bytes")
    return value if isinstance(value, bytes) else None


def check_columns(path: str, columns: rows.Columns) -> dict[str, str]:
    """The column of each role in a Parquet file. Raises UsageError, listing the columns."""
    with storage.open_random(path) as source:
        try:
            schema = pq.ParquetFile(source).schema_arrow
        except pa.ArrowInvalid as error:
            raise UsageError(f"{path} is no Parquet file: {error}") from error
    roles = {
        role: rows.pick(role, schema.names, getattr(columns, role), path)
        for role in ("image", "caption", "url")
    }
    kind = schema.field(roles["image"]).type
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    if not binary and not (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0):
        raise UsageError(
            f"{path}: column {roles['image']!r} is {kind}, not image bytes; "
            "name the right one with --image-column"
        )
    return roles


def read_parquet(path: str, name: str, columns: rows.Columns) -> Iterator[rows.Row]:
    """Rows of a Parquet file with image bytes or HF image structs, a row group at a time."""
    roles = check_columns(path, columns)
    with storage.open_random(path) as source:
        index = 0
        # Small batches: a batch of pictures is held as Python objects while it is yielded.
        for batch in pq.ParquetFile(source).iter_batches(batch_size=64, use_threads=False):
            for record in batch.to_pylist():
                origin, index = f"{name}#{index}", index + 1
                data = _image_bytes(record.pop(roles["image"]))
                caption = rows.text(record.pop(roles["caption"]))
                url = rows.text(record.get(roles["url"])) if roles["url"] else ""
                if data is None:
                    yield rows.reject(origin, "missing_image", url=url, caption=caption)
                elif len(data) > rows.MAX_MEMBER_BYTES:
                    yield rows.reject(origin, "too_many_bytes", f"{len(data)} bytes", url, caption)
                else:
                    yield rows.pair(origin, record, caption, data, url)


def bytes_per_row(path: str, size: int) -> float:
    """About how many bytes of a file of `size` bytes hold one row."""
    with storage.open_random(path) as source:
        count = pq.ParquetFile(source).metadata.num_rows
    return size / count if count else 0.0
