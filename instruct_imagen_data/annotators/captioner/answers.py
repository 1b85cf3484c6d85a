"""Answers that were paid for: kept in a folder, read by every later run, never asked for twice.

`answers.jsonl` holds one line an answer: sha256 (of the picture's pixels), model, prompt, text,
reason, detail and cost. Several processes may add to it at once (see `journal`), and the first
answer to a question is everyone's.
"""

import dataclasses
import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from instruct_imagen_data.annotators.captioner.captions import NoCaption, caption_of
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.journal import Journal


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one picture.

    Attributes:
        text: As the model wrote it, or "" where there is none.
        reason: Why that is no caption (captions.REFUSED or MALFORMED), or "".
        detail: What came instead.
        cost: US dollars.
    """

    text: str
    reason: str = ""
    detail: str = ""
    cost: float = 0.0

    def caption(self) -> str | NoCaption:
        """The caption that the text is, or why there is none."""
        return NoCaption(self.reason, self.detail) if self.reason else caption_of(self.text)


def picture_key(rgb: np.ndarray) -> str:
    """Hex sha256 of a picture's size and pixels, uint8 [h, w, 3]: the same in whatever file."""
    size = "x".join(map(str, rgb.shape)).encode()
    return hashlib.sha256(size + b":" + np.ascontiguousarray(rgb).tobytes()).hexdigest()


class Answers:
    """The answers of a folder to one prompt by one model. Threads may share it."""

    def __init__(self, folder: Path, model: str, prompt: str) -> None:
        self._journal = Journal(folder / "answers.jsonl")
        self._question = {"model": model, "prompt": prompt}
        self._known: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self.spent = 0.0  # US dollars, of all answers of the folder, whatever their question
        self.refresh()

    def get(self, key: str) -> Answer | None:
        """The answer for a picture's key, as far as this process has read."""
        return self._known.get(key)

    def refresh(self) -> None:
        """Reads what other processes have added."""
        with self._lock:
            for row in self._journal.news():
                self._take(row)

    def keep(self, key: str, answer: Answer) -> None:
        """Adds an answer; it counts unless somebody was faster, but its cost counts anyway."""
        row = {"sha256": key, **self._question, **dataclasses.asdict(answer)}
        with self._lock:
            for each in self._journal.append([row]):
                self._take(each)

    def _take(self, row: Mapping[str, Any]) -> None:
        try:
            answer = Answer(**{field: row[field] for field in Answer.__slots__})
            key, question = row["sha256"], {name: row[name] for name in self._question}
        except (KeyError, TypeError) as error:
            text = json.dumps(row)[:60]
            raise UsageError(f"{self._journal.path}: no answer in the line {text!r}") from error
        self.spent += answer.cost
        if question == self._question:
            self._known.setdefault(key, answer)
