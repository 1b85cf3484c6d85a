"""One run: rounds of questions until there are drafts enough, or the model has no more to say.

A round asks for ten templates in one manner; an answer that holds none is asked for again with
another seed. All that decides a question is a function of the plan and of earlier answers, and
answers are kept: the same plan goes the same way again without asking.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable

from instruct_imagen_data import keys
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.drafts import Draft
from instruct_imagen_data.tools.templates.generate import prompt, reply, sift
from instruct_imagen_data.tools.templates.generate.answers import Answers, Question
from instruct_imagen_data.tools.templates.generate.prompt import A_REQUEST, Prompt
from instruct_imagen_data.tools.templates.generate.reply import Tokens

TRIES = 3  # for an answer that holds no templates
BARREN = 4  # rounds in a row without a new draft: the model repeats itself
_USABLE = 0.75  # of what an answer holds, as estimates have it
_LETTERS = 4  # a token, as estimates have it
_WRITTEN = 45  # tokens a template, as estimates have it

Ask = Callable[[Question, Prompt], reply.Completion]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a run is for.

    Attributes:
      dataset: Name in tasks.DATASETS.
      count: Drafts wanted, with those that an earlier run of the plan made.
      model: As the endpoint calls it.
      temperature: Of the answers.
      seed: Another one asks other questions.
      accepted: Texts of the dataset's template file.
      folder: Of the drafts.
    """

    dataset: str
    count: int
    model: str
    temperature: float
    seed: int
    accepted: tuple[str, ...]
    folder: str


@dataclasses.dataclass(slots=True)
class Tally:
    """What a run has come to.

    Attributes:
      new: Drafts that it wrote.
      there: Drafts of the plan that were there before.
      refused: Offered texts that did not become drafts, by reason.
      malformed: Answers that held no templates, by reason.
      kept: Answers that were read instead of asked for.
    """

    new: int = 0
    there: int = 0
    refused: Counter[str] = dataclasses.field(default_factory=Counter)
    malformed: Counter[str] = dataclasses.field(default_factory=Counter)
    kept: int = 0

    @property
    def drafts(self) -> int:
        """Drafts of the plan."""
        return self.new + self.there


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """What is probably still to come."""

    requests: int
    tokens: Tokens


class Run:
    """A plan on its way.

    Args:
      ask: Gives the answer to a question, see `Endpoint.ask`.
      announce: Is told, once, what is to come before the first question that is asked.
      progress: Is told how many drafts there are more.
    """

    def __init__(
        self,
        plan: Plan,
        answers: Answers,
        ask: Ask,
        announce: Callable[[Estimate], None],
        progress: Callable[[int], object],
    ) -> None:
        self._plan = plan
        self._answers = answers
        self._ask = ask
        self._announce = announce
        self._progress = progress
        self._announced = False
        earlier = drafts.read(plan.dataset, plan.folder)
        self._earlier = {(draft.id, _question_of(draft)) for draft in earlier}
        self._known = sift.Known((*plan.accepted, *(draft.text for draft in earlier)))
        self._offered: list[str] = []
        self.tally = Tally()

    def finish(self) -> None:
        """Goes on until the plan's count is reached or BARREN rounds in a row brought nothing.

        Raises:
          UsageError: see `Endpoint.ask`; what was drafted is on disk.
        """
        barren = number = 0
        while self.tally.drafts < self._plan.count and barren < BARREN:
            before = self.tally.drafts
            self._round(number)
            barren = 0 if self.tally.drafts > before else barren + 1
            number += 1

    def _round(self, number: int) -> None:
        plan = self._plan
        asked = prompt.build(plan.dataset, number, plan.accepted, self._offered)
        for attempt in range(TRIES):
            seed = keys.draw64(f"{plan.dataset} {plan.seed}", f"{number} {attempt}") % 2**31
            question = Question(asked.sha256(), plan.model, plan.temperature, seed)
            completion = self._answer(question, asked)
            try:
                texts = reply.texts(completion)
            except reply.Malformed as error:
                self.tally.malformed[error.reason] += 1
            else:
                self._take(texts, question, asked.persona)
                return

    def _answer(self, question: Question, asked: Prompt) -> reply.Completion:
        if self._answers.get(question) is not None:
            self.tally.kept += 1
        elif not self._announced:
            self._announced = True
            self._announce(estimate(asked, self._plan.count - self.tally.drafts))
        return self._ask(question, asked)

    def _take(self, texts: tuple[str, ...], question: Question, persona: str) -> None:
        """Makes drafts of what was offered, as far as it is fit, new and wanted."""
        before = self.tally.drafts
        found: list[Draft] = []
        for text in texts:
            fault = sift.fault(text, self._plan.dataset)
            if not fault:
                self._offered.append(text)
            name = drafts.draft_id(self._plan.dataset, text) if not fault else ""
            if self.tally.drafts + len(found) == self._plan.count:
                continue  # a run that wants more takes it
            if (name, question) in self._earlier:
                self._earlier.discard((name, question))  # a second one is a duplicate
                self.tally.there += 1
                continue
            fault = fault or self._known.like(text)
            if fault:
                self.tally.refused[fault] += 1
                continue
            self._known.add(text)
            found.append(self._draft(name, text, question, persona))
        drafts.append(self._plan.dataset, found, self._plan.folder)
        self.tally.new += len(found)
        self._progress(self.tally.drafts - before)

    def _draft(self, name: str, text: str, question: Question, persona: str) -> Draft:
        return Draft(
            name, text, question.model, persona, question.temperature, question.seed,
            question.prompt_sha256, drafts.now(),
        )  # fmt: skip


def _question_of(draft: Draft) -> Question:
    """The question that a draft is an answer to."""
    return Question(draft.prompt_sha256, draft.generator, draft.temperature, draft.seed)


def estimate(asked: Prompt, drafts_left: int) -> Estimate:
    """Requests and tokens for so many drafts, if all prompts are as long as this one."""
    count = -int(-drafts_left // (A_REQUEST * _USABLE))
    read = len(asked.system + asked.user) // _LETTERS
    return Estimate(count, Tokens(count * read, count * A_REQUEST * _WRITTEN))
