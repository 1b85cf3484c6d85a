"""Faces by identity: CelebA's lists, and CelebA-HQ's mapping to them.

    identity_CelebA.txt                  "000001.jpg 2880"
    list_attr_celeba.txt                 optional: captions are made of it
    CelebA-HQ-to-CelebA-mapping.txt      HQ only: "idx orig_idx orig_file"

Pictures lie anywhere below the folder, under their names: 000001.jpg, for HQ IDX.jpg.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.folder import Folder
from instruct_imagen_data.sources.listing import MISSING, Group, Listing, Picture
from instruct_imagen_data.sources.portraits import caption_of

IDENTITIES = "identity_CelebA.txt"
ATTRIBUTES = "list_attr_celeba.txt"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"


def read(place: str, *, licence: str = "") -> Listing:
    """A group for each identity of CelebA.

    Args:
      place: Folder with the pictures and `identity_CelebA.txt`.
      licence: Of the pictures whose licence the folder does not state.

    Raises:
      UsageError: a list is missing or malformed.
    """
    folder = Folder(place, licence)
    originals = {name: name for name in _identities(folder)}
    return _listing(folder, originals)


def read_hq(place: str, *, licence: str = "") -> Listing:
    """A group for each identity of CelebA-HQ, whose pictures have other names.

    Raises:
      UsageError: a list is missing or malformed.
    """
    folder = Folder(place, licence)
    originals = {}
    for number, line in folder.lines(MAPPING)[1:]:
        fields = line.split()
        if len(fields) != 3:
            raise UsageError(f"{place}/{MAPPING}, line {number}: no 'idx orig_idx orig_file'")
        originals[fields[0]] = fields[2]
    return _listing(folder, originals)


def _identities(folder: Folder) -> dict[str, str]:
    """File name in CelebA to identity."""
    found = {}
    for number, line in folder.lines(IDENTITIES):
        fields = line.split()
        if len(fields) != 2:
            raise UsageError(f"{folder.place}/{IDENTITIES}, line {number}: no 'file identity'")
        found[fields[0]] = fields[1]
    return found


def _listing(folder: Folder, originals: dict[str, str]) -> Listing:
    """Groups of the pictures: file name, or stem, to its name in CelebA's lists."""
    identities, attributes = _identities(folder), _attributes(folder)
    paths = folder.pictures()
    places = {posixpath.basename(path): path for path in paths}
    places |= {posixpath.splitext(name)[0]: path for name, path in places.items()}
    members: dict[str, list[Picture]] = defaultdict(list)
    for name, original in originals.items():
        path = places.get(name)
        picture = folder.picture(path) if path else Picture(name, MISSING)
        told = picture.caption or caption_of(attributes.get(original, ()))
        identity = identities.get(original)
        if identity is not None:
            captioned = Picture(picture.path, picture.size, told, picture.licence)
            members[identity].append(captioned)
    if not members:
        raise UsageError(f"{folder.place}: its lists name no picture with an identity")
    groups = (Group(name, tuple(some)) for name, some in sorted(members.items()))
    return Listing(folder.place, tuple(groups))


def _attributes(folder: Folder) -> dict[str, Iterable[str]]:
    """File name to the attributes that its face has; none where there is no list."""
    if ATTRIBUTES not in folder.sizes:
        return {}
    lines = folder.lines(ATTRIBUTES)
    names = lines[1][1].split() if len(lines) > 1 else []
    found: dict[str, Iterable[str]] = {}
    for number, line in lines[2:]:
        name, *values = line.split()
        if len(values) != len(names):
            raise UsageError(f"{folder.place}/{ATTRIBUTES}, line {number}: {len(values)} values")
        pairs = zip(names, values, strict=True)
        found[name] = tuple(one for one, value in pairs if value == "1")
    return found
