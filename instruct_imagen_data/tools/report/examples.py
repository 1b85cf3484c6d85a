"""Datasets of stage 2 as the report shows them: counts, checks, and a gallery of each."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from instruct_imagen_data import schema, shards, tasks
from instruct_imagen_data.tools.finished import Examples, read_rows
from instruct_imagen_data.tools.report.samples import thumbnail

_SHOWN = 6
_WORST = 3
_REFERENCES = 3  # shown of a row
_TITLES = {"style": "style: {}"}  # the text of other roles says enough
_COLUMNS = ["key", "caption", "image", "references", "checks"]


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A picture of an example.

    Attributes:
      title: What it is: a role, or "target".
      source: Data URI of a thumbnail.
      width: Of the thumbnail, in pixels.
      height: Of the thumbnail, in pixels.
    """

    title: str
    source: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """An example to be shown: its references, then its target."""

    key: str
    caption: str
    references: Sequence[Shown]
    more: int  # references that are not shown
    target: Shown
    checks: Sequence[tuple[str, float]]


@dataclasses.dataclass(frozen=True)
class Spread:
    """How a check is distributed over the rows of a dataset."""

    name: str
    low: float  # a tenth of the rows is below
    middle: float
    high: float  # a tenth of the rows is above


@dataclasses.dataclass(frozen=True)
class Gallery:
    """A dataset as the report shows it.

    Attributes:
      name: In tasks.DATASETS.
      ratio: Its share of stage 2's draws in the paper.
      rows: Its examples.
      lost: (reason, rows), most first.
      spreads: Of its checks.
      drawn: Examples drawn by hash.
      worst: Those whose worst check is the lowest.
    """

    name: str
    ratio: float
    rows: int
    lost: Sequence[tuple[str, int]]
    spreads: Sequence[Spread]
    drawn: Sequence[Row]
    worst: Sequence[Row]


Place = tuple[str, int]


def _measured(one: Examples) -> tuple[dict[Place, str], dict[Place, float], dict[str, list[float]]]:
    """(place of each row -> key, place -> its worst check, check -> values); no picture is read."""
    keys: dict[Place, str] = {}
    worst: dict[Place, float] = {}
    values: dict[str, list[float]] = {}
    for part in shards.list_parts(*one.place):
        table = shards.read_part(*one.place, part, schema.Derived, ["key", "checks"])
        for row, (key, checks) in enumerate(
            zip(table["key"].to_pylist(), table["checks"].to_pylist(), strict=True)
        ):
            keys[part, row] = key
            for check in checks:
                values.setdefault(check["name"], []).append(check["value"])
            if checks:
                worst[part, row] = min(check["value"] for check in checks)
    return keys, worst, values


def _drawn(key: str) -> str:
    return hashlib.sha256(f"report{key}".encode()).hexdigest()


def _shown(title: str, data: bytes) -> Shown:
    return Shown(title, *thumbnail(data))


def _row(row: Mapping[str, Any]) -> Row:
    references = row["references"]
    shown = [
        _shown(_TITLES.get(one["role"], "{}").format(one["text"]), one["image"]["bytes"])
        for one in references[:_REFERENCES]
    ]
    return Row(
        key=row["key"],
        caption=row["caption"],
        references=shown,
        more=len(references) - len(shown),
        target=_shown("target", row["image"]["bytes"]),
        checks=[(one["name"].replace("_", " "), one["value"]) for one in row["checks"]],
    )


def gallery(one: Examples) -> Gallery:
    """What the report shows of a dataset."""
    keys, worst, values = _measured(one)
    drawn = sorted(keys, key=lambda place: _drawn(keys[place]))[:_SHOWN]
    others = worst.keys() - set(drawn)
    lowest = sorted(others, key=lambda place: (worst[place], keys[place]))[:_WORST]
    rows = read_rows(*one.place, [*drawn, *lowest], _COLUMNS)
    reasons = one.manifest["reasons"]
    return Gallery(
        name=one.dataset,
        ratio=tasks.DATASETS[one.dataset].ratio,
        rows=int(one.manifest["rows"].get(one.dataset, 0)),
        lost=sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0])),
        spreads=[
            Spread(name.replace("_", " "), *np.quantile(found, (0.1, 0.5, 0.9)).tolist())
            for name, found in values.items()
        ],
        drawn=[_row(rows[place]) for place in drawn],
        worst=[_row(rows[place]) for place in lowest],
    )


def galleries(several: Sequence[Examples]) -> list[Gallery]:
    """All datasets, in the order of the paper's Table 1."""
    order = list(tasks.DATASETS)
    return [gallery(one) for one in sorted(several, key=lambda one: order.index(one.dataset))]
