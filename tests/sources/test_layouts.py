"""The layouts: what each makes of the planted sets, and of folders that are not as they should be.

Expected groups of the planted sets are read off the lists with plain Python.
"""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.layout_checks import malformed, paths, sizes_are_true

from instruct_imagen_data.sources import paintings, sketches, subjects
from instruct_imagen_data.sources.listing import MISSING

Fill = Callable[..., Path]


# Paintings


def test_planted_paintings(source_sets: Path) -> None:
    folder = source_sets / "paintings"
    listing = paintings.read(str(folder), licence="CC0", validation_share=0.3)
    wanted = []
    for name in ("style_train.csv", "style_val.csv"):
        wanted += [row[0] for row in csv.reader((folder / name).read_text().splitlines())]
    assert paths(listing) == {path: [path] for path in sorted(wanted)}
    sizes_are_true(folder, listing)
    splits: dict[str, set[str]] = defaultdict(set)
    for group in listing.groups:
        style, _, name = group.name.partition("/")
        artist, _, title = name.removesuffix(".jpg").partition("_")
        assert group.facts == {
            "style": style.replace("_", " "),
            "artist": artist.replace("-", " ").title(),
            "title": title.replace("-", " "),
        }
        assert group.pictures[0].licence == "CC0"
        splits[artist].add(group.split)
    assert Counter(map(tuple, splits.values())).keys() == {("train",), ("validation",)}
    held_out = sum(split == {"validation"} for split in splits.values())
    assert 0.05 < held_out / len(splits) < 0.6  # 20 painters, three in ten of them
    for share, split in ((0.0, "train"), (1.0, "validation")):
        drawn = paintings.read(str(folder), validation_share=share)
        assert {group.split for group in drawn.groups} == {split}


def test_lists_of_paintings(fill: Fill) -> None:
    """A title with a comma, in quotes or not; Windows' line ends; what is not there is listed."""
    place = fill(
        {
            "style_train.csv": "Pop/a_one,-two.jpg,3\r\n\r\n"
            '"Pop/b_three, ""four"".jpg",3\r\nPop/gone_away.jpg, 3\r\nPop/a_one,-two.jpg,3\r\n',
            "style_val.csv": "Op/c_five.jpg,12",
            "Pop/a_one,-two.jpg": "1", 'Pop/b_three, "four".jpg': "22", "Op/c_five.jpg": "333",
            "Op/unlisted_six.jpg": "4444",
        }
    )  # fmt: skip
    found = {
        group.name: (group.pictures[0].size, group.facts["artist"], group.facts["title"])
        for group in paintings.read(str(place)).groups
    }
    assert found == {
        "Op/c_five.jpg": (3, "C", "five"),
        "Pop/a_one,-two.jpg": (1, "A", "one, two"),
        'Pop/b_three, "four".jpg': (2, "B", 'three, "four"'),
        "Pop/gone_away.jpg": (MISSING, "Gone", "away"),
    }


def test_paintings_without_lists(fill: Fill) -> None:
    told = [
        {"file_name": "Pop/a_one.jpg", "artist": "Ann O. Ther", "title": "One", "style": "Pop art"},
        {"file_name": "b_two.jpg", "artist": "ann o. ther"},
    ]
    place = fill(
        {
            "metadata.jsonl": "\n".join(map(json.dumps, told)),
            "Pop/a_one.jpg": "1", "b_two.jpg": "1", "Pop/three.jpg": "1",
            "x/New_Art/c_d_e.jpg": "1",
        }
    )  # fmt: skip
    listing = paintings.read(str(place))
    assert {group.name: tuple(group.facts.values()) for group in listing.groups} == {
        "Pop/a_one.jpg": ("Pop art", "Ann O. Ther", "One"),
        "b_two.jpg": ("", "ann o. ther", "b two"),  # no folder of a style: nobody's name
        "Pop/three.jpg": ("Pop", "", "three"),
        "x/New_Art/c_d_e.jpg": ("New Art", "C", "d e"),
    }
    for share in (0.2, 0.4, 0.6, 0.8):  # one artist, however the name is written
        listing = paintings.read(str(place), validation_share=share)
        splits = {group.name: group.split for group in listing.groups}
        assert splits["Pop/a_one.jpg"] == splits["b_two.jpg"]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("Pop/a_b.jpg,1\nPop/c_d.jpg\n", "line 2: no 'path,class': 'Pop/c_d.jpg'"),
        ("\n\npath,class\n", "line 3: no 'path,class'"),
        ("Pop/a_b.jpg,\n", "line 1: no 'path,class'"),
        ("1", "line 1: no 'path,class'"),
    ],
)
def test_malformed_lists_of_paintings(fill: Fill, lines: str, line: str) -> None:
    place = fill({"style_val.csv": lines, "Pop/a_b.jpg": "1"})
    malformed(paintings.read, place, f"{place}/style_val.csv, {line}")


def test_no_paintings(fill: Fill) -> None:
    malformed(paintings.read, fill({"read.me": "1"}), "source holds no pictures")


# Subjects


