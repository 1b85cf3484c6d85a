"""A progress bar for a blocking run: it counts the parts that are there, on every runner alike."""

import threading
from collections.abc import Sequence
from types import TracebackType

from tqdm import tqdm

from instruct_imagen_data import storage

_INTERVAL_SECONDS = 1.0
_REMOTE_INTERVAL_SECONDS = 15.0  # listing a bucket is paid per page


class Progress:
    """Shows how many parts of a folder are written, while the body of a `with` runs.

    Args:
      name: Of the phase.
      folders: Where its parts appear.
      total: Parts to come, as estimated; 0 if unknown.
      rows: Rows in all of them, as estimated; 0 if unknown.
    """

    def __init__(self, name: str, folders: Sequence[str], total: int, rows: int = 0) -> None:
        self._folders = folders
        self._rows_a_part = rows / total if total else 0.0
        self._shown = 0
        self._stop = threading.Event()
        remote = storage.scheme(folders[0]) not in ("", "file")
        self._interval = _REMOTE_INTERVAL_SECONDS if remote else _INTERVAL_SECONDS
        done = self._count()
        self._bar = tqdm(desc=name, unit="part", total=max(total, done) or None, initial=done)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _count(self) -> int:
        try:
            files = [file for folder in self._folders for file in storage.list_files(folder)]
        except OSError:  # a bucket that does not answer: the run itself will say so, if it lasts
            return self._shown
        self._shown = sum(not file.name.endswith(".tmp") for file in files)
        return self._shown

    def _show(self) -> None:
        done = self._count()
        if self._bar.total is not None and done > self._bar.total:
            self._bar.total = done  # the estimate was low
        self._bar.update(done - self._bar.n)
        written, seconds = done - self._bar.initial, self._bar.format_dict["elapsed"]
        if written and self._rows_a_part:
            rate = written * self._rows_a_part / seconds
            self._bar.set_postfix_str(f"about {rate:,.0f} rows/s")

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self._show()

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._show()
        if error is None:
            self._bar.total = self._bar.n
        self._bar.close()
