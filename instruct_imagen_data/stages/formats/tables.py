"""A CSV, TSV or JSONL that names picture files beside it."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from instruct_imagen_data import storage
from instruct_imagen_data.stages.formats import rows


def _table_rows(path: str, text: io.TextIOBase) -> Iterator[dict[str, Any]]:
    if path.endswith(".jsonl"):
        for line in text:
            if line.strip():
                yield rows.fields_of(line.encode())
    else:
        yield from csv.DictReader(text, delimiter="\t" if path.endswith(".tsv") else ",")


def read_table(path: str, name: str, columns: rows.Columns) -> Iterator[rows.Row]:
    """Rows of a CSV, TSV or JSONL that names picture files, relative to its own folder."""
    folder = path.rsplit("/", 1)[0]
    text = io.TextIOWrapper(storage.open_stream(path), encoding="utf-8-sig", errors="replace")
    roles: dict[str, str] = {}
    with text:
        for index, record in enumerate(_table_rows(path, text)):
            if not roles:
                roles = {
                    "file": rows.pick("file", record, columns.image, path),
                    "caption": rows.pick("caption", record, columns.caption, path),
                    "url": rows.pick("url", record, columns.url, path),
                }
            origin = f"{name}#{index}"
            file, caption = (
                rows.text(record.get(roles["file"])),
                rows.text(record.get(roles["caption"])),
            )
            url = rows.text(record.get(roles["url"])) if roles["url"] else ""
            try:
                data = storage.read_bytes(storage.join(folder, file)) if file else None
            except (FileNotFoundError, IsADirectoryError):
                data = None
            if data is None:
                yield rows.reject(origin, "missing_image", file or "no file named", url, caption)
            elif len(data) > rows.MAX_MEMBER_BYTES:
                yield rows.reject(origin, "too_many_bytes", f"{len(data)} bytes", url, caption)
            else:
                yield rows.pair(origin, record, caption, data, url)


def bytes_per_row(path: str, size: int) -> float:
    """About how many bytes of a file of `size` bytes hold one row."""
    count = storage.read_bytes(path).count(b"\n")
    return size / count if count else 0.0
