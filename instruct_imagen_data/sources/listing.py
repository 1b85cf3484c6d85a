"""Listings: the groups of a source folder, and the parts that they are worked on in."""

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Mapping

MAX_PICTURES = 64  # of a part
MAX_BYTES = 48 << 20
MISSING = -1  # size of a picture that is listed, but not there


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a source folder.

    Attributes:
      path: Below the folder.
      size: In bytes; MISSING where the folder's lists name a file that is not there.
      caption: '' where the folder has none.
      licence: '' where the folder states none.
    """

    path: str
    size: int
    caption: str = ""
    licence: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Pictures that are worked on together: of a subject, a photo and its drawings, a painting.

    Attributes:
      name: Unique within its folder.
      pictures: At least one.
      facts: What the folder says of the whole group, such as its noun, style or artist.
      split: "train" or "validation", '' where the folder does not say.
    """

    name: str
    pictures: tuple[Picture, ...]
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    split: str = ""


@dataclasses.dataclass(frozen=True)
class Listing:
    """The groups of a folder, by name."""

    folder: str
    groups: tuple[Group, ...]

    @functools.cached_property
    def digest(self) -> str:
        """Hash of all that the listing says: another one means another job."""
        groups = [dataclasses.asdict(group) for group in self.groups]
        return hashlib.sha256(json.dumps(groups, sort_keys=True).encode()).hexdigest()[:16]

    def parts(self, max_pictures: int = MAX_PICTURES) -> dict[str, range]:
        """Part name to the numbers of its groups: few enough pictures to be held in memory."""
        ends, pictures, size = [0], 0, 0
        for number, group in enumerate(self.groups):
            more = sum(max(0, one.size) for one in group.pictures)
            full = pictures + len(group.pictures) > max_pictures or size + more > MAX_BYTES
            if full and number > ends[-1]:
                ends.append(number)
                pictures = size = 0
            pictures, size = pictures + len(group.pictures), size + more
        ends.append(len(self.groups))
        spans = itertools.pairwise(ends)
        return {
            f"{i:05d}": range(first, end) for i, (first, end) in enumerate(spans) if first < end
        }

    def pictures_in(self, part: range) -> int:
        """Number of pictures of a part."""
        return sum(len(self.groups[number].pictures) for number in part)
