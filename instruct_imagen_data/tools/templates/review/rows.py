"""Real examples to read a template with: a few rows of a dataset, drawn by hash."""

import base64
import dataclasses
import functools
import io
from collections.abc import Mapping, Sequence
from typing import Any

import PIL.Image

from instruct_imagen_data import keys, schema, shards, storage, templates
from instruct_imagen_data.tools.finished import read_rows

SHOWN = 3
_TRIES = 40  # rows that are looked at for one whose slots a template needs
_FORMATS = ("JPEG", "PNG", "WEBP")  # what examples hold
_TARGET_SIDE, _REFERENCE_SIDE = 480, 160  # pixels; they are shown at half of it
_REFERENCES = 4  # shown of one marker


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail: a data URI and its size in pixels."""

    source: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """An example, ready to be shown.

    Attributes:
      key: Of the Derived row.
      values: What it gives to a template: see templates.values_of.
      references: Marker -> its first pictures.
      more: Marker -> how many pictures more it has.
      target: The picture that is asked for.
    """

    key: str
    values: Mapping[str, str]
    references: Mapping[int, Sequence[Picture]]
    more: Mapping[int, int]
    target: Picture


Place = tuple[str, int]


class Rows:
    """The examples of a dataset, DIR/DATASET/part-*.parquet; those asked for alone are read."""

    def __init__(self, folder: str, dataset: str) -> None:
        """Counts the rows; no picture is read.

        Raises:
          UsageError: a part is damaged, or holds no Derived rows.
        """
        self._place = folder, dataset
        self._counts: dict[str, int] = {}
        self._leaves: list[str] = []
        for part in shards.list_parts(folder, dataset):
            path = shards.part_path(folder, dataset, part)
            with shards.open_part(path) as file:
                shards.check_schema(file.schema_arrow, schema.Derived, path)
                self._counts[part] = file.metadata.num_rows
                self._leaves = [file.schema.column(i).path for i in range(len(file.schema))]
        self.total = sum(self._counts.values())
        # Those last read: a text that is being edited is shown with the same rows again and again.
        self._read = functools.lru_cache(maxsize=16)(self._read_uncached)

    def draw(self, salt: str, wanted: frozenset[str]) -> list[Row]:
        """At most three rows, the same for the same salt, that give what a template wants.

        Where none is found that does, the first three drawn, whatever they give.
        """
        drawn = self._drawn(salt)
        texts = read_rows(
            *self._place, drawn, self._columns(("caption", "slots"), ("marker", "text"))
        )
        fit = [place for place in drawn if wanted <= _values(texts[place]).keys()]
        return list(self._read(tuple((fit or drawn)[:SHOWN])))

    def _drawn(self, salt: str) -> list[Place]:
        """Places of different rows, by hash."""
        numbers = {keys.draw64(salt, f"row {turn}") % self.total: turn for turn in range(_TRIES)}
        return [self._at(number) for number in numbers] if self.total else []

    def _at(self, number: int) -> Place:
        for part, count in self._counts.items():
            if number < count:
                return part, number
            number -= count
        raise IndexError(number)

    def _columns(self, plain: Sequence[str], of_references: Sequence[str]) -> list[str]:
        """Paths of the Parquet columns to read: of references, not all, and no variants."""
        found = []
        for leaf in self._leaves:
            pieces = leaf.split(".")  # references.list.element.image.bytes
            inner = pieces[3] if pieces[0] == "references" else ""
            if pieces[0] in plain or inner in of_references:
                found.append(leaf)
        return found

    def _read_uncached(self, places: tuple[Place, ...]) -> tuple[Row, ...]:
        columns = self._columns(("key", "caption", "image", "slots"), ("marker", "text", "image"))
        rows = read_rows(*self._place, places, columns)
        return tuple(_row(rows[place]) for place in places)


def datasets(folder: str, names: Sequence[str]) -> dict[str, Rows]:
    """The examples of those datasets that a folder holds rows of."""
    found = {
        name: Rows(folder, name) for name in names if storage.exists(storage.join(folder, name))
    }
    return {name: rows for name, rows in found.items() if rows.total}


def _values(row: Mapping[str, Any]) -> dict[str, str]:
    references = [(one["marker"], one["text"]) for one in row["references"] or []]
    slots = {slot["name"]: slot["value"] for slot in row["slots"] or []}
    return templates.values_of(row["caption"], references, slots)


def _row(row: Mapping[str, Any]) -> Row:
    pictures: dict[int, list[bytes]] = {}
    for one in row["references"] or []:
        pictures.setdefault(one["marker"], []).append(one["image"]["bytes"])
    return Row(
        row["key"],
        _values(row),
        {
            marker: [thumbnail(one, _REFERENCE_SIDE) for one in several[:_REFERENCES]]
            for marker, several in pictures.items()
        },
        {marker: len(several[_REFERENCES:]) for marker, several in pictures.items()},
        thumbnail(row["image"]["bytes"], _TARGET_SIDE),
    )


def thumbnail(data: bytes, side: int) -> Picture:
    """A small JPEG of an encoded picture, its longer side at most `side` pixels."""
    with PIL.Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.draft("RGB", (side, side))
        small = image.convert("RGB")
    small.thumbnail((side, side), PIL.Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    small.save(sink, "JPEG", quality=85)
    uri = f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"
    return Picture(uri, *small.size)
