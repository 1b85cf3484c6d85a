"""Instructions as the report shows them: reference thumbnails in place of the markers."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from instruct_imagen_data import instructions, schema, shards, tasks
from instruct_imagen_data.instructions import Marker
from instruct_imagen_data.tools.finished import Examples, read_rows
from instruct_imagen_data.tools.report.examples import Shown
from instruct_imagen_data.tools.report.samples import thumbnail

_SHOWN = 6
_UNDER_A_MARKER = 3  # pictures
_COLUMNS = ["key", "instruction", "template_id", "image", "references", "split"]


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an instruction: text, or a marker as the pictures under it.

    Attributes:
      text: The text; of a marker, ref#k.
      pictures: Of a marker, some of them.
      more: Pictures under the marker that are not shown.
    """

    text: str
    pictures: Sequence[Shown] = ()
    more: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An example to be shown."""

    key: str
    pieces: Sequence[Piece]
    target: Shown
    template: str
    split: str


@dataclasses.dataclass(frozen=True)
class Instructed:
    """A dataset as the report shows it.

    Attributes:
      name: In tasks.DATASETS.
      rows: Its examples.
      templates: How many templates were drawn.
      lost: (reason, rows), most first.
      drawn: Some rows, each of another template.
    """

    name: str
    rows: int
    templates: int
    lost: Sequence[tuple[str, int]]
    drawn: Sequence[Told]


def _places(one: Examples) -> dict[str, tuple[str, tuple[str, int]]]:
    """Template -> (draw, place) of the row of it that is drawn first; no picture is read."""
    first: dict[str, tuple[str, tuple[str, int]]] = {}
    for part in shards.list_parts(*one.place):
        table = shards.read_part(*one.place, part, schema.Example, ["key", "template_id"])
        for row, (key, template) in enumerate(
            zip(table["key"].to_pylist(), table["template_id"].to_pylist(), strict=True)
        ):
            drawn = hashlib.sha256(f"report{key}".encode()).hexdigest()
            first[template] = min(first.get(template, (drawn, (part, row))), (drawn, (part, row)))
    return first


def _shown(title: str, data: bytes) -> Shown:
    return Shown(title, *thumbnail(data))


def _piece(segment: str | Marker, references: Sequence[Mapping[str, Any]]) -> Piece:
    if isinstance(segment, str):
        return Piece(segment)
    under = [one for one in references if one["marker"] == segment.number]
    title = f"ref#{segment.number}"
    shown = [_shown(title, one["image"]["bytes"]) for one in under[:_UNDER_A_MARKER]]
    return Piece(title, shown, len(under) - len(shown))


def _told(row: Mapping[str, Any]) -> Told:
    return Told(
        key=row["key"],
        pieces=[_piece(one, row["references"]) for one in instructions.parse(row["instruction"])],
        target=_shown("target", row["image"]["bytes"]),
        template=row["template_id"],
        split=row["split"],
    )


def dataset(one: Examples) -> Instructed:
    """What the report shows of a dataset."""
    first = _places(one)
    places = [place for _, place in sorted(first.values())[:_SHOWN]]
    rows = read_rows(*one.place, places, _COLUMNS)
    reasons = one.manifest["reasons"]
    return Instructed(
        name=one.dataset,
        rows=int(one.manifest["rows"].get(one.dataset, 0)),
        templates=len(first),
        lost=sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0])),
        drawn=[_told(rows[place]) for place in places],
    )


def datasets(several: Sequence[Examples]) -> list[Instructed]:
    """All datasets, in the order of the paper's Table 1."""
    order = list(tasks.DATASETS)
    return [dataset(one) for one in sorted(several, key=lambda one: order.index(one.dataset))]
