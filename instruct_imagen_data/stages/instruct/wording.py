"""What a row gives to a template, and the instruction that comes of it."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from instruct_imagen_data import instructions, tasks, templates
from instruct_imagen_data.instructions import InstructionError
from instruct_imagen_data.stages.blocks import Reject
from instruct_imagen_data.templates import Template, Templates


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """What an instruction is made of: a row without its pictures.

    Attributes:
      number: Of the row in its part, from 0.
      references: Marker and text of each picture.
      slots: Name to value.
    """

    number: int
    key: str
    task: str
    dataset: str
    caption: str
    split: str
    references: Sequence[tuple[int, str]]
    slots: Mapping[str, str]


def words_of(table: pa.Table) -> Iterator[Words]:
    """The words of each row of schema.Derived; no picture becomes a Python object."""
    plain = [table[name].to_pylist() for name in ("key", "task", "dataset", "caption", "split")]
    slots = ({one["name"]: one["value"] for one in row} for row in table["slots"].to_pylist())
    columns = zip(*plain, _references(table["references"]), slots, strict=True)
    for number, row in enumerate(columns):
        yield Words(number, *row)


def _references(column: pa.ChunkedArray) -> Iterator[list[tuple[int, str]]]:
    """(marker, text) of each reference of each row, from the children of the column."""
    for chunk in column.chunks:
        markers, texts = (chunk.values.field(name).to_pylist() for name in ("marker", "text"))
        offsets = chunk.offsets.to_pylist()
        for start, end in itertools.pairwise(offsets):
            yield list(zip(markers[start:end], texts[start:end], strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class Worded:
    """The instruction of a row, as stored text."""

    number: int
    split: str
    instruction: str
    template_id: str


class Wording:
    """Instructions for the rows of a dataset, from its templates."""

    def __init__(self, given: Templates) -> None:
        self._templates = given
        self._task = tasks.TASKS[tasks.DATASETS[given.dataset].task]
        self._usable: dict[tuple[str, frozenset[str]], tuple[Template, ...]] = {}

    def __call__(self, row: Words) -> Worded:
        """The instruction of a row, as `Templates.draw` decides.

        Raises:
          Reject: `malformed`: it is no row of the task, or its instruction would not be one;
            `no_template`: none fits what the row gives.
        """
        self._check(row)
        given = templates.values_of(row.caption, row.references, row.slots)
        template = templates.pick(self._fitting(row.split, given), row.key)
        if template is None:
            raise Reject("no_template", f"{row.split}, of {', '.join(sorted(given)) or 'nothing'}")
        try:
            found = instructions.render(template.text, given)
            numbers = [number for number, _ in row.references]
            instructions.validate(found, numbers, given.values())
        except InstructionError as error:
            raise Reject("malformed", str(error)) from error
        return Worded(row.number, row.split, found.payload, template.id)

    def _fitting(self, split: str, given: Mapping[str, str]) -> tuple[Template, ...]:
        """`Templates.usable`, remembered: rows of a dataset give much the same."""
        wanted = split, frozenset(given)
        if wanted not in self._usable:
            self._usable[wanted] = self._templates.usable(*wanted)
        return self._usable[wanted]

    def _check(self, row: Words) -> None:
        """Raises Reject unless a row is of the dataset and has its task's references."""
        for name, found, wanted in (
            ("dataset", row.dataset, self._templates.dataset),
            ("task", row.task, self._task.name),
        ):
            if found != wanted:
                raise Reject("malformed", f"its {name} is {found!r}, not {wanted!r}")
        if row.split not in templates.SPLITS:
            raise Reject("malformed", f"its split is {row.split!r}")
        pairs = set(row.references)
        numbers = {number for number, _ in pairs}
        if numbers != set(range(1, len(self._task.references) + 1)):
            found = ", ".join(map(str, sorted(numbers, key=str))) or "none"
            raise Reject("malformed", f"its markers are {found}: {self._task.name} has others")
        if len(pairs) > len(numbers) or None in dict(pairs).values():
            raise Reject("malformed", "the pictures of a marker have not one text")
