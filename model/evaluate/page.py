"""The page of an evaluation: the table, and pictures beside what was asked; opens offline."""

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from PIL import Image

import instruct_imagen_data
from instruct_imagen_data import instructions
from instruct_imagen_data.instructions import Marker
from model.batches import pictures
from model.batches.records import Pixels
from model.evaluate.attributes import Attribute
from model.evaluate.rows import CENTRE, Cited
from model.evaluate.scores import Drawn, Score

_SHOWN = 8  # rows of a dataset
_REFERENCE = 96  # pixels, side of a reference
_MOST = 192  # pixels, side of a larger network's pictures


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page.

    Attributes:
      title: What it is.
      source: Data URI.
      pixels: Its side; few pixels are shown as squares.
    """

    title: str
    source: str
    pixels: int


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A row on the page.

    Attributes:
      words: The instruction: (text, whether it is a marker).
      references, lent: The row's own, and another row's.
      right, swapped: Drawn with each; None where no row could lend its own.
      target: What was to be learnt.
      checks: (name, with the right references, with the others or None).
    """

    words: Sequence[tuple[str, bool]]
    references: Sequence[Picture]
    right: Picture
    lent: Sequence[Picture]
    swapped: Picture | None
    target: Picture
    checks: Sequence[tuple[str, float, float | None]]


def render(
    found: Mapping[str, Sequence[Drawn]],
    scored: Mapping[str, Sequence[Score]],
    followed: Mapping[str, Attribute],
    told: Mapping[str, Any],
) -> str:
    """The page, one HTML file with all its pictures in it.

    Args:
      told: What was evaluated: model, examples, models, seed, sampling.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("model.evaluate", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = lambda name: name.replace("_", " ")
    environment.filters["two"] = lambda value: "–" if value is None else f"{value:.2f}"
    return environment.get_template("page.html.j2").render(
        told=told,
        scored=scored,
        followed=followed,
        lines={name: [_line(one) for one in drawn[:_SHOWN]] for name, drawn in found.items()},
        rows={name: len(drawn) for name, drawn in found.items()},
        version=instruct_imagen_data.__version__,
    )


def _line(one: Drawn) -> Line:
    words = [
        (f"ref#{part.number}", True) if isinstance(part, Marker) else (part, False)
        for part in instructions.parse(one.row.instruction)
    ]
    swapped = None if one.swapped is None else _picture("drawn with the others", one.swapped)
    return Line(
        words,
        [_reference(cited) for cited in one.row.references],
        _picture("drawn", one.right),
        [_reference(cited) for cited in one.lent or ()],
        swapped,
        _picture("target", one.target),
        [
            (name, value, None if one.of_swapped is None else one.of_swapped[name])
            for name, value in one.of_right.items()
        ],
    )


def _reference(cited: Cited) -> Picture:
    shown = pictures.shown(cited.image, _REFERENCE, CENTRE, cited.role)
    return _picture(f"ref#{cited.marker} {cited.text}".strip(), shown)


def _picture(title: str, rgb: Pixels) -> Picture:
    side = rgb.shape[0]
    made = Image.fromarray(rgb)
    if side > _MOST:
        made = made.resize((_MOST, _MOST), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    made.save(sink, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(sink.getvalue()).decode()}"
    return Picture(title, source, side)
