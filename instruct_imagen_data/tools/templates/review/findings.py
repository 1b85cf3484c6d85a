"""What is wrong with a wording: why it may not become a template."""

import tomllib
import unicodedata
from collections.abc import Iterator

from instruct_imagen_data import keys, templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.instructions import InstructionError

_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # categories of Unicode
_SEEN_ALL_THE_SAME = "\n"


def unseen(text: str) -> list[str]:
    """Characters that nobody sees, or that turn the letters around them, each once."""
    found = (one for one in text if unicodedata.category(one) in _UNSEEN)
    return sorted({one for one in found if one not in _SEEN_ALL_THE_SAME})


def visible(text: str) -> str:
    """A text whose unseen characters are written out: "⟨U+202E⟩"."""
    for one in unseen(text):
        text = text.replace(one, f"⟨U+{ord(one):04X}⟩")
    return text


def findings(text: str, dataset: str, draft: str, folder: str) -> list[str]:
    """All that speaks against a wording, in words; nothing where it may be a template.

    Args:
      draft: Id of the draft it is of: templates made of that one are no duplicates.
      folder: Of the template files; '' for the shipped ones.
    """
    return list(_findings(text, dataset, draft, folder))


def _findings(text: str, dataset: str, draft: str, folder: str) -> Iterator[str]:
    if not text.strip():
        yield "it is empty"
        return
    try:
        templates.check(text, dataset)
    except InstructionError as error:
        yield str(error)
    for one in unseen(text):
        yield f"it holds the character U+{ord(one):04X}, which nobody sees"
    for template in _with_wording(text, dataset, draft, folder):
        yield f"{template} has the same wording"


def _with_wording(text: str, dataset: str, draft: str, folder: str) -> list[str]:
    """Ids of the templates of this wording, white space and letter case aside."""
    path = templates.path_of(dataset, folder)
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("template", [])
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as templates: {error}") from error
    folded = keys.normalise_caption(text)
    return [
        str(row.get("id"))
        for row in rows
        if row.get("draft") != draft and keys.normalise_caption(str(row.get("text"))) == folded
    ]
