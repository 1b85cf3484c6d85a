"""Subjects, several pictures of each: a folder per subject, as DreamBooth's data set has it.

The noun comes from `class_noun` in a metadata.jsonl, else from DreamBooth's table of classes
(prompts_and_classes.txt), else from the folder's name.
"""

import posixpath
import re
from collections import defaultdict

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.folder import Folder, first_of, words
from instruct_imagen_data.sources.listing import Group, Listing

CLASSES = "prompts_and_classes.txt"
_NOUNS = ("class_noun", "noun", "class")


def read(place: str, *, licence: str = "") -> Listing:
    """A group for each folder that holds pictures.

    Args:
      place: Folder of folders.
      licence: Of the pictures whose licence the folder does not state.

    Raises:
      UsageError: no folder holds pictures, or malformed metadata.
    """
    folder = Folder(place, licence)
    members: dict[str, list[str]] = defaultdict(list)
    for path in folder.pictures():
        members[posixpath.dirname(path)].append(path)
    members.pop("", None)
    if not members:
        raise UsageError(f"{place}: no folder in it holds pictures; a folder per subject is wanted")
    classes = _classes(folder)
    groups = []
    for name, paths in sorted(members.items()):
        told = [first_of(folder.told.get(path, {}), _NOUNS) for path in paths]
        subject = posixpath.basename(name)
        noun = next(filter(None, told), "") or classes.get(subject) or _noun(subject)
        pictures = tuple(folder.picture(path) for path in paths)
        groups.append(Group(name, pictures, {"noun": noun}))
    return Listing(folder.place, tuple(groups))


def _classes(folder: Folder) -> dict[str, str]:
    """Subject to class, of DreamBooth's table "subject_name,class"."""
    if CLASSES not in folder.sizes:
        return {}
    rows = (line.split(",") for _, line in folder.lines(CLASSES))
    # The table comes first; what follows it is Python, with commas and quotes.
    named = [row for row in rows if len(row) == 2 and re.fullmatch(r"\w+", row[0])]
    return {subject: noun.strip() for subject, noun in named if subject != "subject_name"}


def _noun(folder: str) -> str:
    """A folder's name as a noun: "dog3" is "dog", "red_mug-02" is "red mug"."""
    return words(re.sub(r"\d+$", "", words(folder))) or words(folder)
