"""A TOML table that is read key by key: every key is needed, and an unknown one is an error."""

from pathlib import Path
from typing import Any

from instruct_imagen_data.errors import UsageError


class Table:
    """One table of a model set's file, with errors that name the place."""

    def __init__(self, values: dict[str, Any], path: Path, place: str = "") -> None:
        self._values = dict(values)
        self.path = path
        self.place = place

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def wrong(self, message: str) -> UsageError:
        """The error to raise for this table."""
        where = f"{self.path}, [{self.place}]" if self.place else f"{self.path}"
        return UsageError(f"{where}: {message}")

    def take(self, key: str, kinds: tuple[type, ...], what: str) -> Any:
        """The value of a key, once.

        Raises:
          UsageError: it is not there, or none of the kinds.
        """
        if key not in self._values:
            raise self.wrong(f"no {key!r}")
        value = self._values.pop(key)
        # bool is an int in Python, and true is no number in TOML
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self.wrong(f"{key!r} must be {what}, not {value!r}")
        return value

    def text(self, key: str) -> str:
        return str(self.take(key, (str,), "a text"))

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self else None

    def number(self, key: str) -> float:
        return float(self.take(key, (int, float), "a number"))

    def span(self, key: str) -> tuple[float, float]:
        ends = self.take(key, (list,), "two numbers")
        if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
            raise self.wrong(f"{key!r} must be two numbers, not {ends!r}")
        return float(ends[0]), float(ends[1])

    def table(self, key: str) -> "Table":
        place = f"{self.place}.{key}".lstrip(".")
        return Table(self.take(key, (dict,), "a table"), self.path, place)

    def tables(self, key: str) -> list["Table"]:
        return [Table(each, self.path, key) for each in self.take(key, (list,), "a list of tables")]

    def config(self) -> dict[str, Any]:
        """All values left, with a path for each text that starts with "./"."""
        values, self._values = self._values, {}
        beside = self.path.parent
        return {
            key: (beside / value).resolve() if str(value).startswith("./") else value
            for key, value in values.items()
        }

    def end(self) -> None:
        """Raises UsageError if a key has not been taken."""
        if self._values:
            raise self.wrong(f"unknown key {min(self._values)!r}")
