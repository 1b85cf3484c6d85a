"""Templates that a text encoder takes for the same: nearness of meaning, not of words.

How near is too near depends on the encoder, so each sets its own limit: the median cosine between
a template and its copy with one word changed. An encoder that puts many different templates
nearer than that cannot tell templates apart (one that knows the planted world alone cannot), and
finds nothing.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from instruct_imagen_data import keys
from instruct_imagen_data.templates import Template
from instruct_imagen_data.tools.templates.lint.findings import Finding
from instruct_imagen_data.tools.templates.lint.read import Read

MOST = 0.05  # share of templates with a neighbour over the limit, above which nothing is said
_FILLINGS = {"caption": "a red bus", "style": "Realism", "artist": "the painter"}

Encoder = Callable[[Sequence[str]], np.ndarray]  # texts -> unit vectors [n, dimension]


@dataclasses.dataclass(frozen=True, slots=True)
class Meaning:
    """What an encoder says.

    Attributes:
      limit: Cosine from which two templates are too near.
      share: Of templates, with another of their file at or over the limit.
      findings: Those pairs; none where share is over MOST.
    """

    limit: float
    share: float
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        seen = f"{self.share:.0%} of templates have another at cosine {self.limit:.2f} or more"
        told = f"too many: this encoder cannot tell templates apart; {seen}"
        return f"meaning: {told if self.share > MOST else seen}"


def compare(files: Sequence[Read], encode: Encoder) -> Meaning:
    """Compares the templates of each file among themselves."""
    rows = [(file, one) for file in files for one in file.templates]
    vectors = encode([_filled(one.text) for _, one in rows]).astype(np.float32)
    copies = encode([_changed(_filled(one.text), one.id) for _, one in rows]).astype(np.float32)
    limit = float(np.median(np.einsum("nd,nd->n", vectors, copies))) if rows else 1.0
    cosines = vectors @ vectors.T
    numbers = np.array([files.index(file) for file, _ in rows])
    cosines[numbers[:, None] != numbers[None, :]] = -1
    np.fill_diagonal(cosines, -1)
    share = float((cosines.max(1, initial=-1) >= limit).mean()) if rows else 0.0
    found = _pairs(rows, cosines, limit) if share <= MOST else ()
    return Meaning(limit, share, tuple(found))


def _pairs(
    rows: Sequence[tuple[Read, Template]], cosines: np.ndarray, limit: float
) -> Iterator[Finding]:
    for one, other in np.argwhere(np.triu(cosines, 1) >= limit):
        (_, earlier), (file, later) = rows[one], rows[other]
        message = f"it means what {earlier.id} does ({cosines[one, other]:.2f}), {earlier.text!r}"
        yield Finding(file.file, later.id, "same_meaning", message)


def _filled(text: str) -> str:
    """A template as a sentence: an encoder knows no slots."""
    return re.sub(
        r"\{([a-z]+)[^{}]*\}", lambda found: _FILLINGS.get(found[1], "the reference"), text
    )


def _changed(text: str, salt: str) -> str:
    """The text with one of its words replaced, the same each time."""
    words = text.split(" ")
    words[int(keys.unit(salt, "changed word") * len(words))] = "another"
    return " ".join(words)
