"""Planted subjects: DreamBooth's folders, and the lines that say what is in them."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from instruct_imagen_data.images import hamming, perceptual_hash, read
from instruct_imagen_data.planted import NOUNS
from instruct_imagen_data.planted.extras import subjects
from instruct_imagen_data.planted.scene import View

Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def tree(source_sets: Path) -> Tree:
    folder = source_sets / "subjects"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def rows(tree: Tree) -> list[dict[str, str]]:
    return [json.loads(line) for line in tree["metadata.jsonl"].decode().splitlines()]


def test_each_picture_has_a_line_with_its_folder_as_subject(tree: Tree) -> None:
    pictures = [path for path in tree if path.endswith(".jpg")]
    assert sorted(row["file_name"] for row in rows(tree)) == sorted(pictures)
    assert len(pictures) == subjects.PICTURES
    assert all(row["subject"] == row["file_name"].split("/")[0] for row in rows(tree))


def test_twelve_subjects_of_four_to_six_views_in_order(tree: Tree) -> None:
    views: dict[str, list[str]] = {}
    for row in rows(tree):
        views.setdefault(row["subject"], []).append(row["file_name"].split("/")[1])
    assert len(views) == 12
    for names in views.values():
        assert 4 <= len(names) <= 6
        assert names == [f"{number:02d}.jpg" for number in range(len(names))]


def test_captions_and_folders_name_the_noun(tree: Tree) -> None:
    nouns = {noun for members in NOUNS.values() for noun in members}
    for row in rows(tree):
        assert row["class_noun"] in nouns
        assert row["class_noun"] in row["text"]
        assert row["subject"].rstrip("2").endswith(f"-{row['class_noun']}")
        assert not {"red", "blue", "grey", "white", "striped"} & set(row["text"].split())
    assert len({row["text"] for row in rows(tree)}) > subjects.PICTURES / 3


def test_a_subject_fills_its_picture() -> None:
    """A box of 30 x 60 in a picture of 100 x 200: the square is 72 wide, and stays inside."""
    mask = np.zeros((100, 200), np.uint8)
    mask[65:95, 10:70] = 255
    rgb = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 100, 0).repeat(3, 2)
    shown = subjects.near(View(rgb, mask / 255, mask, mask))
    assert shown.shape == (72, 72, 3)
    assert shown[0, 0, 0] == 4  # its middle is the box's: 40 - 36
    mask[20:, :] = 255
    assert subjects.near(View(rgb, mask / 255, mask, mask)).shape == (100, 100, 3)


def test_more_subjects_are_the_same_and_others_after_them() -> None:
    few, many = subjects._named(7, 12), subjects._named(7, 40)
    assert many[:12] == few
    assert len({name for name, _ in many}) == len({one.name for _, one in many}) == 40
    assert subjects.pictures(40) == sum(4 + number % 3 for number in range(40))


def test_views_of_a_subject_are_no_near_duplicates(tree: Tree) -> None:
    hashes: dict[str, list[bytes]] = {}
    for path, data in tree.items():
        if path.endswith(".jpg"):
            rgb = read(data).rgb
            hashes.setdefault(path.split("/")[0], []).append(perceptual_hash(rgb))
    for views in hashes.values():
        assert min(hamming(a, b) for a, b in itertools.combinations(views, 2)) > 50
