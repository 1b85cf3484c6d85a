"""Answers that were paid for: kept in a folder, read by every later run, never asked for twice.

`answers.jsonl` holds one line an answer: sha256 (of the picture's pixels), model, prompt, text,
reason, detail and cost. Several processes may add to it at once: each line is written whole under
a lock, and the first answer to a question is everyone's. A line that a killed process left half
written is taken away by the next one.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import IO

import numpy as np

from instruct_imagen_data.annotators.captioner.captions import NoCaption, caption_of
from instruct_imagen_data.errors import UsageError


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
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "answers.jsonl"
        self._path.touch()
        self._question = {"model": model, "prompt": prompt}
        self._known: dict[str, Answer] = {}
        self._read = 0  # bytes
        self._lock = threading.Lock()
        self.spent = 0.0  # US dollars, of all answers of the folder, whatever their question
        self.refresh()

    def get(self, key: str) -> Answer | None:
        """The answer for a picture's key, as far as this process has read."""
        return self._known.get(key)

    def refresh(self) -> None:
        """Reads what other processes have added."""
        with self._lock, self._path.open("rb") as file:
            self._read_on(file)

    def keep(self, key: str, answer: Answer) -> None:
        """Adds an answer; it counts unless somebody was faster, but its cost counts anyway."""
        row = {"sha256": key, **self._question, **dataclasses.asdict(answer)}
        with self._lock, self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read_on(file)
            file.truncate(self._read)
            file.seek(self._read)
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._read_on(file)

    def _read_on(self, file: IO[bytes]) -> None:
        """Reads the whole lines from where the last reading ended."""
        file.seek(self._read)
        whole, newline, _ = file.read().rpartition(b"\n")
        for line in whole.splitlines():
            self._take(line)
        self._read += len(whole) + len(newline)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            answer = Answer(**{field: row[field] for field in Answer.__slots__})
            key, question = row["sha256"], {name: row[name] for name in self._question}
        except (ValueError, KeyError, TypeError) as error:
            text = line[:60].decode(errors="replace")
            raise UsageError(f"{self._path}: no answer in the line {text!r}") from error
        self.spent += answer.cost
        if question == self._question:
            self._known.setdefault(key, answer)
