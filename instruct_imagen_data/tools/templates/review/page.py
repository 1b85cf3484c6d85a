"""The pages as HTML: what the desk knows, put into the templates; all of it is escaped there."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jinja2

from instruct_imagen_data import instructions, tasks
from instruct_imagen_data.instructions import Hole, InstructionError, Marker
from instruct_imagen_data.tools.templates.drafts import ACCEPT, EDIT, REJECT
from instruct_imagen_data.tools.templates.review.desk import Desk, Place, Sheet
from instruct_imagen_data.tools.templates.review.findings import visible
from instruct_imagen_data.tools.templates.review.rows import Picture, Row

_PAST = {ACCEPT: "accepted", EDIT: "edited", REJECT: "rejected"}


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """A piece of an instruction: a text, or the pictures in place of a marker.

    Attributes:
      text: '' for a marker.
      number: k of [ref#k]; 0 for a text.
      pictures: The marker's.
      more: Pictures of the marker that are not shown.
    """

    text: str
    number: int = 0
    pictures: Sequence[Picture] = ()
    more: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """An example with the instruction that a wording gives for it.

    Attributes:
      row: The example.
      segments: The instruction; none where the wording cannot be filled with this row.
      problem: Why it cannot; '' where it can.
    """

    row: Row
    segments: Sequence[Segment]
    problem: str


def readings(text: str, rows: Sequence[Row]) -> list[Reading]:
    """A wording with each of some examples."""
    return [_reading(text, row) for row in rows]


def _reading(text: str, row: Row) -> Reading:
    try:
        lacking = instructions.wanted(text) - row.values.keys()
        payload = "" if lacking else instructions.render(text, row.values).payload
    except InstructionError as error:
        return Reading(row, (), str(error))
    if lacking:
        return Reading(row, (), f"this example has no {', '.join(sorted(lacking))}")
    return Reading(row, [_segment(one, row) for one in instructions.parse(payload)], "")


def _segment(one: str | Marker, row: Row) -> Segment:
    if isinstance(one, str):
        return Segment(one)
    return Segment("", one.number, row.references[one.number], row.more[one.number])


def wording(text: str) -> list[str | Hole]:
    """A draft as texts and slots; as one text where it is no template."""
    try:
        return list(instructions.pieces(text))
    except InstructionError:
        return [text]


class Pages:
    """Renders the pages of a desk."""

    def __init__(self, desk: Desk, token: str) -> None:
        self._desk = desk
        self._environment = _environment()
        self._environment.globals |= {"token": token, "reviewer": desk.reviewer}

    def overview(self, nonce: str) -> str:
        """All datasets with the reviewer's progress, and how far reviewers agree."""
        return self._render(
            "overview.html.j2",
            nonce=nonce,
            progress=self._desk.progress(),
            agreements=self._desk.agreements(),
            next_open=self._desk.next_open(),
            folder=self._desk.templates or "the templates of this checkout",
        )

    def sheet(self, sheet: Sheet, nonce: str, said: dict[str, str], problem: str = "") -> str:
        """A draft, to be decided on.

        Args:
          said: Fields of a form that was refused, to be filled in again.
          problem: Why it was refused.
        """
        place = sheet.place
        progress = self._desk.progress()
        (here,) = (one for one in progress if one.dataset == place.dataset)
        return self._render(
            "sheet.html.j2",
            nonce=nonce,
            sheet=sheet,
            here=here,
            done=sum(one.done for one in progress),
            total=sum(one.total for one in progress if not one.reason),
            task=tasks.TASKS[tasks.DATASETS[place.dataset].task],
            wording=wording(sheet.draft.text),
            back=self._desk.beside(place, -1),
            skip=self._desk.beside(place, 1),
            said=said,
            problem=problem,
            **self._examples(sheet.draft.text, sheet),
        )

    def preview(self, text: str, sheet: Sheet) -> str:
        """The findings and the examples of an edited text, without the page around them."""
        found = self._desk.findings(text, sheet.place, sheet.draft)
        return self._render("reading.html.j2", findings=found, **self._examples(text, sheet))

    def message(self, text: str, nonce: str) -> str:
        """A page that says why there is none."""
        return self._render("message.html.j2", nonce=nonce, text=text)

    def _examples(self, text: str, sheet: Sheet) -> dict[str, Any]:
        try:
            wanted = instructions.wanted(text)
        except InstructionError:
            wanted = frozenset()
        rows = self._desk.rows[sheet.place.dataset].draw(sheet.draft.id, wanted)
        return {"readings": readings(text, rows)}

    def _render(self, template: str, **values: Any) -> str:
        text = self._environment.get_template(template).render(values)
        return text.encode("utf-8", "replace").decode()  # a draft may hold half of a character


def _link(place: Place | None) -> str:
    return f"/{place.dataset}/{place.number}" if place else "/"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("instruct_imagen_data.tools.templates.review", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "link": _link,
        "past": _PAST.__getitem__,
        "hole": lambda piece: isinstance(piece, Hole),
        "minute": lambda at: at[:16].replace("T", " "),
        "share": lambda value: f"{100 * value:.0f} %",
        "kappa": lambda value: "–" if value is None else f"{value:.2f}".replace("-", "−"),
    }
    return environment
