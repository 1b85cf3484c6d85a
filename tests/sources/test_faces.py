"""CelebA's and CelebA-HQ's lists, and captions of attributes.

Expected groups of the planted sets are read off the lists with plain Python.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.layout_checks import malformed, paths, sizes_are_true

from instruct_imagen_data.sources import faces
from instruct_imagen_data.sources.listing import MISSING, Group, Picture
from instruct_imagen_data.sources.portraits import caption_of

Fill = Callable[..., Path]


def attributes_of(folder: Path) -> dict[str, set[str]]:
    lines = (folder / "list_attr_celeba.txt").read_text().splitlines()
    names = lines[1].split()
    found = {}
    for line in lines[2:]:
        file, *values = line.split()
        found[file] = {name for name, value in zip(names, values, strict=True) if value == "1"}
    return found


def test_planted_faces(source_sets: Path) -> None:
    folder = source_sets / "faces"
    listing = faces.read(str(folder), licence="none")
    sizes_are_true(folder, listing)
    wanted: dict[str, list[str]] = defaultdict(list)
    for line in (folder / "identity_CelebA.txt").read_text().splitlines():
        file, identity = line.split()
        wanted[identity].append(f"img_align_celeba/{file}")
    assert paths(listing) == dict(sorted(wanted.items()))
    for file, has in attributes_of(folder).items():
        (caption,) = (one.caption for group in listing.groups for one in group.pictures
                      if one.path.endswith(file))  # fmt: skip
        assert ("smiling" in caption) == ("Smiling" in has)
        assert ("woman" in caption) == ("Male" not in has)
        assert ("glasses" in caption) == ("Eyeglasses" in has)
        assert ("bald" in caption) == ("Bald" in has)
        assert ("a hat" in caption) == ("Wearing_Hat" in has)
        for colour in ("black", "blond", "brown", "gray"):
            assert (f"{colour} hair" in caption) == (f"{colour.title()}_Hair" in has)


def test_planted_large_faces(source_sets: Path) -> None:
    folder = source_sets / "faces-hq"
    identities = dict(
        line.split() for line in (folder / "identity_CelebA.txt").read_text().splitlines()
    )
    wanted: dict[str, list[str]] = defaultdict(list)
    for line in (folder / "CelebA-HQ-to-CelebA-mapping.txt").read_text().splitlines()[1:]:
        number, _, file = line.split()
        wanted[identities[file]].append(f"CelebA-HQ-img/{number}.jpg")
    listing = faces.read_hq(str(folder))
    assert paths(listing) == dict(sorted(wanted.items()))
    sizes_are_true(folder, listing)


def test_captions_and_licences_of_faces(fill: Fill) -> None:
    place = fill(
        {
            "identity_CelebA.txt": "1.jpg 7\n2.jpg 7\n3.jpg 8\n4.jpg 8",
            "list_attr_celeba.txt": "3\nMale Smiling\n1.jpg  1 -1\n2.jpg  1  1\n4.jpg -1 -1\n",
            "img/1.jpg": "1", "img/2.jpg": "1", "img/2.txt": "a portrait", "3.jpg": "1",
        }
    )  # fmt: skip
    eight, seven = sorted(faces.read(str(place), licence="own").groups, key=lambda g: -int(g.name))
    assert seven == Group(
        "7",
        (
            Picture("img/1.jpg", 1, "a man with a beard", "own"),  # no "No_Beard"
            Picture("img/2.jpg", 1, "a portrait", "own"),
        ),
    )
    assert eight.pictures[0] == Picture("3.jpg", 1, "", "own")
    assert eight.pictures[1].size == MISSING


@pytest.mark.parametrize(
    ("attributes", "caption"),
    [
        ("", ""),
        ("No_Beard", "a woman"),
        ("Smiling Young Brown_Hair Wavy_Hair", "a smiling young woman with wavy brown hair"),
        ("Male No_Beard Bald", "a man with a bald head"),
        ("Male Goatee Mustache Young", "a young man with a goatee and a moustache"),
        ("Male Attractive", "a man with a beard"),
        ("Eyeglasses Wearing_Hat Wearing_Earrings Bangs",
         "a woman with bangs, wearing glasses, a hat and earrings"),
    ],
)  # fmt: skip
def test_captions_of_portraits(attributes: str, caption: str) -> None:
    assert caption_of(attributes.split()) == caption


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"1.jpg": "1"}, "no identity_CelebA.txt, by which its pictures are known"),
        ({"identity_CelebA.txt": "1.jpg 7\n\n2.jpg\n"}, "identity_CelebA.txt, line 3: no 'file id"),
        ({"identity_CelebA.txt": "1.jpg 7 8\n"}, "identity_CelebA.txt, line 1: no 'file identity'"),
        ({"identity_CelebA.txt": "\n"}, "its lists name no picture with an identity"),
        (
            {"identity_CelebA.txt": "1.jpg 7", "list_attr_celeba.txt": "1\nMale Bald\n\n1.jpg 1"},
            "list_attr_celeba.txt, line 4: 1 values",
        ),
    ],
)
def test_malformed_lists_of_faces(fill: Fill, files: dict[str, str], told: str) -> None:
    place = fill(files)
    malformed(faces.read, place, str(place), told)


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("", "no CelebA-HQ-to-CelebA-mapping.txt"),
        ("idx orig_idx orig_file\n0 9\n", "CelebA-HQ-to-CelebA-mapping.txt, line 2: no 'idx orig_"),
        ("idx orig_idx orig_file\n", "its lists name no picture with an identity"),
        ("idx orig_idx orig_file\n0 9 10.jpg", "its lists name no picture with an identity"),
    ],
)
def test_malformed_mappings(fill: Fill, mapping: str, told: str) -> None:
    place = fill({"identity_CelebA.txt": "1.jpg 7", "0.jpg": "1"})
    if mapping:
        fill({"CelebA-HQ-to-CelebA-mapping.txt": mapping})
    malformed(faces.read_hq, place, str(place), told)
