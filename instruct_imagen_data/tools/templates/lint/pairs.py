"""Templates that are copies of each other, or nearly: in one file, or in two.

Nearness is the Jaccard index of two sets of tokens, slots among them. Between files a dataset's own
words ("depth map", "edges") count as one token, so that a wording that was carried from one
control to the next is seen.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from instruct_imagen_data.templates import Template
from instruct_imagen_data.tools.templates.lint.findings import Finding
from instruct_imagen_data.tools.templates.lint.lists import families
from instruct_imagen_data.tools.templates.lint.read import Read
from instruct_imagen_data.tools.templates.lint.tokens import tokens

NEAR = 0.6  # of two templates of a file
NEAR_APART = 0.75  # of two of different files
_OWN = "own"
_CONTROLS = ("depth", "mask", "edge", "sketch")
_PHRASE = re.compile(
    r"\b(?:(?:depth|edge|object|mask) (?:map|image|mask)|(?:rough|line) drawing)\b"
)


def findings(files: Sequence[Read]) -> Iterator[Finding]:
    """Exact duplicates, after case, punctuation and spaces are forgotten; then the near ones."""
    rows = [(file, one) for file in files for one in file.templates]
    said = [_masked(one) for _, one in rows]
    first: dict[tuple[str, ...], int] = {}
    copies = set()
    for at, text in enumerate(said):
        if first.setdefault(text, at) < at:
            copies.add((first[text], at))
            yield _finding(rows, first[text], at, "duplicate", "the same words as")
    for one, other, likeness in _near(said, [file.file for file, _ in rows]):
        if (one, other) not in copies:
            message = f"{likeness:.2f} of its words are those of"
            yield _finding(rows, one, other, "near_duplicate", message)


def _finding(
    rows: Sequence[tuple[Read, Template]], one: int, other: int, rule: str, message: str
) -> Finding:
    (_, earlier), (file, later) = rows[one], rows[other]
    return Finding(file.file, later.id, rule, f"{message} {earlier.id}, {earlier.text!r}")


@functools.cache
def _own_words() -> frozenset[str]:
    return frozenset[str]().union(*(families()[name] for name in _CONTROLS))


def _masked(one: Template) -> tuple[str, ...]:
    text = _PHRASE.sub(_OWN, one.text.lower())
    return tuple(_OWN if word in _own_words() else word for word in tokens(text))


def _near(said: Sequence[Sequence[str]], files: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(earlier, later, Jaccard index) of pairs at or above their limit."""
    vocabulary: defaultdict[str, int] = defaultdict(lambda: len(vocabulary))
    sets = [sorted({vocabulary[word] for word in text}) for text in said]
    has = np.zeros((len(said), len(vocabulary)), np.float32)
    for row, one in enumerate(sets):
        has[row, one] = 1
    common = has @ has.T
    sizes = has.sum(1)
    likeness = common / np.maximum(sizes[:, None] + sizes[None, :] - common, 1)
    numbers = np.unique(files, return_inverse=True)[1]
    limit = np.where(numbers[:, None] == numbers[None, :], NEAR, NEAR_APART)
    for one, other in np.argwhere(np.triu(likeness >= limit, 1)):
        yield int(one), int(other), float(likeness[one, other])
