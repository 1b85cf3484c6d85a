"""What a user asks for: instructions with their references, from flags or from a file.

A JSON or TOML file holds a list `pictures`; of TOML:

    [[pictures]]
    instruction = "a vase in the style of [ref#1]"
    references = [{marker = 1, image = "style.png", text = "watercolour"}]
    seed = 3             # by default the command's
    output = "vase.png"  # by default the number of the picture

Paths of pictures are relative to the file. Several pictures may stand under one marker.
"""

import dataclasses
import json
import posixpath
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from instruct_imagen_data import instructions, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.instructions import Instruction

_REF = re.compile(r"\s*\[?(?:ref#)?([1-9][0-9]{0,3})\]?\s*=(.*)", re.DOTALL)
_OF_PICTURE = {"instruction", "references", "seed", "output"}
_OF_REFERENCE = {"marker", "image", "text"}


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """A picture under a marker.

    Attributes:
      marker: k of [ref#k].
      image: Path of the picture.
      text: What it is, as it stands beside the marker: "watercolour", "depth map", "dog".
    """

    marker: int
    image: str
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A picture that is asked for.

    Attributes:
      instruction: Stored text (instructions.parse).
      references: By marker.
      seed: Its own, or None.
      output: Name of its file; '' where it has none.
    """

    instruction: str
    references: tuple[Given, ...] = ()
    seed: int | None = None
    output: str = ""


def reference(flag: str) -> Given:
    """A reference of a flag "1=style.png;watercolour".

    Raises:
      UsageError: it has another form.
    """
    found = _REF.fullmatch(flag)
    image, _, text = (found[2] if found else "").partition(";")
    if not found or not image.strip():
        raise UsageError(
            f"--ref {flag!r}: write NUMBER=PICTURE;WHAT IT IS, such as '1=style.png;watercolour' "
            "for the picture that [ref#1] cites"
        )
    return Given(int(found[1]), image.strip(), text.strip())


def checked(instruction: str, references: Sequence[Given], **more: Any) -> Asked:
    """A picture to make, once its markers and references belong together.

    References come by marker; where a marker has several, one text serves all.

    Raises:
      UsageError: says which marker has no picture, or which picture is not cited.
    """
    if not instruction.strip():
        raise UsageError("the instruction is empty: say what to draw")
    cited = set(instructions.markers(instruction))
    there = {one.marker for one in references}
    if missing := sorted(cited - there):
        raise UsageError(
            f"the instruction cites [ref#{missing[0]}], and there is no picture for it: add "
            f"--ref '{missing[0]}=PICTURE;WHAT IT IS'"
        )
    if extra := sorted(there - cited):
        raise UsageError(
            f"there is a picture for [ref#{extra[0]}], and the instruction does not cite it: write "
            f"[ref#{extra[0]}] where it means that picture, or leave it out"
        )
    texts: dict[int, str] = {}
    for one in references:
        known = texts.setdefault(one.marker, one.text) or one.text
        if one.text not in ("", known):
            raise UsageError(
                f"[ref#{one.marker}] is both {known!r} and {one.text!r}: the pictures under one "
                "marker show one thing; give the other a marker of its own"
            )
        texts[one.marker] = known
    ordered = sorted(references, key=lambda one: one.marker)
    told = tuple(dataclasses.replace(one, text=texts[one.marker]) for one in ordered)
    context = tuple(instructions.beside(number, texts[number]) for number in sorted(texts))
    instructions.validate(Instruction(instruction, context), [one.marker for one in told])
    return Asked(instruction, told, **more)


def read(place: str) -> list[Asked]:
    """The pictures that a JSON or TOML file asks for.

    Raises:
      UsageError: no such file, another form, or a picture that cannot be made; names the picture.
    """
    found = _tables(place)
    pictures = found.get("pictures") if isinstance(found, Mapping) else found
    if not isinstance(pictures, list) or not pictures:
        raise UsageError(f"{place}: a list `pictures` is wanted: [[pictures]] in TOML")
    asked = []
    for number, table in enumerate(pictures, 1):
        try:
            asked.append(_picture(table, posixpath.dirname(place)))
        except UsageError as error:
            raise UsageError(f"{place}: picture {number}: {error}") from error
    names = [one.output for one in asked if one.output]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{place}: two pictures are to be written as {twice[0]}")
    return asked


def _tables(place: str) -> Any:
    try:
        written = storage.read_bytes(place).decode()
        if place.endswith(".json"):
            return json.loads(written)
        return tomllib.loads(written)
    except (OSError, ValueError) as error:
        raise UsageError(f"{place} cannot be read as JSON or TOML: {error}") from error


def _picture(table: Any, folder: str) -> Asked:
    _check(table, _OF_PICTURE, {"instruction": str, "seed": int, "output": str}, "a picture")
    if "instruction" not in table:
        raise UsageError("it has no instruction")
    references = []
    for one in table.get("references", ()):
        _check(one, _OF_REFERENCE, {"marker": int, "image": str, "text": str}, "a reference")
        if not {"marker", "image"} <= one.keys():
            raise UsageError("a reference has a marker and an image, and perhaps a text")
        image = one["image"]
        if folder and not storage.scheme(image) and not posixpath.isabs(image):
            image = storage.join(folder, image)
        references.append(Given(one["marker"], image, one.get("text", "").strip()))
    output = table.get("output", "")
    if output and (posixpath.basename(output) != output or not output.endswith(".png")):
        raise UsageError(f"output {output!r}: a name that ends in .png, and no path")
    return checked(table["instruction"], references, seed=table.get("seed"), output=output)


def _check(table: Any, known: set[str], kinds: Mapping[str, type], what: str) -> None:
    """Raises UsageError where a table has another name or a value of another type."""
    if not isinstance(table, Mapping):
        raise UsageError(f"{what} is a table, not {table!r}")
    if unknown := sorted(table.keys() - known):
        raise UsageError(f"{unknown[0]} is not known; known are {', '.join(sorted(known))}")
    for name, kind in kinds.items():
        if name in table and (not isinstance(table[name], kind) or isinstance(table[name], bool)):
            wanted = "a whole number" if kind is int else "a text"
            raise UsageError(f"{name} = {table[name]!r}: {wanted} is wanted")
    if not isinstance(table.get("references", []), list):
        raise UsageError("references is a list of tables with marker, image and text")
