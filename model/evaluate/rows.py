"""Rows of the validation split, and whose references stand in for a row's own."""

import dataclasses
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from instruct_imagen_data import instructions, keys, schema, shards, storage, tasks
from instruct_imagen_data.errors import UsageError
from model.batches import pictures
from model.batches.pictures import Frame
from model.batches.records import Pixels
from model.sampling import Prompt

SPLIT = "validation"
CENTRE = Frame(0.5, False)
_COLUMNS = ("key", "instruction", "caption", "image", "references", "sources")


@dataclasses.dataclass(frozen=True, slots=True)
class Cited:
    """A reference of a row: its place, what is said of it, and its bytes."""

    marker: int
    role: str
    text: str
    image: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A row to be drawn.

    Attributes:
      key: Of the example.
      dataset: A name in tasks.DATASETS.
      instruction: Stored text.
      caption: '' where the task has none.
      target: Encoded.
      references: By marker.
      sources: Keys of all pictures that it was made of.
    """

    key: str
    dataset: str
    instruction: str
    caption: str
    target: bytes
    references: tuple[Cited, ...]
    sources: frozenset[str] = frozenset()

    def prompt(self, side: int, references: Sequence[Cited] | None = None) -> Prompt:
        """What the network is told, with its own references or with others.

        The noise is the row's: the same for both, and whatever rows there are beside it.
        """
        used = self.references if references is None else references
        return Prompt(
            keys.draw64(self.key, "evaluate"),
            self.instruction,
            tuple(pictures.shown(one.image, side, CENTRE, one.role) for one in used),
            tuple(instructions.beside(one.marker, one.text) for one in used),
        )

    def shown(self, side: int) -> Pixels:
        """The square in the middle of the target."""
        return pictures.shown(self.target, side, CENTRE)


def datasets(folder: str) -> list[str]:
    """The datasets that `instruct` finished in a folder, as Table 1 has them.

    Raises:
      UsageError: there is none, or only such as `train --stage finetune` reads.
    """
    found = [
        name
        for name in tasks.DATASETS
        if storage.find(storage.join(folder, name, shards.MANIFEST)) is not None
    ]
    if not found and (others := unknown(folder)):
        raise UsageError(f"{folder}: {left_out(others)}")
    if not found:
        raise UsageError(f"{folder} holds no examples: name what `instruct-imagen instruct` filled")
    return found


def unknown(folder: str) -> list[str]:
    """The finished datasets of a folder that stage 2 does not know: those of a new task."""
    found = (posixpath.basename(one.rstrip("/")) for one in storage.list_folders(folder))
    return [
        name
        for name in found
        if name not in tasks.DATASETS
        and storage.find(storage.join(folder, name, shards.MANIFEST)) is not None
    ]


def left_out(names: Sequence[str]) -> str:
    """What becomes of datasets of a new task, to a user."""
    return (
        f"no check here knows what {', '.join(names)} asks for; the context gap in a run's "
        "metrics.jsonl and its grids of samples show what was learnt"
    )


def read(folder: str, dataset: str, most: int, max_references: int) -> list[Row]:
    """At most so many rows of the validation split, drawn by hash of their keys.

    Args:
      max_references: Pictures of a row, at most; each marker has one even so.

    Raises:
      UsageError: the dataset is not finished, or a part is damaged.
    """
    manifest = shards.require_finished(storage.join(folder, dataset), "instruct")
    drawn: list[tuple[int, str, str, int]] = []
    for one in manifest["parts"]:
        if dataset not in one["rows"]:
            continue
        part = one["part"]
        table = shards.read_part(folder, dataset, part, schema.Example, ["key", "split"])
        for place, row in enumerate(table.to_pylist()):
            if row["split"] == SPLIT:
                draw = keys.draw64(row["key"], "evaluate/row")
                drawn.append((draw, row["key"], part, place))
    places: dict[str, list[int]] = defaultdict(list)
    for _, _, part, place in sorted(drawn)[:most]:
        places[part].append(place)
    found = [
        _row(row, dataset, max_references)
        for part, several in sorted(places.items())
        for row in shards.take_rows(
            folder, dataset, part, np.array(sorted(several)), _COLUMNS
        ).to_pylist()
    ]
    return sorted(found, key=lambda one: (keys.draw64(one.key, "evaluate/row"), one.key))


def _row(row: Mapping[str, Any], dataset: str, most: int) -> Row:
    several = [
        Cited(one["marker"], one["role"], one["text"], one["image"]["bytes"])
        for one in row["references"]
    ]
    firsts = {one.marker: place for place, one in reversed([*enumerate(several)])}
    others = [place for place in range(len(several)) if place not in firsts.values()]
    kept = sorted([*firsts.values(), *others[: max(0, most - len(firsts))]])
    cited = sorted((several[place] for place in kept), key=lambda one: one.marker)
    return Row(
        row["key"], dataset, row["instruction"], row["caption"], row["image"]["bytes"],
        tuple(cited), frozenset(row["sources"]),
    )  # fmt: skip


def lent(rows: Sequence[Row]) -> Iterator[tuple[Cited, ...] | None]:
    """For each row of a dataset the references of another one: of the next whose roles and markers
    are the same and that was made of no picture of it, as two rows of one subject are; None where
    there is none.
    """
    groups: dict[tuple[tuple[int, str], ...], list[Row]] = defaultdict(list)
    for one in rows:
        groups[_kinds(one)].append(one)
    for one in rows:
        group = groups[_kinds(one)]
        place = next(i for i, other in enumerate(group) if other is one)
        others = (*group[place + 1 :], *group[:place])
        free = (
            other.references
            for other in others
            if other.references and one.sources.isdisjoint(other.sources)
        )
        yield next(free, None)


def _kinds(row: Row) -> tuple[tuple[int, str], ...]:
    return tuple(sorted({(one.marker, one.role) for one in row.references}))
