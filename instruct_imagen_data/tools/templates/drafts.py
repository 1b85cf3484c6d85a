"""Drafts of templates, and what reviewers decided: two logs a dataset that only grow.

`DIR/DATASET.jsonl` holds the drafts, `DIR/DATASET.decisions.jsonl` the decisions, one JSON object
a line. Nothing is ever changed or taken out of them, so that no crash loses anybody's work.
"""

import dataclasses
import datetime
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from instruct_imagen_data import tasks
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.journal import Journal
from instruct_imagen_data.templates import REVIEWER_KINDS

FOLDER = "drafts"
ACCEPT, EDIT, REJECT = DECISIONS = ("accept", "edit", "reject")


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """A template that nobody has reviewed.

    Attributes:
      id: Such as "wikiart/d-0a1b2c3d", by hash of the text: see `draft_id`.
      text: With slots, see `instructions`.
      generator: The model that wrote it, as it was asked for.
      persona: Whom the model was asked to write as.
      temperature: As it was asked for.
      seed: As it was asked for.
      prompt_sha256: Hex, of the messages that it answers.
      created: ISO date and time, UTC.
    """

    id: str
    text: str
    generator: str
    persona: str
    temperature: float
    seed: int
    prompt_sha256: str
    created: str


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer said of a draft. A reviewer's last word on a draft is the one that counts.

    Attributes:
      draft: Id of the draft.
      decision: accept, edit (accepted with another text) or reject.
      text: As accepted; '' where it is rejected.
      reason: Why; '' where none is given.
      reviewer: Name.
      reviewer_kind: person or agent.
      at: ISO date and time, UTC.
    """

    draft: str
    decision: str
    text: str
    reason: str
    reviewer: str
    reviewer_kind: str
    at: str


Record = TypeVar("Record", Draft, Decision)


def now() -> str:
    """The time as the logs hold it: ISO, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def draft_id(dataset: str, text: str) -> str:
    """The id of a text: the same whoever wrote it, and whenever."""
    return f"{dataset}/d-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def path_of(dataset: str, folder: str = FOLDER) -> Path:
    """The file of a dataset's drafts.

    Raises:
      UsageError: there is no such dataset.
    """
    if dataset not in tasks.DATASETS:
        raise UsageError(f"no dataset {dataset}; known are {', '.join(tasks.DATASETS)}")
    return Path(folder) / f"{dataset}.jsonl"


def decisions_path(dataset: str, folder: str = FOLDER) -> Path:
    """The file of the decisions on a dataset's drafts."""
    return path_of(dataset, folder).with_suffix(".decisions.jsonl")


def read(dataset: str, folder: str = FOLDER) -> list[Draft]:
    """All drafts, oldest first, each id once; none where there is no file.

    Raises:
      UsageError: no such dataset, or a line that is no draft.
    """
    first: dict[str, Draft] = {}
    for draft in _records(path_of(dataset, folder), Draft):
        first.setdefault(draft.id, draft)
    return list(first.values())


def append(dataset: str, found: Iterable[Draft], folder: str = FOLDER) -> None:
    """Adds drafts; they are on disk when it returns."""
    Journal(path_of(dataset, folder)).append(map(dataclasses.asdict, found))


def decisions(dataset: str, folder: str = FOLDER) -> list[Decision]:
    """All decisions, oldest first; none where there is no file.

    Raises:
      UsageError: no such dataset, or a line that is no decision.
    """
    return _records(decisions_path(dataset, folder), Decision)


def decide(dataset: str, made: Decision, folder: str = FOLDER) -> None:
    """Adds a decision; it is on disk when it returns.

    Raises:
      UsageError: it is none of the three, by nobody, or has a text where it should not or none
        where it should.
    """
    if made.decision not in DECISIONS:
        raise UsageError(f"decision {made.decision!r} is none of {', '.join(DECISIONS)}")
    if not made.reviewer.strip() or made.reviewer_kind not in REVIEWER_KINDS:
        raise UsageError(f"a decision needs a reviewer, of kind {' or '.join(REVIEWER_KINDS)}")
    if bool(made.text.strip()) is (made.decision == REJECT):
        raise UsageError("what is accepted or edited has a text; what is rejected has none")
    Journal(decisions_path(dataset, folder)).append([dataclasses.asdict(made)])


def undecided(dataset: str, reviewer: str, folder: str = FOLDER) -> list[Draft]:
    """The drafts that a reviewer has not decided on, oldest first."""
    done = {made.draft for made in decisions(dataset, folder) if made.reviewer == reviewer}
    return [draft for draft in read(dataset, folder) if draft.id not in done]


def _records(path: Path, kind: type[Record]) -> list[Record]:
    return [_record(path, row, kind) for row in Journal(path).news()]


def _record(path: Path, row: Mapping[str, Any], kind: type[Record]) -> Record:
    try:
        return kind(**row)
    except TypeError as error:
        raise UsageError(f"{path}: a line is no {kind.__name__.lower()}: {error}") from error
