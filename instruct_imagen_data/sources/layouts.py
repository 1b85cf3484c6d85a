"""The layouts by name, and a source that a worker can list again by itself."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources import faces, paintings, sketches, subjects
from instruct_imagen_data.sources.listing import Listing

LAYOUTS: dict[str, Callable[..., Listing]] = {
    "paintings": paintings.read,
    "subjects": subjects.read,
    "sketches": sketches.read,
    "celeba": faces.read,
    "celeba_hq": faces.read_hq,
}


@dataclasses.dataclass(frozen=True)
class Source:
    """A folder of pictures to derive from.

    Attributes:
      layout: A name in LAYOUTS.
      folder: Its place.
      licence: Of the pictures whose licence the folder does not state.
      more: What else the layout takes, as (name, value).
    """

    layout: str
    folder: str
    licence: str = ""
    more: tuple[tuple[str, Any], ...] = ()

    def listing(self) -> Listing:
        """Its groups: read once a process, not once a block.

        Raises:
          UsageError: no such folder, or another layout.
        """
        return _listing(self)

    def settings(self) -> dict[str, str]:
        """What rows made of the source depend on."""
        return {self.layout: self.listing().digest}

    def check(self, digest: str) -> Listing:
        """Its groups, which must still be those of a digest.

        Raises:
          UsageError: files were added, taken away or changed since the job was planned.
        """
        found = self.listing()
        if found.digest != digest:
            raise UsageError(f"{self.folder} has changed since the job was started: start it again")
        return found


@functools.lru_cache(maxsize=8)
def _listing(source: Source) -> Listing:
    return LAYOUTS[source.layout](source.folder, licence=source.licence, **dict(source.more))
