"""Planted paintings: WikiArt's folders and ArtGAN's lists, and styles that one can tell apart."""

import re
from pathlib import Path

import numpy as np
import pytest

from instruct_imagen_data.images import read, shrink
from instruct_imagen_data.planted import NOUNS
from instruct_imagen_data.planted.extras import paintings

Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def tree(source_sets: Path) -> Tree:
    folder = source_sets / "paintings"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def lines(tree: Tree, name: str) -> list[str]:
    return tree[name].decode().splitlines()


def test_the_lists_name_every_picture_once_with_its_class(tree: Tree) -> None:
    classes = dict(line.split(" ") for line in lines(tree, "style_class.txt"))
    assert list(classes) == [str(number) for number in range(5)]
    rows = [line.rsplit(",", 1) for name in ("train", "val") for line in
            lines(tree, f"style_{name}.csv")]  # fmt: skip
    pictures = [path for path in tree if path.endswith(".jpg")]
    assert sorted(path for path, _ in rows) == sorted(pictures)
    assert len(pictures) == paintings.PICTURES == 55
    assert all(path.split("/")[0] == classes[number] for path, number in rows)


def test_artists_have_one_style_and_one_list(tree: Tree) -> None:
    styles: dict[str, set[str]] = {}
    for name in ("train", "val"):
        for line in lines(tree, f"style_{name}.csv"):
            style, file = line.split("/")
            styles.setdefault(file.split("_")[0], set()).add(f"{style} {name}")
    assert all(len(found) == 1 for found in styles.values())
    for style in {line.split(" ")[1] for line in lines(tree, "style_class.txt")}:
        split = [next(iter(found)).split(" ")[1] for found in styles.values()
                 if next(iter(found)).startswith(f"{style} ")]  # fmt: skip
        assert sorted(split) == ["train", "train", "train", "val"]


def test_names_are_artist_and_title_in_plain_letters(tree: Tree) -> None:
    nouns = [noun.replace(" ", "-") for members in NOUNS.values() for noun in members]
    for path in tree:
        if path.endswith(".jpg"):
            match = re.fullmatch(r"[A-Z][a-z]+_[A-Z][a-z]+/([a-z]+-[a-z]+)_([a-z0-9-]+)\.jpg", path)
            assert match, path
            assert any(match[2].startswith(noun) for noun in nouns), path


def test_styles_are_told_apart_by_colour_and_texture_alone(tree: Tree) -> None:
    # The nearest painting of another painter is nearly always one of the same style.
    found = [(path.split("/")[0], path.split("_")[1], look(data))
             for path, data in tree.items() if path.endswith(".jpg")]  # fmt: skip
    looks = np.stack([one[2] for one in found])
    looks = (looks - looks.mean(0)) / looks.std(0)
    right = []
    for index, (style, artist, _) in enumerate(found):
        others = [i for i, one in enumerate(found) if one[1] != artist]
        nearest = min(others, key=lambda i: float(np.sum((looks[i] - looks[index]) ** 2)))
        right.append(found[nearest][0] == style)
    assert np.mean(right) > 0.85


def look(data: bytes) -> np.ndarray:
    """Mean and spread of colour, and how much neighbouring pixels differ at three sizes."""
    rgb = read(data).rgb
    values = rgb.reshape(-1, 3) / 255
    saturation = values.max(1) - values.min(1)
    rough = []
    for side in (320, 160, 80):
        grey = shrink(rgb, side).mean(2) / 255
        rough.append(np.log(np.abs(np.diff(grey, axis=1)).mean()))
    return np.array([*values.mean(0), *values.std(0), saturation.mean(), saturation.std(), *rough])
