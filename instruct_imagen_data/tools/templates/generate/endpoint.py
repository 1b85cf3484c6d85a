"""Questions to an OpenAI-compatible endpoint, asked again with patience where it fails."""

import email.utils
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from instruct_imagen_data import keys
from instruct_imagen_data.annotators import chat
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates.generate import reply, requests
from instruct_imagen_data.tools.templates.generate.answers import Answers, Question
from instruct_imagen_data.tools.templates.generate.prompt import Prompt
from instruct_imagen_data.tools.templates.generate.reply import Completion, Tokens

RETRIES = 6  # after the first try: with the pauses below, about a minute
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 32.0  # seconds; doubled each time
_PATIENCE = 300.0  # seconds; a server that wants more is left alone
_BUSY = (408, 409, 425, 429)
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached")
_POLICY = ("content_policy_violation", "content_filter")
_NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")


class _AgainError(Exception):
    """A failure that may pass.

    Attributes:
      after: Seconds to wait, as the server says; None where it does not.
    """

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Endpoint:
    """An endpoint, with the answers that are kept of it.

    Args:
      client: Of `chat.connect`, without retries of its own.
      wait: Waits so many seconds.
      note: Is told what happens meanwhile.
    """

    def __init__(
        self,
        client: Any,
        answers: Answers,
        wait: Callable[[float], None],
        note: Callable[[str], None],
    ) -> None:
        self._client = client
        self._answers = answers
        self._wait = wait
        self._note = note
        self._dialect = requests.Dialect()

    def ask(self, question: Question, prompt: Prompt) -> Completion:
        """The answer to a question: the one that is kept, or a new one, which is kept then.

        Raises:
          CapReached: a request could cost more than is left.
          UsageError: the endpoint refuses the key or the request, or fails after all retries.
        """
        kept = self._answers.get(question)
        attempt = 0
        while kept is None:
            try:
                kept = self._request(question, prompt)
            except _AgainError as error:
                if attempt == RETRIES:
                    raise UsageError(
                        f"no answer from {self._place} after {RETRIES} retries: {error}; what was"
                        " answered is kept, and the same command goes on from there"
                    ) from error
                self._pause(question, attempt, error)
                attempt += 1
        return kept

    def _pause(self, question: Question, attempt: int, error: _AgainError) -> None:
        jitter = keys.unit(f"{question.prompt_sha256} {question.seed}", f"pause {attempt}")
        pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE) * (1 - jitter / 4)
        if error.after is not None:
            pause = error.after
        if pause > _PATIENCE:
            raise UsageError(
                f"{self._place} wants {pause:.0f} seconds of peace: {error}; the same command goes"
                " on from there"
            ) from error
        self._note(f"waits {pause:.0f} s: {error}")
        self._wait(pause)
        self._note("")

    def _request(self, question: Question, prompt: Prompt) -> Completion:
        """What one request brings, in the fullest dialect that the server speaks."""
        import openai

        create: Any = self._client.chat.completions.with_raw_response.create
        while True:
            request = requests.body(question, prompt, self._dialect)
            self._answers.reserve(question, requests.most(request))
            try:
                raw = create(**request)
            except openai.APIStatusError as error:
                if str(error.code) in _POLICY:  # it refuses this prompt, not all
                    refused = Completion("", chat.told(error), "content_filter")
                    self._answers.keep(question, refused, Tokens())
                    return refused
                self._answers.fail(question, Tokens())  # what fails is not billed
                simpler = self._dialect.simpler(error.status_code, str(error))
                if simpler is None:
                    raise self._failure(error) from error
                self._dialect = simpler
            except openai.APIConnectionError as error:
                sent = type(error.__cause__).__name__ not in _NOT_SENT
                self._answers.fail(question, None if sent else Tokens())
                raise _AgainError(chat.told(error)) from error
            else:
                return self._read(question, raw.http_response.text)

    def _read(self, question: Question, body: str) -> Completion:
        try:
            completion, took = reply.read(body)
        except reply.Unreadable as error:
            self._answers.fail(question, None)
            raise _AgainError(str(error)) from error
        self._answers.keep(question, completion, took)
        return completion

    def _failure(self, error: Any) -> Exception:
        """What an answer that says no means for the run."""
        status, told = error.status_code, chat.told(error)
        if status == 401:  # its text may hold a part of the key
            return UsageError(f"{self._place} refuses the key in ${chat.KEY_VARIABLE} (401)")
        if status == 404:
            return UsageError(f"{self._place} has no such model, or is no such endpoint: {told}")
        if error.code in _NO_MONEY or (status < 500 and status not in _BUSY):
            return UsageError(f"{self._place} refuses the request: {told}")
        return _AgainError(told, retry_after(error.response.headers, time.time()))

    @property
    def _place(self) -> str:
        return chat.place(self._client)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a server asks to wait, in its headers; None where it does not.

    Args:
      now: Seconds since 1970: a server may name a date.
    """
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return max(email.utils.mktime_tz(date) - now, 0.0) if date else None
