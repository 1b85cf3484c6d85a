"""Example rows as plain values with picture files beside them: what both formats are made of.

Bytes of pictures are moved as they are. A picture's file is named by the row's key: KEY.jpg is the
target, KEY.ref1.png the first reference, KEY.ref1.variant1.png what may stand for it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.images import DecodeError, formats

Row = dict[str, Any]  # a schema.Example as `to_pylist` gives it
Pictures = list[tuple[str, bytes]]  # file name and content

_KEY = re.compile(r"[0-9a-z]{1,64}")  # becomes a file name
_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def described(row: Row) -> tuple[Row, Pictures]:
    """(the row with the name of a file in place of each picture's bytes, those files).

    Raises:
      UsageError: a key or a picture that cannot become a file.
    """
    key, pictures = row["key"], Pictures()
    if not _KEY.fullmatch(key):
        raise UsageError(f"key {key!r} can be no file name: keys are hexadecimal")

    def put(image: Mapping[str, Any], stem: str) -> Row:
        file = f"{stem}.{_extension(image['bytes'], stem)}"
        pictures.append((file, image["bytes"]))
        return {"path": image["path"], "file": file}

    references = []
    image = put(row["image"], key)
    for number, one in enumerate(row["references"], 1):
        stem = f"{key}.ref{number}"
        shown = put(one["image"], stem)
        variants = [
            {**other, "image": put(other["image"], f"{stem}.variant{place}")}
            for place, other in enumerate(one["variants"], 1)
        ]
        references.append({**one, "image": shown, "variants": variants})
    return {**row, "image": image, "references": references}, pictures


def restored(document: Row, read: Callable[[str], bytes]) -> Row:
    """The inverse of `described`: `read` gives a file's content."""

    def take(image: Mapping[str, Any]) -> Row:
        return {"bytes": read(image["file"]), "path": image["path"]}

    references = [
        {
            **one,
            "image": take(one["image"]),
            "variants": [{**other, "image": take(other["image"])} for other in one["variants"]],
        }
        for one in document["references"]
    ]
    return {**document, "image": take(document["image"]), "references": references}


def _extension(data: bytes, stem: str) -> str:
    try:
        return _EXTENSIONS[formats.sniff(data)]
    except (DecodeError, KeyError) as error:
        raise UsageError(f"{stem}: a picture that is no JPEG, PNG or WebP: {error}") from error
