"""Multi-modal instructions as text: markers, slots, and what may stand beside them (section 2).

A payload cites its references by markers: "A fox in the style of [ref#1] Realism". In stored text
`[ref#1]` is a marker and nothing else is: brackets before a literal "ref#" are doubled, so
that a caption that says "[ref#2]" is kept as "[[ref#2]" and cites nothing. `parse` alone reads
stored text; nobody looks for markers by a pattern of their own.

A template is text with slots: `{ref#1}` becomes the marker and the text beside it, "[ref#1] depth
map"; `{mark#1}` the marker alone; `{caption}`, `{style}` and other names the row's value.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence

from instruct_imagen_data.errors import UsageError

_BRACKETS = re.compile(r"(\[+)ref#")
_MARKER = re.compile(r"([1-9][0-9]{0,3})\]")
_SLOT = re.compile(r"\{((?:ref|mark)#[1-9][0-9]{0,3}|[a-z][a-z_]*)\}")
_TRAILING = re.compile(r"\[+\Z")
_TEMPLATES_KEPT = 4096  # parsed, for the next row: a hundred of each of eleven datasets
_TEXTS_KEPT = 4096  # beside markers: "[ref#1] depth map" comes again with every row


class InstructionError(UsageError):
    """A text that is no instruction, or a template that is none; says where and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Marker:
    """A citation: `[ref#number]`, from 1."""

    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Hole:
    """A place in a template that a row fills: `name` is caption, ref#1, mark#1, style ..."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Instruction:
    """What the model is told.

    Attributes:
      payload: Stored text with markers: see `parse`.
      context: Stored text of each marker, the first that of [ref#1]: "[ref#1] depth map".
    """

    payload: str
    context: tuple[str, ...]


Segment = str | Marker


def parse(text: str) -> tuple[Segment, ...]:
    """Stored text as what it means: literal texts and markers, in order; '' has none.

    The inverse of `compose`.

    Raises:
      InstructionError: a marker that is not finished, such as "[ref#" or "[ref#0]".
    """
    segments: list[Segment] = []
    literal, start = "", 0
    for found in _BRACKETS.finditer(text):
        half, odd = divmod(len(found[1]), 2)
        literal += text[start : found.start()] + "[" * half
        if not odd:
            literal += "ref#"
            start = found.end()
            continue
        number = _MARKER.match(text, found.end())
        if number is None:
            raise InstructionError(
                f"{text[found.start() : found.start() + 16]!r} is no marker: write [ref#1] for the "
                "first reference, and [[ref# where these letters are meant"
            )
        segments += [literal, Marker(int(number[1]))]
        literal, start = "", number.end()
    return tuple(one for one in (*segments, literal + text[start:]) if one != "")


def compose(segments: Iterable[Segment]) -> str:
    """Segments as stored text: brackets that could be taken for a marker's are doubled."""
    merged: list[Segment] = []
    for one in segments:
        if isinstance(one, str) and merged and isinstance(merged[-1], str):
            merged[-1] += one
        else:
            merged.append(one)
    pieces = []
    for one, following in zip(merged, [*merged[1:], ""], strict=False):
        if isinstance(one, Marker):
            pieces.append(f"[ref#{one.number}]")
            continue
        text = one
        if "[ref#" in text:
            text = _BRACKETS.sub(lambda found: found[1] * 2 + "ref#", text)
        if text.endswith("[") and isinstance(following, Marker):
            text = _TRAILING.sub(lambda found: found[0] * 2, text)
        pieces.append(text)
    return "".join(pieces)


def markers(text: str) -> tuple[int, ...]:
    """Numbers of the markers of a stored text, in order, repeated ones too."""
    return tuple(one.number for one in parse(text) if isinstance(one, Marker))


def renumber(text: str, numbers: Mapping[int, int]) -> str:
    """A stored text whose markers have other numbers: {1: 2, 2: 1} swaps two references."""
    return compose(
        Marker(numbers[one.number]) if isinstance(one, Marker) else one for one in parse(text)
    )


@functools.lru_cache(_TEMPLATES_KEPT)
def pieces(template: str) -> tuple[str | Hole, ...]:
    """A template as literal texts and holes.

    Raises:
      InstructionError: a brace that opens or closes no slot, or a marker written out.
    """
    found: list[str | Hole] = []
    start = 0
    for slot in _SLOT.finditer(template):
        found += [template[start : slot.start()], Hole(slot[1])]
        start = slot.end()
    found.append(template[start:])
    for one in found:
        if isinstance(one, str) and re.search(r"[{}]|\[+ref#", one):
            raise InstructionError(
                f"template {template!r}: {one.strip()!r} holds a brace or a marker; slots are "
                "{caption}, {ref#1}, {mark#1} or the name of a row's slot"
            )
    return tuple(one for one in found if one != "")


def names(template: str) -> tuple[str, ...]:
    """Names of a template's slots, in order, repeated ones too."""
    return tuple(one.name for one in pieces(template) if isinstance(one, Hole))


def cited(template: str) -> tuple[int, ...]:
    """Numbers of the references that a template cites, ascending, each once."""
    numbers = (name.partition("#") for name in names(template))
    return tuple(sorted({int(number) for _, sign, number in numbers if sign}))


@functools.lru_cache(_TEMPLATES_KEPT)
def wanted(template: str) -> frozenset[str]:
    """Keys that `render` needs of a row: caption, style, ref#1 ..."""
    return frozenset(name.replace("mark#", "ref#") for name in names(template))


@functools.lru_cache(_TEXTS_KEPT)
def beside(number: int, text: str) -> str:
    """Stored text of a reference: "[ref#1] depth map"; the marker alone where there is no text."""
    return compose([Marker(number), *([" ", text] if text else [])])


def render(template: str, slots: Mapping[str, str]) -> Instruction:
    """The instruction that a template gives for a row.

    Args:
      slots: Value of each slot; `ref#1` holds the text beside the marker. Values are data: they
        may hold anything, and cite nothing.

    Raises:
      InstructionError: a slot that has no value, or a template that is none.
    """
    segments: list[Segment] = []
    for one in pieces(template):
        if isinstance(one, str):
            segments.append(one)
            continue
        kind, sign, number = one.name.partition("#")
        key = f"ref#{number}" if sign else one.name
        if key not in slots:
            raise InstructionError(f"template {template!r} needs {key}: there is {sorted(slots)}")
        if not sign:
            segments.append(slots[key])
        else:
            segments.append(Marker(int(number)))
            segments += [" ", slots[key]] if kind == "ref" and slots[key] else []
    numbers = sorted(int(key[4:]) for key in slots if key.startswith("ref#"))
    context = tuple(beside(number, slots[f"ref#{number}"]) for number in numbers)
    return Instruction(compose(segments), context)


@functools.lru_cache(_TEXTS_KEPT)
def _marker_of(context: str) -> int:
    """The marker that the stored text of a reference begins with, its only one."""
    first, *others = parse(context) or ("",)
    if not isinstance(first, Marker) or any(isinstance(one, Marker) for one in others):
        raise InstructionError(f"context {context!r} does not begin with its one marker")
    return first.number


def validate(
    instruction: Instruction, references: Sequence[int], values: Iterable[str] = ()
) -> None:
    """Checks that payload, context and pictures belong together.

    Args:
      references: Marker of each picture, in order; several may share one.
      values: What was put into slots; braces that they hold are no slots.

    Raises:
      InstructionError: a marker that is cited and not there, or there and not cited; numbers that
        do not run from 1 without gaps; a slot that was left.
    """
    payload = parse(instruction.payload)
    in_payload = {one.number for one in payload if isinstance(one, Marker)}
    in_context = [_marker_of(text) for text in instruction.context]
    for what, found in (("its payload", in_payload), ("its pictures", set(references))):
        if found != set(in_context):
            odd = ", ".join(f"[ref#{number}]" for number in sorted(found ^ set(in_context)))
            raise InstructionError(f"{what} and its context differ in {odd}")
    if in_context != list(range(1, len(in_context) + 1)):
        raise InstructionError(f"markers {in_context} do not run from 1 without gaps")
    literal = "".join(one for one in payload if isinstance(one, str))
    left = [slot[0] for slot in _SLOT.finditer(literal)] if "{" in literal else []
    given = " ".join(values) if left else ""
    for slot in left:
        if slot not in given:
            raise InstructionError(f"slot {slot} was left in {instruction.payload!r}")
