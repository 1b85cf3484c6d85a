"""Photos with drawings of them, in the layout of the Photo-Sketching release (FACTS 74).

image/ID.jpg
sketch-rendered/width-5/ID_01.png ... ID_05.png
list/train.txt, list/val.txt, list/test.txt      an ID a line
"""

import posixpath
import re
from collections import defaultdict

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.folder import EXTENSIONS, Folder
from instruct_imagen_data.sources.listing import Group, Listing

IMAGES = "image"
_DRAWINGS, _LISTS = "sketch-rendered", "list"
_WIDTH = "width-5"  # the one that their networks were trained on
_SPLITS = {"train": "train", "val": "validation", "test": "validation"}


def read(place: str, *, licence: str = "") -> Listing:
    """A group for each photo, there or only listed: the photo, then its drawings.

    Args:
      place: Folder with `image/` and `sketch-rendered/`.
      licence: Of all pictures whose licence the folder does not state.

    Raises:
      UsageError: the folder has another layout.
    """
    folder = Folder(place, licence)
    photos = [path for path in folder.pictures() if posixpath.dirname(path) == IMAGES]
    drawings = _drawings(folder)
    if not photos or not drawings:
        raise UsageError(
            f"{place}: photos are wanted as {IMAGES}/ID.jpg, and drawings as "
            f"{_DRAWINGS}/{_WIDTH}/ID_01.png"
        )
    splits = _splits(folder)
    named = [(posixpath.splitext(posixpath.basename(path))[0], path) for path in photos]
    there = {name for name, _ in named}
    named += [(name, f"{IMAGES}/{name}.jpg") for name in splits if name not in there]
    groups = []
    for name, path in named:
        if name in splits or not splits:
            pictures = (path, *drawings.get(name, []))
            split = splits.get(name, "")
            groups.append(Group(name, tuple(map(folder.picture, pictures)), {}, split))
    return Listing(folder.place, tuple(groups))


def _drawings(folder: Folder) -> dict[str, list[str]]:
    """ID of a photo to its drawings, of one width."""
    widths: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in folder.pictures():
        parent, name = posixpath.split(path)
        found = re.fullmatch(r"(.+)_\d+", posixpath.splitext(name)[0])
        if posixpath.dirname(parent) == _DRAWINGS and found:
            widths[posixpath.basename(parent)][found[1]].append(path)
    if not widths:
        return {}
    return widths[_WIDTH if _WIDTH in widths else max(widths)]


def _splits(folder: Folder) -> dict[str, str]:
    """ID to split, where there are lists."""
    found: dict[str, str] = {}
    for name, split in _SPLITS.items():
        path = f"{_LISTS}/{name}.txt"
        if path in folder.sizes:
            found |= {_stem(line): split for _, line in folder.lines(path)}
    return found


def _stem(line: str) -> str:
    return posixpath.splitext(line)[0] if line.lower().endswith(EXTENSIONS) else line
