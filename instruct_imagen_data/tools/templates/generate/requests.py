"""A request as a server wants it: not every one knows all parameters of the API."""

import dataclasses
import json
import re
from typing import Any

from instruct_imagen_data.tools.templates.generate.answers import Question
from instruct_imagen_data.tools.templates.generate.prompt import SCHEMA, Prompt
from instruct_imagen_data.tools.templates.generate.reply import Tokens

_WRITTEN = 4000  # tokens at most, of an answer
_A_MESSAGE = 16  # tokens at most, that a message takes beside its text
_FORMATS: tuple[dict[str, Any] | None, ...] = (
    {
        "type": "json_schema",
        "json_schema": {"name": "templates", "strict": True, "schema": SCHEMA},
    },
    {"type": "json_object"},
    None,
)
_NEW_LIMIT, _OLD_LIMIT = "max_completion_tokens", "max_tokens"
_ABOUT_FORMAT = re.compile("response_format|json_schema|json_object|grammar|structured")
_ABOUT_SEED = re.compile("[\"'`]seed[\"'`]")


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """Which parameters a server takes; at first the API's own, in full.

    Attributes:
      format: How its answer is bound to JSON: by the schema, to any object, or by words alone.
      limit: The name of the limit of tokens.
      seeded: Whether it takes a seed.
    """

    format: int = 0
    limit: str = _NEW_LIMIT
    seeded: bool = True

    def simpler(self, status: int, message: str) -> "Dialect | None":
        """The dialect to try after an error; None where the error is about something else."""
        if status not in (400, 422) and not (status >= 500 and _ABOUT_FORMAT.search(message)):
            return None
        if self.limit == _NEW_LIMIT and _NEW_LIMIT in message:
            return dataclasses.replace(self, limit=_OLD_LIMIT)
        if self.seeded and _ABOUT_SEED.search(message):
            return dataclasses.replace(self, seeded=False)
        if self.format + 1 < len(_FORMATS):  # some servers do not say what they mean
            return dataclasses.replace(self, format=self.format + 1)
        return None


def body(question: Question, prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
    """The request, as parameters of the client's `create`."""
    found: dict[str, Any] = {
        "model": question.model,
        "messages": prompt.messages(),
        "temperature": question.temperature,
        dialect.limit: _WRITTEN,
    }
    if dialect.seeded:
        found["seed"] = question.seed
    if _FORMATS[dialect.format] is not None:
        found["response_format"] = _FORMATS[dialect.format]
    return found


def most(request: dict[str, Any]) -> Tokens:
    """The most tokens that a request can take: no token is shorter than a byte."""
    size = len(json.dumps(request, ensure_ascii=False).encode())
    return Tokens(size + _A_MESSAGE * len(request["messages"]), _WRITTEN)
