"""What was asked and what came: kept, never asked twice, and counted before it is spent.

`DIR/.answers/DATASET.jsonl` holds a line for each request before it is sent, with the most tokens
that it can take, and one for its end. A request whose end is not there (the process was killed) or
not known (no answer came) counts at its most: what was spent is never less than it seems.
"""

import contextlib
import dataclasses
import fcntl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from instruct_imagen_data.annotators.chat import Prices
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.journal import Journal
from instruct_imagen_data.tools.templates.generate.reply import Completion, Tokens

_ASKED, _FAILED, _ANSWERED = "asked", "failed", "answered"


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What decides an answer."""

    prompt_sha256: str
    model: str
    temperature: float
    seed: int


class CapReached(UsageError):
    """The next request could cost more than is left."""


class Answers:
    """The answers of one model for a dataset, and what they took.

    Attributes:
      spent: Tokens of all its requests for the dataset, in this run and before.
      requests: Sent by this run.
      unknown: Requests, of this run and before, that count at their most.
    """

    def __init__(
        self, path: Path, model: str, prices: Prices | None = None, max_cost: float | None = None
    ) -> None:
        """Reads what is kept.

        Args:
          prices: None where they are not known.
          max_cost: US dollars that `spent` may reach; None is no limit, else prices are needed.

        Raises:
          UsageError: a line of the file that is none of ours.
        """
        self.spent, self.requests, self.unknown = Tokens(), 0, 0
        self._model, self._prices, self._max_cost = model, prices, max_cost
        self._known: dict[Question, Completion] = {}
        self._most = Tokens()  # that the request under way can take
        self._journal = Journal(path)
        for row in self._journal.news():
            self._take(row)

    def get(self, question: Question) -> Completion | None:
        """What came, if the question was answered."""
        return self._known.get(question)

    def cost(self, tokens: Tokens) -> float | None:
        """US dollars; None where prices are not known."""
        return self._prices.cost(tokens.read, tokens.written) if self._prices else None

    def reserve(self, question: Question, most: Tokens) -> None:
        """Puts down that a request is sent, which can take so many tokens.

        Raises:
          CapReached: it could cost more than is left.
        """
        could, spent = self.cost(self.spent + most), self.cost(self.spent)
        if self._max_cost is not None and could is not None and could > self._max_cost:
            raise CapReached(
                f"{spent:.4f} of {self._max_cost:g} US dollars are spent, and one more request"
                f" could take {could - (spent or 0):.4f}; a higher --max-cost goes on from there"
            )
        self.requests += 1
        self._add(_ASKED, question, most, {})

    def fail(self, question: Question, took: Tokens | None) -> None:
        """Puts down that the request brought nothing; None where nobody knows what it took."""
        self._end(_FAILED, question, took, {})

    def keep(self, question: Question, completion: Completion, took: Tokens | None) -> None:
        """Puts down what the request brought; None where the server does not count tokens."""
        self._end(_ANSWERED, question, took, dataclasses.asdict(completion))

    def _end(
        self, event: str, question: Question, took: Tokens | None, said: Mapping[str, Any]
    ) -> None:
        counts = self._most if took is None else took
        self._add(event, question, counts, {**said, "counted": took is not None})

    def _add(self, event: str, question: Question, tokens: Tokens, more: Mapping[str, Any]) -> None:
        row = {"event": event, **dataclasses.asdict(question), **dataclasses.asdict(tokens)}
        for each in self._journal.append([row | dict(more)]):
            self._take(each)

    def _take(self, row: Mapping[str, Any]) -> None:
        try:
            question = Question(*(row[name] for name in Question.__slots__))
            tokens = Tokens(int(row["read"]), int(row["written"]))
            ended = row["event"] != _ASKED
            counted = ended and row["counted"]
            if row["event"] == _ANSWERED:
                said = Completion(*(row[name] for name in Completion.__slots__))
                self._known.setdefault(question, said)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{self._journal.path}: a line is no answer: {error!r}") from error
        if question.model != self._model:
            return
        self.spent += tokens - self._most if ended else tokens
        self.unknown += -1 if counted else 0 if ended else 1
        self._most = Tokens() if ended else tokens


@contextlib.contextmanager
def alone(folder: Path, dataset: str) -> Iterator[Path]:
    """The file of a dataset's answers, for this process alone while the body of a `with` runs.

    Raises:
      UsageError: another process has it.
    """
    path = folder / ".answers" / f"{dataset}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another process writes drafts of {dataset} in {folder}") from error
        yield path
