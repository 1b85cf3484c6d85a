"""The reviewer's desk: which draft comes next, what is known of it, and decisions on it."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.drafts import ACCEPT, EDIT, REJECT, Decision, Draft
from instruct_imagen_data.tools.templates.review import shelf, words
from instruct_imagen_data.tools.templates.review.findings import findings
from instruct_imagen_data.tools.templates.review.rows import Rows


class NotFit(UsageError):
    """A wording may not be accepted; says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a draft lies: its dataset and its number there, from 1, oldest first."""

    dataset: str
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far the reviewer is with a dataset.

    Attributes:
      dataset: Its name.
      total: Its drafts.
      decided: Verdict -> drafts that the reviewer gave it.
      reason: Why it cannot be reviewed; '' where it can.
    """

    dataset: str
    total: int
    decided: Mapping[str, int]
    reason: str = ""

    @property
    def done(self) -> int:
        return sum(self.decided.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    """All that is known of a draft.

    Attributes:
      place: Where it lies.
      draft: It.
      findings: What speaks against its wording.
      own: The reviewer's last decision on it, if any.
      others: Those of others, once the reviewer has decided: until then, none is told.
    """

    place: Place
    draft: Draft
    findings: Sequence[str]
    own: Decision | None
    others: Sequence[Decision]


@dataclasses.dataclass(frozen=True, slots=True)
class Desk:
    """One reviewer at work. The logs are read anew for each call: others may write to them too.

    Attributes:
      drafts: Folder of drafts and decisions.
      templates: Folder of template files; '' for the shipped ones.
      reviewer: Name.
      reviewer_kind: person or agent.
      rows: Examples of each dataset, in the order of review.
      without: Datasets that have drafts, but no examples.
    """

    drafts: str
    templates: str
    reviewer: str
    reviewer_kind: str
    rows: Mapping[str, Rows]
    without: Sequence[str] = ()

    def progress(self) -> list[Progress]:
        """Of each dataset that has drafts."""
        return [*map(self._progress, self.rows), *map(self._blocked, self.without)]

    def _progress(self, dataset: str) -> Progress:
        there = drafts.read(dataset, self.drafts)
        own = self._own(dataset)
        decided = Counter(own[draft.id].decision for draft in there if draft.id in own)
        return Progress(dataset, len(there), decided)

    def _blocked(self, dataset: str) -> Progress:
        total = len(drafts.read(dataset, self.drafts))
        return Progress(dataset, total, {}, "no examples of it to read it with")

    def _own(self, dataset: str) -> dict[str, Decision]:
        said = drafts.decisions(dataset, self.drafts)
        return {one.draft: one for one in said if one.reviewer == self.reviewer}

    def agreements(self) -> list[words.Agreement]:
        """Of each two reviewers, over all datasets."""
        said: dict[str, Mapping[str, Decision]] = {}
        for dataset in self.rows:
            said |= words.last_words(drafts.decisions(dataset, self.drafts))
        return words.agreements(said)

    def sheet(self, place: Place) -> Sheet | None:
        """The draft at a place; None where there is none."""
        there = drafts.read(place.dataset, self.drafts) if place.dataset in self.rows else []
        if not 1 <= place.number <= len(there):
            return None
        draft = there[place.number - 1]
        said = words.last_words(drafts.decisions(place.dataset, self.drafts)).get(draft.id, {})
        own = said.get(self.reviewer)
        others = [one for name, one in said.items() if name != self.reviewer] if own else []
        return Sheet(place, draft, self.findings(draft.text, place, draft), own, others)

    def findings(self, text: str, place: Place, draft: Draft) -> list[str]:
        """What speaks against a wording of a draft."""
        return findings(text, place.dataset, draft.id, self.templates)

    def beside(self, place: Place, step: int) -> Place | None:
        """The place before (step -1) or after (+1), in the next dataset if need be."""
        places = [Place(d, n) for d, total in self._totals() for n in range(1, total + 1)]
        at = places.index(place) + step
        return places[at] if 0 <= at < len(places) else None

    def _totals(self) -> Iterator[tuple[str, int]]:
        return ((dataset, len(drafts.read(dataset, self.drafts))) for dataset in self.rows)

    def next_open(self, after: Place | None = None) -> Place | None:
        """The first draft after a place that the reviewer has not decided on, from the start again.

        None where all are decided.
        """
        still = []
        for dataset in self.rows:
            own = self._own(dataset)
            there = enumerate(drafts.read(dataset, self.drafts), 1)
            still += [Place(dataset, number) for number, draft in there if draft.id not in own]
        order = {dataset: at for at, dataset in enumerate(self.rows)}
        here = (order[after.dataset], after.number) if after else (-1, 0)
        later = [one for one in still if (order[one.dataset], one.number) > here]
        return next(iter(later or still), None)

    def decide(self, sheet: Sheet, decision: str, text: str, reason: str) -> None:
        """Writes a decision down, then lets the template file follow.

        Args:
          decision: accept, edit or reject.
          text: As edited; an edit that changes nothing is an acceptance.

        Raises:
          NotFit: the wording may not be a template, or a rejection has no reason.
          UsageError: the decision, or the template file, could not be written.
        """
        text = {ACCEPT: sheet.draft.text, EDIT: text.strip(), REJECT: ""}[decision]
        if decision == EDIT and text == sheet.draft.text:
            decision = ACCEPT
        found = self.findings(text, sheet.place, sheet.draft) if decision != REJECT else []
        if found:
            raise NotFit("; ".join(found))
        if decision == REJECT and not reason.strip():
            raise NotFit("a rejection says why")
        dataset, by = sheet.place.dataset, (self.reviewer, self.reviewer_kind)
        made = Decision(sheet.draft.id, decision, text, reason.strip(), *by, drafts.now())
        try:
            drafts.decide(dataset, made, self.drafts)
        except OSError as error:
            path = drafts.decisions_path(dataset, self.drafts)
            raise UsageError(f"not decided: {path} cannot be written ({error.strerror})") from error
        shelf.move(dataset, self.drafts, self.templates)
