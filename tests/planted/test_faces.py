"""Planted faces: CelebA's and CelebA-HQ's files, and what the pictures of a person share."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from instruct_imagen_data.images import read
from instruct_imagen_data.planted.extras import faces, faces_hq
from instruct_imagen_data.planted.extras.persons import persons

Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def tree(source_sets: Path) -> Tree:
    return held(source_sets / "faces")


@pytest.fixture(scope="module")
def hq(source_sets: Path) -> Tree:
    return held(source_sets / "faces-hq")


def held(folder: Path) -> Tree:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def identities(tree: Tree) -> dict[str, str]:
    lines = tree["identity_CelebA.txt"].decode().splitlines()
    return dict(line.split(" ") for line in lines)


def attributes(tree: Tree) -> dict[str, dict[str, int]]:
    count, names, *rows = tree["list_attr_celeba.txt"].decode().splitlines()
    assert int(count) == len(rows)
    return {row.split()[0]: dict(zip(names.split(), map(int, row.split()[1:]), strict=True))
            for row in rows}  # fmt: skip


def test_files_are_numbered_from_one_and_aligned_to_celebas_size(tree: Tree) -> None:
    names = [f"{number:06d}.jpg" for number in range(1, faces.PICTURES + 1)]
    assert sorted(path for path in tree if path.endswith(".jpg")) == [
        f"img_align_celeba/{name}" for name in names
    ]
    assert {read(data).rgb.shape for path, data in tree.items() if path.endswith(".jpg")} == {
        (218, 178, 3)
    }
    assert list(identities(tree)) == list(attributes(tree)) == names


def test_ten_identities_have_four_to_six_pictures_that_lie_mixed(tree: Tree) -> None:
    whose = list(identities(tree).values())
    assert len(set(whose)) == 10
    assert all(4 <= count <= 6 for count in Counter(whose).values())
    assert all(1 <= int(number) <= 10177 for number in whose)
    assert sum(a != b for a, b in pairwise(whose)) > len(whose) / 2


def test_attributes_of_a_person_stay_and_those_of_a_picture_vary(tree: Tree) -> None:
    rows, whose = attributes(tree), identities(tree)
    assert all(set(row.values()) <= {-1, 1} for row in rows.values())
    for number in set(whose.values()):
        own = [rows[file] for file in whose if whose[file] == number]
        for name in ("Male", "Young", "Bald", "Black_Hair", "Blond_Hair", "Gray_Hair", "No_Beard"):
            assert len({row[name] for row in own}) == 1, name
        for name in ("Eyeglasses", "Wearing_Hat"):
            assert sum(row[name] == 1 for row in own) == 1, name
    for name in ("Male", "Young", "Bald", "Smiling", "Mouth_Slightly_Open", "Eyeglasses"):
        assert {row[name] for row in rows.values()} == {-1, 1}, name


def test_the_mapping_of_the_large_ones_leads_to_the_same_persons(tree: Tree, hq: Tree) -> None:
    header, *rows = hq["CelebA-HQ-to-CelebA-mapping.txt"].decode().splitlines()
    assert header == "idx orig_idx orig_file"
    assert [row.split()[0] for row in rows] == [str(number) for number in range(faces_hq.PICTURES)]
    assert all(int(index) + 1 == int(file.removesuffix(".jpg")) for _, index, file in
               (row.split() for row in rows))  # fmt: skip
    assert hq["identity_CelebA.txt"] == tree["identity_CelebA.txt"]
    whose = Counter(identities(tree)[row.split()[2]] for row in rows)
    assert len(whose) == 6
    assert set(whose.values()) == {3}


def test_a_large_picture_shows_what_its_small_one_does(tree: Tree, hq: Tree) -> None:
    # The colours round the eyes of either are nearer to each other than to any other picture's.
    rows = [row.split() for row in
            hq["CelebA-HQ-to-CelebA-mapping.txt"].decode().splitlines()[1:]]  # fmt: skip
    small = {path.split("/")[1]: patch(data, (89, 116), 54) for path, data in tree.items()
             if path.endswith(".jpg")}  # fmt: skip
    for number, _, file in rows:
        large = patch(hq[f"CelebA-HQ-img/{number}.jpg"], (192, 208), 122)
        far = {name: float(np.abs(other - large).mean()) for name, other in small.items()}
        assert min(far, key=lambda name: far[name]) == file


def patch(data: bytes, middle: tuple[int, int], scale: int) -> np.ndarray:
    """The face's middle, float [12, 12, 3]: means of 12 x 12 boxes."""
    rgb, (x, y) = read(data).rgb.astype(float), middle
    edges = np.linspace(-0.9 * scale, 0.9 * scale, 13).astype(int)
    spans = list(pairwise(edges))
    return np.array([[rgb[y + a : y + b, x + c : x + d].mean((0, 1)) for c, d in spans]
                     for a, b in spans])  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_no_two_persons_look_alike(seed: int) -> None:
    drawn = persons(seed)
    assert len({person.style for person in drawn}) == len(drawn)
    assert len({person.shape for person in drawn}) == len(drawn)
    assert len({person.skin for person in drawn}) >= 4
    assert len({person.hair_name for person in drawn}) == 5
    assert sum(person.male for person in drawn) == 5
