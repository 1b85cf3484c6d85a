"""Files of JSON lines that only grow: each line is there whole or not at all.

Several processes may add to one at once: lines are written under a lock and are on disk when the
call returns. A last line that a killed process left half written counts as not written: readers
leave it out, and the next writer takes it away.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from instruct_imagen_data.errors import UsageError

Row = dict[str, Any]


class Journal:
    """A reader and writer of one such file, which remembers how far it has read.

    A file that is missing is an empty one; the first writer makes it, and its folder. Threads that
    share a journal need a lock of their own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0  # bytes

    def news(self) -> list[Row]:
        """The rows since the last call, oldest first, whoever wrote them.

        Raises:
          UsageError: a line that holds no JSON object; it names the file and shows the line.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            return self._read_on(file)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Adds rows; gives all rows since the last call, others' and then these."""
        data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        with self.path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            found = self._read_on(file)
            file.truncate(self._read)
            file.seek(self._read)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            return found + self._read_on(file)

    def _read_on(self, file: IO[bytes]) -> list[Row]:
        """The whole lines from where the last reading ended."""
        file.seek(self._read)
        whole, newline, _ = file.read().rpartition(b"\n")
        rows = [self._row(line) for line in whole.split(b"\n")] if newline else []
        self._read += len(whole) + len(newline)
        return rows

    def _row(self, line: bytes) -> Row:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            text = line[:60].decode(errors="replace")
            raise UsageError(f"{self.path}: no JSON object in the line {text!r}")
        return row
