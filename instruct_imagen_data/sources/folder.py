"""What lies in a source folder: pictures, their captions, and the lists that describe them."""

import json
import posixpath
from collections.abc import Mapping
from typing import Any

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.listing import MISSING, Picture

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
METADATA = "metadata.jsonl"
_CAPTIONS = ("text", "caption")  # the first is that of Hugging Face's imagefolder
_LICENCES = ("licence", "license")
_NAMES = ("file_name", "file")


class Folder:
    """The files of a folder by their paths below it, and what is said of each picture.

    Attributes:
      place: As it was named.
      sizes: Path to bytes, of all files.
      told: Path to the line of `metadata.jsonl` about it.
    """

    def __init__(self, place: str, licence: str = "") -> None:
        """Lists a folder.

        Args:
          licence: Of the pictures whose licence the folder does not state.

        Raises:
          UsageError: it is empty, missing or a file, a name in it cannot be read, or its
            metadata.jsonl is malformed.
        """
        self.place = place.rstrip("/")
        self._licence = licence
        try:
            files = storage.list_files(self.place, recursive=True)
        except NotADirectoryError as error:
            raise UsageError(f"{place} is a file: name the folder that it lies in") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{place}: a file's name is no UTF-8: {error.object!r}") from error
        if not files:
            raise UsageError(f"{place}: no such folder, or an empty one")
        self.sizes = {storage.below(self.place, file): file.size for file in files}
        self.told = self._metadata() if METADATA in self.sizes else {}

    def text(self, path: str) -> str:
        """A text file."""
        return storage.read_bytes(storage.join(self.place, path)).decode("utf-8-sig", "replace")

    def lines(self, path: str) -> list[tuple[int, str]]:
        """(number from 1, text) of the lines of a text file that are not empty.

        Raises:
          UsageError: it is not there.
        """
        if path not in self.sizes:
            raise UsageError(f"{self.place}: no {path}, by which its pictures are known")
        # Not splitlines: JSON's texts may hold other characters that it takes for line ends.
        lines = ((n, line.strip()) for n, line in enumerate(self.text(path).split("\n"), 1))
        return [(number, line) for number, line in lines if line]

    def pictures(self) -> list[str]:
        """Paths of all pictures, sorted."""
        return sorted(path for path in self.sizes if path.lower().endswith(EXTENSIONS))

    def picture(self, path: str) -> Picture:
        """A picture with its caption: of its line, or else of a text file beside it."""
        line = self.told.get(path, {})
        beside = posixpath.splitext(path)[0] + ".txt"
        caption = first_of(line, _CAPTIONS)
        if not caption and beside in self.sizes:
            caption = " ".join(self.text(beside).split())
        licence = first_of(line, _LICENCES) or self._licence
        return Picture(path, self.sizes.get(path, MISSING), caption, licence)

    def _metadata(self) -> dict[str, Mapping[str, Any]]:
        found = {}
        for number, line in self.lines(METADATA):
            try:
                values = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{self.place}/{METADATA}, line {number}: {error}") from error
            name = first_of(values, _NAMES) if isinstance(values, dict) else ""
            if not name:
                raise UsageError(f"{self.place}/{METADATA}, line {number}: no 'file_name'")
            found[name] = values
        return found


def first_of(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of some keys that holds a text, with its white space folded; '' if none does."""
    for name in names:
        value = values.get(name)
        if isinstance(value, str) and value.strip():
            # A lone surrogate, legal in JSON's \\u escapes, cannot be stored as UTF-8.
            return " ".join(value.split()).encode("utf-8", "replace").decode()
    return ""


def words(name: str) -> str:
    """A file or folder name as words: "Post_Impressionism" is "Post Impressionism"."""
    return " ".join(name.replace("_", " ").replace("-", " ").split())
