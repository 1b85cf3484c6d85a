"""Which of the texts that a model offers become drafts, and why the others do not."""

from collections.abc import Iterable

from instruct_imagen_data.tools.templates.lint import rules
from instruct_imagen_data.tools.templates.lint.pairs import NEAR
from instruct_imagen_data.tools.templates.lint.tokens import tokens

LONG, DUPLICATE, NEAR_DUPLICATE = "long", "duplicate", "near_duplicate"
_LONGEST = 1000  # characters


def fault(text: str, dataset: str) -> str:
    """The first of the linter's rules that a text breaks, or LONG; '' where it is fit."""
    if len(text) > _LONGEST:
        return LONG
    return next((rule for rule, _ in rules.faults(text, dataset)), "")


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Tokens that two texts share, of all that either has; 1 for two empty ones."""
    return len(one & other) / len(one | other) if one or other else 1.0


class Known:
    """The texts that are there already."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._said: set[tuple[str, ...]] = set()
        self._tokens: list[frozenset[str]] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """One more is there."""
        said = tokens(text)
        self._said.add(said)
        self._tokens.append(frozenset(said))

    def like(self, text: str) -> str:
        """DUPLICATE or NEAR_DUPLICATE, where a text is too close to one of them; else ''."""
        said = tokens(text)
        if said in self._said:
            return DUPLICATE
        found = frozenset(said)
        near = any(jaccard(found, other) >= NEAR for other in self._tokens)
        return NEAR_DUPLICATE if near else ""
