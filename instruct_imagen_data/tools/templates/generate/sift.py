"""Which of the texts that a model offers become drafts, and why the others do not."""

import re
from collections.abc import Iterable

from instruct_imagen_data import templates
from instruct_imagen_data.instructions import InstructionError

SLOTS, CHARACTERS, LONG = "wrong slots", "odd characters", "too long"
DUPLICATE, NEAR = "duplicate", "near-duplicate"
_LONGEST = 1000  # characters
_TOKEN = re.compile(r"\{[^{}]*\}|[^\W_]+(?:['’-][^\W_]+)*")  # a slot, or a word
_NEAR = 0.6  # token Jaccard of two templates that say too much alike


def fault(text: str, dataset: str) -> str:
    """What is wrong with a text by itself: SLOTS, CHARACTERS or LONG; '' where nothing is."""
    if not all(one.isprintable() or one == "\n" for one in text):
        return CHARACTERS
    if len(text) > _LONGEST:
        return LONG
    try:
        templates.check(text, dataset)
    except InstructionError:
        return SLOTS
    return SLOTS if text.count("{caption}") > 1 else ""


def tokens(text: str) -> frozenset[str]:
    """Slots and lower-case words of a text."""
    return frozenset(_TOKEN.findall(text.lower()))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Tokens that two texts share, of all that either has; 1 for two empty ones."""
    return len(one & other) / len(one | other) if one or other else 1.0


class Known:
    """The texts that are there already."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(texts)
        self._tokens = [tokens(text) for text in self._texts]

    def add(self, text: str) -> None:
        """One more is there."""
        self._texts.append(text)
        self._tokens.append(tokens(text))

    def like(self, text: str) -> str:
        """DUPLICATE or NEAR, where a text is too close to one of them; else ''."""
        found = tokens(text)
        near = max((jaccard(found, other) for other in self._tokens), default=0.0)
        if near == 1.0:  # the same words, in whatever order
            return DUPLICATE
        return NEAR if near >= _NEAR else ""
