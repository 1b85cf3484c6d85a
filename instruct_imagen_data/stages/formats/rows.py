"""What all readers share: the usual column names, cells as text, a pair or a reject from a row."""

import dataclasses
import json
from collections.abc import Container, Iterable, Mapping
from typing import Any

from instruct_imagen_data import keys
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import RawPair, RejectRow

STAGE = "read"
MAX_MEMBER_BYTES = 64 << 20  # a larger file is no web picture
UNREADABLE = "unreadable_shard"
_DETAIL_LENGTH = 300

Row = RawPair | RejectRow


@dataclasses.dataclass(frozen=True)
class Columns:
    """Column names by role; '' takes the first usual name that is there."""

    image: str = ""
    caption: str = ""
    url: str = ""


USUAL = {
    "image": ("image", "jpg", "img", "image_bytes", "bytes", "png", "webp", "content"),
    "file": ("file_name", "file", "path", "filename", "image_path", "image"),
    "caption": ("caption", "text", "TEXT", "alt", "alt_text", "txt"),
    "url": ("url", "URL", "image_url"),
    "licence": ("licence", "license", "LICENSE", "License"),
}


def reject(origin: str, reason: str, detail: str = "", url: str = "", caption: str = "") -> Row:
    """A reject row of a pair without a picture: its key is that of empty bytes."""
    key = keys.pair_key(url, f"{origin}\0{caption}", b"")
    return RejectRow(key, origin, url, STAGE, reason, detail, "", "", None, None)


def unreadable(name: str, index: int, error: Exception, at: str = "(end)") -> Row:
    """The reject row of an input file that breaks off: what follows in it is lost to us."""
    where = f"after {index} rows" if index else "at its start"
    detail = " ".join(f"{where}: {error}".split())
    return reject(f"{name}#{at}", UNREADABLE, detail[:_DETAIL_LENGTH])


def text(value: Any) -> str:
    """A cell as text: web metadata holds nulls, numbers and bytes that are not UTF-8."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    # A lone surrogate, legal in JSON's \\u escapes, cannot be stored as UTF-8.
    return str(value).encode("utf-8", "replace").decode()


def json_text(fields: Mapping[str, Any]) -> str:
    return text(json.dumps(fields, ensure_ascii=False, sort_keys=True, default=text))


def first(role: str, names: Container[str], wanted: str = "") -> str:
    """The column that serves a role in a row with these columns, '' if there is none."""
    return next((name for name in ((wanted,) if wanted else USUAL[role]) if name in names), "")


def pick(role: str, names: Iterable[str], wanted: str, where: str) -> str:
    """The column that serves a role; '' for a missing url or licence.

    Raises:
      UsageError: the column asked for, or any usual one, is not there; lists what is.
    """
    have = list(names)
    found = first(role, have, wanted)
    if wanted and not found:
        raise UsageError(f"{where} has no column {wanted!r}; it has {', '.join(have)}")
    if not found and role in ("image", "file", "caption"):
        flag = "image" if role == "file" else role
        raise UsageError(
            f"{where} has no column for the {flag} (looked for {', '.join(USUAL[role])}); "
            f"it has {', '.join(have)}: name it with --{flag}-column"
        )
    return found


def pair(origin: str, fields: dict[str, Any], caption: str | None, image: bytes, url: str) -> Row:
    """A pair from its parts; `fields` is the source's metadata as given."""
    words = text(fields.get("caption") if caption is None else caption)
    licence = next((text(fields[name]) for name in USUAL["licence"] if name in fields), "")
    return RawPair(origin, url, words, image, licence, json_text(fields))


def fields_of(data: bytes) -> dict[str, Any]:
    """The metadata of a sample; text that is no JSON object is kept as text, not lost."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):  # the latter: nested a thousand deep
        return {"unreadable_json": text(data)}
    return fields if isinstance(fields, dict) else {"json": fields}