def test_planted_subjects(source_sets: Path) -> None:
    folder = source_sets / "subjects"
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    listing = subjects.read(str(folder), licence="CC0")
    wanted: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["file_name"]):
        wanted[row["subject"]].append(row["file_name"])
    assert paths(listing) == dict(sorted(wanted.items()))
    sizes_are_true(folder, listing)
    nouns = {row["subject"]: row["class_noun"] for row in rows}
    assert {group.name: group.facts["noun"] for group in listing.groups} == nouns
    captions = {one.path: one.caption for group in listing.groups for one in group.pictures}
    assert captions == {row["file_name"]: row["text"] for row in rows}
    assert {group.split for group in listing.groups} == {""}  # the folder does not say


def test_nouns_of_subjects(fill: Fill) -> None:
    """Of a line of metadata, else of DreamBooth's table, else the folder's name."""
    table = (
        "Classes\n\nsubject_name,class\ncan,can\nrobot_toy, toy\nmug,cup\n\nPrompts\n\n"
        "prompt_list = [\n'a {0} {1} in the jungle'.format(unique_token, class_token),\n]\n"
    )
    place = fill(
        {
            "prompts_and_classes.txt": table,
            "metadata.jsonl": '{"file_name": "set/mug/01.jpg", "class_noun": "red mug"}',
            "set/can/00.jpg": "1", "set/robot_toy/00.jpg": "1", "set/mug/00.jpg": "1",
            "set/mug/01.jpg": "1", "dog3/a.png": "1", "wolf_plushie-02/a.png": "1", "7/a.png": "1",
            "left.jpg": "1", "texts/only.txt": "1",
        }
    )  # fmt: skip
    listing = subjects.read(str(place))
    assert {group.name: group.facts["noun"] for group in listing.groups} == {
        "7": "7",
        "dog3": "dog",
        "set/can": "can",
        "set/mug": "red mug",
        "set/robot_toy": "toy",
        "wolf_plushie-02": "wolf plushie",
    }


def test_no_subjects(fill: Fill) -> None:
    malformed(subjects.read, fill({"a.jpg": "1"}), "a folder per subject is wanted")


# Sketches


def test_planted_sketches(source_sets: Path) -> None:
    folder = source_sets / "sketches"
    listing = sketches.read(str(folder))
    sizes_are_true(folder, listing)
    splits = {"train": "train", "val": "validation", "test": "validation"}
    wanted = {}
    for name, split in splits.items():
        for number in (folder / "list" / f"{name}.txt").read_text().split():
            drawn = [f"sketch-rendered/width-5/{number}_{i:02d}.png" for i in range(1, 6)]
            caption = (folder / "image" / f"{number}.txt").read_text().strip()
            wanted[number] = (split, [f"image/{number}.jpg", *drawn], caption)
    assert {
        group.name: (group.split, [one.path for one in group.pictures], group.pictures[0].caption)
        for group in listing.groups
    } == wanted


def test_lists_of_sketches(fill: Fill) -> None:
    """Only listed photos are taken, whether or not they are there; with no list, all of them."""
    files = {
        "image/a.jpg": "1", "image/b.jpg": "1", "image/c_1.png": "1", "image/d.jpg": "1",
        "sketch-rendered/width-5/a_01.png": "1", "sketch-rendered/width-5/a_02.png": "1",
        "sketch-rendered/width-3/a_01.png": "1", "sketch-rendered/width-5/c_1_01.png": "1",
        "sketch-rendered/width-5/gone_01.png": "1",
    }  # fmt: skip
    place = fill(files)
    assert {group.name: (group.split, len(group.pictures))
            for group in sketches.read(str(place)).groups} == {
        "a": ("", 3), "b": ("", 1), "c_1": ("", 2), "d": ("", 1)
    }  # fmt: skip
    fill({"list/train.txt": "a.jpg\n\ngone\nlost\n", "list/test.txt": "c_1\n"})
    listing = sketches.read(str(place))
    assert [(group.name, group.split, [(one.path, one.size) for one in group.pictures])
            for group in listing.groups] == [
        ("a", "train", [("image/a.jpg", 1), ("sketch-rendered/width-5/a_01.png", 1),
                        ("sketch-rendered/width-5/a_02.png", 1)]),
        ("c_1", "validation", [("image/c_1.png", 1), ("sketch-rendered/width-5/c_1_01.png", 1)]),
        ("gone", "train", [("image/gone.jpg", MISSING),
                           ("sketch-rendered/width-5/gone_01.png", 1)]),
        ("lost", "train", [("image/lost.jpg", MISSING)]),
    ]  # fmt: skip


def test_drawings_of_another_width(fill: Fill) -> None:
    drawn = {f"sketch-rendered/width-{n}/a_01.png": "1" for n in (1, 3)}
    (group,) = sketches.read(str(fill({"image/a.jpg": "1", **drawn}))).groups
    assert group.pictures[1].path == "sketch-rendered/width-3/a_01.png"


@pytest.mark.parametrize(
    "files",
    [
        {"image/a.jpg": "1"},
        {"a.jpg": "1", "sketch-rendered/width-5/a_01.png": "1"},
        {"image/a.jpg": "1", "sketch-rendered/width-5/a.png": "1"},
        {"image/a.jpg": "1", "a_01.png": "1"},
    ],
)
def test_no_sketches(fill: Fill, files: dict[str, str]) -> None:
    malformed(sketches.read, fill(files), "image/ID.jpg", "sketch-rendered/width-5/ID_01.png")
