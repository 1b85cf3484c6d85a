"""Decisions as they stand: each reviewer's last word on a draft, and what follows from them all."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping

from instruct_imagen_data.tools.templates.drafts import DECISIONS, EDIT, REJECT, Decision

Words = Mapping[str, Mapping[str, Decision]]


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """What a draft was accepted as.

    Attributes:
      text: The wording.
      reviewed_by: All who accepted this very wording, the first of them first.
      reviewer_kind: person, where a person is among them; else agent.
      reviewed_on: ISO date of the last of them.
    """

    text: str
    reviewed_by: str
    reviewer_kind: str
    reviewed_on: str


@dataclasses.dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree, over the drafts on which both decided.

    Attributes:
      first: Name of a reviewer.
      second: Name of the other.
      both: Drafts on which both decided.
      same: Those of them with the same verdict: accept, edit (whatever the text) or reject.
      kappa: Cohen's kappa: 1 is agreement on all, 0 as much as chance gives; None where each of
        them gave one and the same verdict throughout, so that chance alone agrees on all.
    """

    first: str
    second: str
    both: int
    same: int
    kappa: float | None

    @property
    def share(self) -> float:
        """The part of the drafts that got the same verdict, from 0 to 1."""
        return self.same / self.both


def last_words(decisions: Iterable[Decision]) -> dict[str, dict[str, Decision]]:
    """Draft -> reviewer -> the last decision; who spoke last on a draft comes last."""
    words: dict[str, dict[str, Decision]] = {}
    for one in decisions:
        of_draft = words.setdefault(one.draft, {})
        of_draft.pop(one.reviewer, None)
        of_draft[one.reviewer] = one
    return words


def accepted(words: Iterable[Decision]) -> Accepted | None:
    """What a draft's last words, oldest first, make of it; None where anybody rejects it.

    An edit stands over an acceptance, since its author found the wording wanting; of several edits
    the last one stands.
    """
    said = list(words)
    if not said or any(one.decision == REJECT for one in said):
        return None
    text = ([one for one in said if one.decision == EDIT] or said)[-1].text
    readers = [one for one in said if one.text == text]
    kinds = {one.reviewer_kind for one in readers}
    return Accepted(
        text,
        ", ".join(one.reviewer for one in readers),
        "person" if "person" in kinds else "agent",
        max(one.at for one in readers)[:10],
    )


def agreements(words: Words) -> list[Agreement]:
    """Of each two reviewers who decided on a draft in common, by name."""
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for of_draft in words.values():
        for first, second in itertools.combinations(sorted(of_draft), 2):
            verdicts = (of_draft[first].decision, of_draft[second].decision)
            pairs.setdefault((first, second), []).append(verdicts)
    return [_agreement(*names, verdicts) for names, verdicts in sorted(pairs.items())]


def _agreement(first: str, second: str, verdicts: list[tuple[str, str]]) -> Agreement:
    """Cohen 1960: (observed - by chance) / (1 - by chance), here times both^2, in integers."""
    both = len(verdicts)
    same = sum(one == other for one, other in verdicts)
    ones, others = (Counter(side) for side in zip(*verdicts, strict=True))
    by_chance = sum(ones[verdict] * others[verdict] for verdict in DECISIONS)
    left = both * both - by_chance
    return Agreement(first, second, both, same, (both * same - by_chance) / left if left else None)
