"""Captions by any OpenAI-compatible endpoint that sees pictures.

Each picture is asked about once: answers, also those that are no captions, are kept in a folder
(answers.py), so that a second run reads them and gives the same captions without a request.
"""

import base64
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from instruct_imagen_data.annotators import chat, maps
from instruct_imagen_data.annotators.captioner.answers import Answer, Answers, picture_key
from instruct_imagen_data.annotators.captioner.captions import MALFORMED, REFUSED, NoCaption
from instruct_imagen_data.errors import UsageError

_SIDE = 768  # pixels; the longer side of what is sent
_QUALITY = 90  # of its JPEG
_TOKENS = 200  # at most, of an answer
_PARALLEL = 4  # requests under way at once
_TRIES = 3  # for an answer that is malformed
_TIMEOUT, _RETRIES = 60.0, 6  # unless the config says else
_KEYS = (
    "base_url", "model", "prompt", "answers", "max_cost", "input_price", "output_price", "timeout",
    "retries",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """What answers may cost: US dollars in all, and the prices of tokens."""

    max_cost: float
    prices: chat.Prices


class OpenaiCaptioner:
    """Captions by an endpoint. Threads may share it."""

    def __init__(self, client: Any, model: str, prompt: str, budget: Budget, folder: Path) -> None:
        self._client = client
        self._model = model
        self._prompt = prompt
        self._budget = budget
        self._folder = folder
        self._answers = Answers(folder, model, prompt)

    @classmethod
    def load(
        cls,
        weights: Path | None,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "OpenaiCaptioner":
        """The captioner; asks nothing yet. Its key is read from $OPENAI_API_KEY.

        `config`: `base_url` (such as "https://api.openai.com/v1"), `model`, `prompt`, `answers`
        (a folder, made where it is missing), `max_cost` (US dollars, of all answers in the
        folder), `input_price` and `output_price` (US dollars a million tokens), and where the
        usual ones do not fit `timeout` (seconds) and `retries`.
        """
        maps.check_config(config, *_KEYS)
        if weights is not None:
            raise ValueError("an endpoint has no weights")
        prices = chat.Prices(float(config["input_price"]), float(config["output_price"]))
        client = chat.connect(
            config["base_url"],
            float(config.get("timeout", _TIMEOUT)),
            int(config.get("retries", _RETRIES)),
        )
        budget, folder = Budget(float(config["max_cost"]), prices), Path(config["answers"])
        return cls(client, config["model"], config["prompt"], budget, folder)

    def captions(self, pictures: Sequence[np.ndarray]) -> list[str | NoCaption]:
        """Captions of pictures uint8 [h, w, 3], one each, in order; four requests at once.

        Raises:
          UsageError: the endpoint cannot be reached, refuses the key or the request, or still
            fails after all retries; or the answers have cost `max_cost`. What was answered is
            kept: the same call again goes on from there. As four requests may be under way, in
            each process, that many may end beyond `max_cost`.
        """
        keys = [picture_key(rgb) for rgb in pictures]
        self._answers.refresh()
        asked = dict(zip(keys, pictures, strict=True))
        todo = [(key, rgb) for key, rgb in asked.items() if self._answers.get(key) is None]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(self._ask, todo))  # the first error ends it
        found = [self._answers.get(key) for key in keys]
        return [answer.caption() for answer in found if answer is not None]

    def _ask(self, question: tuple[str, np.ndarray]) -> None:
        key, rgb = question
        if self._answers.spent >= self._budget.max_cost:
            raise UsageError(
                f"captioner: the answers in {self._folder} have cost {self._answers.spent:.2f} US"
                f" dollars, as much as 'max_cost' allows; raise it to go on from there"
            )
        cost = 0.0
        for _ in range(_TRIES):
            answer = self._request(rgb)
            cost += answer.cost
            if answer.reason != MALFORMED:
                break
        self._answers.keep(key, dataclasses.replace(answer, cost=cost))

    def _request(self, rgb: np.ndarray) -> Answer:
        """What one request brings, with the client's retries."""
        import openai

        content = [
            {"type": "text", "text": self._prompt},
            {"type": "image_url", "image_url": {"url": _data_url(rgb)}},
        ]
        create: Any = self._client.chat.completions.with_raw_response.create
        try:
            raw = create(
                model=self._model,
                messages=[{"role": "user", "content": content}],
                max_tokens=_TOKENS,
            )
        except openai.BadRequestError as error:
            if "content" in str(error.code) or "image" in str(error.code):  # this picture, not all
                return Answer("", REFUSED, f"{error.code}: {error.message}")
            raise UsageError(
                f"captioner: {self._place} refuses the request: {chat.told(error)}"
            ) from error
        except openai.AuthenticationError as error:
            raise UsageError(
                f"captioner: {self._place} refuses the key in ${chat.KEY_VARIABLE}"
            ) from error
        except openai.APIError as error:
            raise UsageError(
                f"captioner: no answer from {self._place} after {self._client.max_retries} retries:"
                f" {chat.told(error)}; what was answered is kept in {self._folder}"
            ) from error
        return read_answer(raw.http_response.text, self._budget)

    @property
    def _place(self) -> str:
        return chat.place(self._client)


def read_answer(body: str, budget: Budget) -> Answer:
    """What the JSON of a chat completion says; MALFORMED where it is none."""
    try:
        reply = json.loads(body)
        choice = reply["choices"][0]
        text, refusal = choice["message"].get("content"), choice["message"].get("refusal")
        ended = choice.get("finish_reason")
        cost = _cost(reply.get("usage") or {}, budget)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        return Answer("", MALFORMED, f"{type(error).__name__} in {body[:60]!r}")
    if refusal or ended == "content_filter":
        return Answer("", REFUSED, str(refusal or ended), cost)
    if not isinstance(text, str) or not text.strip():
        return Answer("", MALFORMED, "an empty text", cost)
    if ended == "length":
        return Answer(text, MALFORMED, f"cut after {_TOKENS} tokens", cost)
    return Answer(text, cost=cost)


def _cost(usage: Mapping[str, Any], budget: Budget) -> float:
    """US dollars of one answer.

    Raises:
      KeyError: tokens cost something, and the endpoint does not tell how many there were.
    """
    if budget.prices == chat.Prices(0, 0):
        return 0.0
    return budget.prices.cost(float(usage["prompt_tokens"]), float(usage["completion_tokens"]))


def _data_url(rgb: np.ndarray) -> str:
    """The picture as a JPEG in a data URL, its longer side at most _SIDE."""
    picture = Image.fromarray(rgb)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"
