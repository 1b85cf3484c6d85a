"""Paintings by style and artist: a WikiArt-like folder, or ArtGAN's lists of it (FACTS 58).

`Style_Folder/artist_title.jpg` names style, artist and title; a `metadata.jsonl` that states them
goes before. Where ArtGAN's `style_train.csv` or `style_val.csv` are there, only the pictures that
they name are taken.
"""

import csv
import posixpath
from collections.abc import Iterable

from instruct_imagen_data import keys
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.folder import Folder, first_of, words
from instruct_imagen_data.sources.listing import Group, Listing

LISTS = ("style_train.csv", "style_val.csv")
_SALT = "paintings/split"


def read(place: str, *, licence: str = "", validation_share: float = 0.05) -> Listing:
    """A group for each painting.

    Args:
      place: Folder of pictures.
      licence: Of the paintings whose licence the folder does not state.
      validation_share: Share of the artists whose paintings are held out, all of them (FACTS 60).

    Raises:
      UsageError: no pictures, or malformed lists.
    """
    folder = Folder(place, licence)
    listed = [path for name in LISTS if name in folder.sizes for path in _listed(folder, name)]
    groups = [_group(folder, path, validation_share) for path in _unique(listed)]
    if not listed:
        groups = [_group(folder, path, validation_share) for path in folder.pictures()]
    if not groups:
        raise UsageError(f"{place} holds no pictures")
    return Listing(folder.place, tuple(sorted(groups, key=lambda group: group.name)))


def _unique(paths: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(paths))


def _listed(folder: Folder, name: str) -> list[str]:
    """Paths of a list of lines "Style_Folder/artist_title.jpg,class"."""
    found = []
    for number, line in folder.lines(name):
        *path, label = next(csv.reader([line]))
        if not path or not label.strip().isdigit():
            raise UsageError(
                f"{folder.place}/{name}, line {number}: no 'path,class': {line[:80]!r}"
            )
        found.append(",".join(path))  # a title may hold a comma
    return found


def _group(folder: Folder, path: str, validation_share: float) -> Group:
    line = folder.told.get(path, {})
    parent, name = posixpath.split(path)
    stem = posixpath.splitext(name)[0]
    author, found, rest = stem.partition("_")
    if not found or not parent:  # no "artist_title" in a folder of a style
        author, rest = "", stem
    artist = first_of(line, ("artist",)) or words(author).title()
    drawn = keys.unit(artist.casefold() or path, _SALT)
    facts = {
        "style": first_of(line, ("style",)) or words(posixpath.basename(parent)),
        "artist": artist,
        "title": first_of(line, ("title",)) or words(rest),
    }
    split = "validation" if drawn < validation_share else "train"
    return Group(path, (folder.picture(path),), facts, split)
