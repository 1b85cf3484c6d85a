"""Planted sketches: the Photo-Sketching release's layout, and drawings that lie on their photos."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from instruct_imagen_data.agreement import edge_f1
from instruct_imagen_data.images import read
from instruct_imagen_data.planted.extras import sketches

SEED = 7  # of source_sets
Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def tree(source_sets: Path) -> Tree:
    folder = source_sets / "sketches"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def drawing(tree: Tree, number: int, index: int) -> np.ndarray:
    path = f"sketch-rendered/width-5/{number:05d}_{index:02d}.png"
    return np.asarray(Image.open(io.BytesIO(tree[path])))


def contour(number: int) -> np.ndarray:
    """[h, w]: where the mask ends, or the object's height jumps by more than 8 pixels."""
    view, layer = sketches.photo(SEED, number)
    mask, square = view.mask > 127, np.ones((3, 3), np.uint8)
    rim = mask & (cv2.erode(mask.astype(np.uint8), square) == 0)
    inner = cv2.erode((view.mask == 255).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    rise = cv2.dilate(layer.relief, square) - cv2.erode(layer.relief, square)
    return rim | (inner & (rise > 8))


def test_each_photo_has_a_caption_and_five_drawings_of_its_size(tree: Tree) -> None:
    assert sketches.PICTURES == 15
    assert len(tree) == 15 * 7 + 3
    for number, noun in enumerate(sketches.NOUNS):
        photo = read(tree[f"image/{number:05d}.jpg"]).rgb
        assert noun in tree[f"image/{number:05d}.txt"].decode()
        for index in range(1, 6):
            grey = drawing(tree, number, index)
            assert grey.dtype == np.uint8
            assert grey.shape == photo.shape[:2]
            assert grey.min() < 64
            assert 0.8 < np.mean(grey > 250) < 1  # dark lines on white


def test_lists_part_the_photos(tree: Tree) -> None:
    lists = [tree[f"list/{name}.txt"].decode().splitlines() for name in ("train", "val", "test")]
    assert sorted(name for names in lists for name in names) == [
        f"{number:05d}" for number in range(15)
    ]
    assert [len(names) for names in lists] == [11, 2, 2]


def test_drawings_lie_on_the_contours_of_their_photos(tree: Tree) -> None:
    agreed = []
    for number in range(sketches.PICTURES):
        truth = contour(number)
        near = 0.0075 * np.hypot(*truth.shape)  # as in the boundary benchmarks
        for index in range(1, 6):
            agreed.append(edge_f1(255 - drawing(tree, number, index), truth, near))
    assert min(agreed) > 0.6
    assert np.mean(agreed) > 0.8
    # The contour of another photo is no match, or the number would say nothing.
    truth = cv2.resize(contour(1).astype(np.uint8), drawing(tree, 0, 1).shape[::-1]) > 0
    assert edge_f1(255 - drawing(tree, 0, 1), truth, 4) < 0.4


def test_the_five_drawings_differ_and_the_last_shows_the_most(tree: Tree) -> None:
    ink = np.array([[np.mean(drawing(tree, number, index) < 128) for index in range(1, 6)]
                    for number in range(sketches.PICTURES)])  # fmt: skip
    assert np.all(ink[:, 4] > 0.95 * ink[:, 0])
    assert ink[:, 4].mean() > 1.15 * ink[:, 0].mean()
    for number in range(sketches.PICTURES):
        first, last = drawing(tree, number, 1) < 128, drawing(tree, number, 4) < 128
        assert np.mean(first != last) / np.mean(first | last) > 0.05
