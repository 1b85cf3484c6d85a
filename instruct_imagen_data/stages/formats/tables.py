"""A CSV, TSV or JSONL that names picture files: beside it, or by full path."""

import csv
import io
import itertools
from collections.abc import Iterator
from typing import Any

from instruct_imagen_data import storage
from instruct_imagen_data.stages.formats import rows

_SAMPLED_ROWS = 100
_SAMPLED_BYTES = 1 << 20
# A caption may be long; a quote that is never closed may not take the whole file.
csv.field_size_limit(rows.MAX_MEMBER_BYTES)


def _text(path: str) -> io.TextIOWrapper:
    newline = None if path.lower().endswith(".jsonl") else ""  # csv wants line ends as they are
    source = storage.open_stream(path)
    return io.TextIOWrapper(source, encoding="utf-8-sig", errors="replace", newline=newline)


def _records(path: str, text: io.TextIOBase) -> Iterator[dict[str, Any]]:
    """Rows as the file has them; raises csv.Error where it is no table."""
    if path.lower().endswith(".jsonl"):
        yield from (rows.fields_of(line.encode()) for line in text if line.strip())
        return
    delimiter = "\t" if path.lower().endswith(".tsv") else ","
    yield from csv.DictReader(text, delimiter=delimiter, restkey="more")


def check_columns(path: str, columns: rows.Columns) -> None:
    """Looks for the columns in a table's first rows. Raises UsageError, listing the columns."""
    with _text(path) as text:
        try:
            sample = list(itertools.islice(_records(path, text), _SAMPLED_ROWS))
        except csv.Error:
            return  # the reader says so in a reject row
    # JSON leaves out what is null: the columns are those of all rows.
    names = list(dict.fromkeys(name for record in sample for name in record))
    if names:
        for role, wanted in _roles(columns).items():
            rows.pick(role, names, wanted, path)


def _roles(columns: rows.Columns) -> dict[str, str]:
    return {"file": columns.image, "caption": columns.caption, "url": columns.url}


def _place(folder: str, file: str) -> str:
    """Where a file named in a table of that folder is."""
    return file if file.startswith("/") or storage.scheme(file) else storage.join(folder, file)


def _row(origin: str, folder: str, record: dict[str, Any], columns: rows.Columns) -> rows.Row:
    """The pair of a table's row, or the reject row that says why there is none."""
    found = {
        role: rows.text(record.get(rows.first(role, record, wanted)))
        for role, wanted in _roles(columns).items()
    }
    name, caption, url = found["file"], found["caption"], found["url"]
    if storage.scheme(name) in ("http", "https"):
        return rows.reject(origin, "missing_image", f"{name} is no file", url or name, caption)
    place = _place(folder, name)
    file = storage.find(place) if name and "\0" not in name else None
    if file is None:
        return rows.reject(origin, "missing_image", name or "no file named", url, caption)
    if file.size > rows.MAX_MEMBER_BYTES:
        return rows.reject(origin, "too_many_bytes", f"{file.size} bytes", url, caption)
    return rows.pair(origin, record, caption, storage.read_bytes(place), url)


def read_table(path: str, name: str, columns: rows.Columns) -> Iterator[rows.Row]:
    """Rows of a CSV, TSV or JSONL that names picture files, relative to its own folder."""
    folder = path.rsplit("/", 1)[0]
    count = 0
    with _text(path) as text:
        records = _records(path, text)
        try:
            for count, record in enumerate(records, 1):
                yield _row(f"{name}#{count - 1}", folder, record, columns)
        except csv.Error as error:
            yield rows.unreadable(name, count, error)


def bytes_per_row(path: str) -> float:
    """About how many bytes of a table make one row, from its start."""
    with storage.open_stream(path) as source:
        start = source.read(_SAMPLED_BYTES)
    return len(start) / max(1, start.count(b"\n"))
