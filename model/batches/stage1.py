"""Stage 1: one of five pictures is the target, others are its context (section 3.2 of the paper).

A neighbour is cited by nothing: its own caption is the text beside it.
"""

from collections.abc import Mapping
from typing import Any

from instruct_imagen_data import instructions
from model.batches import pictures
from model.batches.draws import Draws
from model.batches.pictures import Frame
from model.batches.records import Content, DataConfig, Unusable

ROLE = "neighbour"
COLUMNS = ("id", "members")


def content(row: Mapping[str, Any], draws: Draws, config: DataConfig, context: bool) -> Content:
    """A sample of a neighbourhood: which of the five is the target, and which beside it, is drawn.

    Args:
      row: Of schema.Neighbourhood: COLUMNS.
      context: False where it is dropped: no neighbour is decoded.

    Raises:
      Unusable: fewer than two members.
      DecodeError: a picture that was drawn is none.
    """
    if len(row["members"]) < 2:
        raise Unusable(f"{len(row['members'])} members")
    target, *others = draws.order(row["members"], "members")[: 1 + config.max_references]
    texts = tuple(instructions.compose([one["caption"]]) for one in (target, *others))
    may_flip = pictures.may_flip(texts[0], texts[1:], [target["caption"]])
    if not context:
        others = []
    shown = []
    for slot, member in enumerate((target, *others)):
        flipped = may_flip and draws.unit(f"flip/{slot}") < 0.5
        frame = Frame(draws.unit(f"crop/{slot}"), flipped)
        shown.append(pictures.shown(member["image"]["bytes"], config.size, frame))
    return Content(
        key=target["key"],
        instruction=texts[0],
        target=shown[0],
        references=tuple(shown[1:]),
        texts=texts[1 : 1 + len(others)],
        roles=(ROLE,) * len(others),
        sources=tuple(one["key"] for one in row["members"]),
    )
