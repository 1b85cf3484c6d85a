"""Instructions in OmniGen's words: `<img><|image_k|></img>` where ours cites a reference.

Their pictures are counted one by one, from 1; several of ours may share a marker, which becomes
their placeholders in a row. A literal `<|` or `<img>` of a caption gets one bar more, `<||` and
`<|img>`: their tokenizer takes neither for anything special, and `read` takes the bar off.

Source: VectorSpaceLab/OmniGen, `OmniGen/processor.py` (process_multi_modal_prompt).
"""

import re
from collections.abc import Sequence

from instruct_imagen_data import instructions
from instruct_imagen_data.instructions import InstructionError, Marker, Segment

_SPECIAL = re.compile(r"<(?=\||/?img>|cfg>)")  # what their tokenizer has tokens for
_MARKED = re.compile(r"<img><\|image_([1-9][0-9]{0,3})\|></img>")
_TOKEN = re.compile(rf"{_MARKED.pattern}|<\|")


def write(instruction: str, markers: Sequence[int]) -> str:
    """A stored text of ours as theirs.

    Args:
      markers: Marker of each picture, in order.

    Raises:
      InstructionError: text and pictures do not cite the same markers, which their reader refuses.
    """
    cited = set(instructions.markers(instruction))
    if cited != set(markers):
        raise InstructionError(f"{instruction!r} cites {sorted(cited)}, its pictures are {markers}")
    return "".join(
        "".join(f"<img><|image_{number}|></img>" for number in _pictures(one.number, markers))
        if isinstance(one, Marker)
        else _SPECIAL.sub("<|", one)
        for one in instructions.parse(instruction)
    )


def read(text: str, markers: Sequence[int]) -> str:
    """The inverse of `write`.

    Raises:
      InstructionError: a placeholder without a picture, or one of several without the others.
    """
    segments: list[Segment] = []
    start = 0
    while found := _TOKEN.search(text, start):
        segments.append(text[start : found.start()])
        start = found.end()
        if found[1] is None:
            segments.append("<")
            continue
        marker, start = _group(text, found, markers)
        segments.append(marker)
    return instructions.compose([*segments, text[start:]])


def _pictures(marker: int, markers: Sequence[int]) -> list[int]:
    """Their numbers of the pictures of a marker."""
    return [number for number, one in enumerate(markers, 1) if one == marker]


def _group(text: str, first: re.Match[str], markers: Sequence[int]) -> tuple[Marker, int]:
    """(the marker whose placeholders begin here, where they end)."""
    number, end = int(first[1]), first.start()
    if number > len(markers):
        raise InstructionError(f"{text!r}: there is no picture {number}")
    marker = markers[number - 1]
    for wanted in _pictures(marker, markers):
        found = _MARKED.match(text, end)
        if found is None or int(found[1]) != wanted:
            raise InstructionError(f"{text!r}: picture {wanted} is not where its marker needs it")
        end = found.end()
    return Marker(marker), end
