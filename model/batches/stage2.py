"""Stage 2: an example in another wording each time it is drawn (sections 3.2 and A.3.2).

What is drawn anew: the template, which marker has which number, which pictures stand under each,
from what edges were taken and how wide their lines are. A row to fine-tune on has one wording, its
own, with the numbers that are written there.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from instruct_imagen_data import instructions
from instruct_imagen_data.templates import Template, Templates, values_of
from model.batches import pictures
from model.batches.draws import Draws
from model.batches.pictures import Frame
from model.batches.records import Content, DataConfig, Pixels, Unusable

COLUMNS = ("key", "caption", "image", "references", "slots", "sources")
# where the wording is the row's
OWN = ("key", "caption", "image", "references", "instruction", "sources")
WIDTHS = (0.0, 0.5, 1.0, 1.5)  # by which edges are widened, in pixels of what the network sees

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Wordings:
    """The templates of a dataset that rows of one split may have.

    Attributes:
      templates: All of the dataset's.
      split: "train" or "validation".
    """

    templates: Templates
    split: str
    _usable: dict[frozenset[str], tuple[Template, ...]] = dataclasses.field(default_factory=dict)

    def usable(self, given: Iterable[str]) -> tuple[Template, ...]:
        """Those that need nothing else; looked up once for all rows that give the same."""
        names = frozenset(given)
        if names not in self._usable:
            self._usable[names] = self.templates.usable(self.split, names)
        return self._usable[names]


def content(
    row: Row, draws: Draws, config: DataConfig, wordings: Wordings | None, context: bool
) -> Content:
    """A sample of an example.

    Args:
      row: Of schema.Example: COLUMNS, or OWN.
      wordings: None takes the row's own.
      context: False where it is dropped: no reference is decoded.

    Raises:
      Unusable: no template fits what the row holds, or its own instruction does not.
      DecodeError: a picture that was drawn is none.
    """
    if wordings is None:
        payload = _own(row)
        numbers = {one["marker"]: one["marker"] for one in row["references"]}
    else:
        numbers = _numbers(row, draws)
        payload = instructions.renumber(_payload(row, draws, wordings), numbers)
    references = _subset(row["references"], numbers, draws, config.max_references)
    texts = [instructions.beside(numbers[one["marker"]], one["text"]) for one in references]
    flips = pictures.may_flip(payload, texts, [row["caption"]])
    if not context:
        references = []
    frame = Frame(draws.unit("crop"), flips and draws.unit("flip") < 0.5)
    return Content(
        key=row["key"],
        instruction=payload,
        target=pictures.shown(row["image"]["bytes"], config.size, frame),
        references=tuple(
            _shown(one, slot, draws, config.size, frame, flips)
            for slot, one in enumerate(references)
        ),
        texts=tuple(texts[: len(references)]),
        roles=tuple(one["role"] for one in references),
        sources=tuple(row["sources"]),
    )


def _payload(row: Row, draws: Draws, wordings: Wordings) -> str:
    """The instruction by a drawn template, with the row's own numbers of markers."""
    marked = ((one["marker"], one["text"]) for one in row["references"])
    given = values_of(row["caption"], marked, {one["name"]: one["value"] for one in row["slots"]})
    usable = wordings.usable(given)
    if not usable:
        raise Unusable(f"no {wordings.split} template that needs only {', '.join(sorted(given))}")
    template = usable[draws.below(len(usable), "template")]
    return instructions.render(template.text, given).payload


def _own(row: Row) -> str:
    """The row's instruction, once it is found to cite all its references and no other."""
    stored: str = row["instruction"]
    try:
        cited = set(instructions.markers(stored))
    except instructions.InstructionError as error:
        raise Unusable(str(error)) from error
    if odd := sorted(cited ^ {one["marker"] for one in row["references"]}):
        what = "cites" if odd[0] in cited else "does not cite"
        has = "no" if odd[0] in cited else "a"
        raise Unusable(f"its instruction {what} [ref#{odd[0]}], of which there is {has} picture")
    return stored


def _numbers(row: Row, draws: Draws) -> dict[int, int]:
    """The number that each of the row's markers has in this sample."""
    markers = sorted({one["marker"] for one in row["references"]})
    return dict(zip(markers, draws.order(markers, "markers"), strict=True))


def _subset(
    references: Sequence[Row], numbers: Mapping[int, int], draws: Draws, most: int
) -> list[Row]:
    """Drawn pictures, by the number of their marker; of each marker at least one.

    How many there are is drawn, too: a user may have one photo of a subject, or several.
    """
    shuffled = draws.order(references, "references")
    firsts = {one["marker"]: place for place, one in reversed([*enumerate(shuffled)])}
    rest = [place for place in range(len(shuffled)) if place not in firsts.values()]
    more = max(0, min(most - len(firsts), len(rest)))
    kept = [*firsts.values(), *rest[: draws.below(more + 1, "how many")]]
    return sorted(
        (shuffled[place] for place in sorted(kept)), key=lambda one: numbers[one["marker"]]
    )


def _shown(reference: Row, slot: int, draws: Draws, size: int, frame: Frame, flips: bool) -> Pixels:
    """A reference as the network sees it; an aligned one shows what the target's frame does."""
    variants = [reference["image"], *(one["image"] for one in reference["variants"])]
    image = variants[draws.below(len(variants), f"variant/{slot}")]
    if not reference["aligned"]:
        flipped = flips and draws.unit(f"flip/{slot}") < 0.5
        frame = Frame(draws.unit(f"crop/{slot}"), flipped)
    role, width = reference["role"], 0.0
    if role == pictures.EDGES:
        width = WIDTHS[draws.below(len(WIDTHS), f"width/{slot}")]
    return pictures.shown(image["bytes"], size, frame, role, width)
