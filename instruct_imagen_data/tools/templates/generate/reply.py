"""What comes back: a chat completion, and the templates in its text."""

import dataclasses
import json
from typing import Any

REFUSED = "refused"  # the model, or a policy around it, would not
CUT = "cut short"
EMPTY = "empty"
NO_JSON = "no JSON"
OTHER = "not of the schema"


class Unreadable(ValueError):
    """A body that is no chat completion: nobody knows what it was, or what it cost."""


class Malformed(ValueError):
    """A completion that holds no templates.

    Attributes:
      reason: REFUSED, CUT, EMPTY, NO_JSON or OTHER.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Tokens:
    """How many were read and written."""

    read: int = 0
    written: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.read + other.read, self.written + other.written)

    def __sub__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.read - other.read, self.written - other.written)


@dataclasses.dataclass(frozen=True, slots=True)
class Completion:
    """What a model said.

    Attributes:
      text: '' where it said nothing.
      refusal: Why it would not; '' where it did.
      ended: The reason that the API gives for the end: stop, length ...
    """

    text: str
    refusal: str = ""
    ended: str = "stop"


def read(body: str) -> tuple[Completion, Tokens | None]:
    """The completion in a body, and its tokens, or None where it does not count them.

    Raises:
      Unreadable: it is no chat completion.
    """
    try:
        found = json.loads(body)
        choice = found["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        ended = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable("what came is no chat completion") from error
    return (
        Completion(text if isinstance(text, str) else "", str(refusal or ""), str(ended or "")),
        _tokens(found.get("usage")),
    )


def _tokens(usage: Any) -> Tokens | None:
    if not isinstance(usage, dict):
        return None
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (isinstance(read, int) and isinstance(written, int) and min(read, written) >= 0):
        return None
    return Tokens(read, written)


def texts(completion: Completion) -> tuple[str, ...]:
    """The templates of a completion, as they were written, without space around them.

    Raises:
      Malformed: there are none.
    """
    if completion.refusal or completion.ended == "content_filter":
        raise Malformed(REFUSED)
    if completion.ended == "length":
        raise Malformed(CUT)
    if not completion.text.strip():
        raise Malformed(EMPTY)
    # A server that knows no structured output may put a fence or a word around the object.
    start, end = completion.text.find("{"), completion.text.rfind("}")
    try:
        found = json.loads(completion.text[start : end + 1])
    except (ValueError, RecursionError) as error:
        raise Malformed(NO_JSON) from error
    rows = found.get("templates") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, str) for row in rows):
        raise Malformed(OTHER)
    return tuple(row.strip() for row in rows)
