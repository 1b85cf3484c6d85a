"""The jobs over source folders: every picture is used or rejected, and rows are what they say."""

import io
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from helpers.source_jobs import LAYOUT, OPTION, VERB, folder_of, keys_of

from instruct_imagen_data import keys, licences, shards
from instruct_imagen_data.sources.layouts import Source

Command = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
Tree = Callable[[Path], dict[str, str]]
REJECTED = {  # what conftest planted, by the end of its path
    "wikiart": {"no-one_half.jpg": "truncated", "no-one_text.jpg": "not_an_image",
                "no-one_gone,-away.jpg": "empty_image"},
    "suti": {"grey-dog/half.jpg": "truncated", "grey-dog/text.jpg": "not_an_image",
             "grey-dog/same.jpg": "duplicate", "grey-dog/smaller.jpg": "duplicate",
             "pair/0.jpg": "group_size", "pair/1.jpg": "group_size"},
    "celeba": {"900001.jpg": "truncated", "900002.jpg": "not_an_image",
               "900003.jpg": "duplicate", "900004.jpg": "empty_image"},
    "celeba_hq": {},
}  # fmt: skip


def pixels(encoded: dict[str, Any]) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(encoded["bytes"])).convert("RGB"), np.float32)


def small(encoded: dict[str, Any]) -> np.ndarray:
    picture = PIL.Image.open(io.BytesIO(encoded["bytes"])).convert("RGB")
    return np.asarray(picture.resize((32, 32), PIL.Image.Resampling.BOX), np.float32)


@pytest.mark.parametrize("dataset", LAYOUT)
def test_every_picture_is_used_or_rejected_once(
    dataset: str, examples: Any, small_sets: Path, rows_of: Rows
) -> None:
    known = keys_of(dataset, small_sets)
    used = {key for row in rows_of(examples.folder / dataset) for key in row["sources"]}
    rejects = rows_of(examples.folder / dataset, shards.REJECTS)
    assert sorted([*used, *(row["key"] for row in rejects)]) == sorted(known.values())
    found = {}
    for row in rejects:
        assert row["key"] == known[row["origin"]]
        assert row["stage"] == VERB[dataset]
        (tail,) = [tail for tail in REJECTED[dataset] if row["origin"].endswith(tail)]
        found[tail] = row["reason"]
    assert found == REJECTED[dataset]
    manifest = shards.require_finished(str(examples.folder / dataset), VERB[dataset])
    assert manifest["rows_in"] == len(known)
    assert manifest["reasons"] == dict(Counter(REJECTED[dataset].values()))


@pytest.mark.parametrize("dataset", LAYOUT)
def test_what_every_row_is(dataset: str, examples: Any, rows_of: Rows) -> None:
    rows = rows_of(examples.folder / dataset)
    assert len({row["key"] for row in rows}) == len(rows) > 0
    for row in rows:
        assert row["key"] == keys.derived_key(dataset, row["sources"])
        assert row["dataset"] == dataset
        target = pixels(row["image"])
        assert target.shape == (row["height"], row["width"], 3)
        assert min(target.shape[:2]) == 96
        assert row["checks"]
        assert all(0 <= check["value"] <= 1 for check in row["checks"])
        assert row["caption"]
        assert row["split"] in ("train", "validation")
        assert len(row["references"]) == len(row["sources"]) - 1


@pytest.mark.parametrize("dataset", ["suti", "celeba", "celeba_hq"])
def test_a_target_is_none_of_its_references(
    dataset: str, examples: Any, small_sets: Path, rows_of: Rows
) -> None:
    """Nor a copy of one, though copies were planted; the picture that stays is named."""
    for row in rows_of(examples.folder / dataset):
        assert len(set(row["sources"])) == len(row["sources"]) > 1
        target = small(row["image"])
        shown = [small(one["image"]) for one in row["references"]]
        assert min(np.abs(one - target).mean() for one in shown) > 8  # of 255 levels
        assert len({one["image"]["bytes"] for one in row["references"]}) == len(shown)
    known = keys_of(dataset, small_sets)
    rejects = rows_of(examples.folder / dataset, shards.REJECTS)
    survivors = {row["origin"]: row["survivor"] for row in rejects if row["reason"] == "duplicate"}
    if dataset == "suti":
        dog = {path: key for path, key in known.items() if path.startswith("grey-dog/0")}
        assert survivors == {
            "grey-dog/same.jpg": dog["grey-dog/00.jpg"],
            "grey-dog/smaller.jpg": dog["grey-dog/01.jpg"],
        }
    elif dataset == "celeba":
        folder = folder_of(dataset, small_sets)
        copied = (folder / "img_align_celeba" / "900003.jpg").read_bytes()
        (original,) = [
            path for path in known
            if not path.startswith(("img_align_celeba/9", "90")) and
            (folder / path).read_bytes() == copied
        ]  # fmt: skip
        assert survivors == {"img_align_celeba/900003.jpg": known[original]}


def test_paintings(examples: Any, small_sets: Path, rows_of: Rows) -> None:
    paths = {key: path for path, key in keys_of("wikiart", small_sets).items()}
    for row in rows_of(examples.folder / "wikiart"):
        (source,) = row["sources"]
        style, _, name = paths[source].partition("/")
        artist, _, title = name.removesuffix(".jpg").partition("_")
        style, artist = style.replace("_", " "), artist.replace("-", " ").title()
        assert row["caption"] == f"{title.replace('-', ' ')}, {style} painting by {artist}"
        assert row["slots"] == [
            {"name": "style", "value": style},
            {"name": "artist", "value": artist},
        ]
        assert row["task"] == "text_to_image"
        assert row["licence"] == "Public domain"
        assert [check["name"] for check in row["checks"]] == ["caption_similarity"]


def test_subjects(examples: Any, small_sets: Path, rows_of: Rows) -> None:
    folder = folder_of("suti", small_sets)
    rows = rows_of(examples.folder / "suti")
    paths = {key: path for path, key in keys_of("suti", small_sets).items()}
    captions = {
        one.path: one.caption
        for group in Source("subjects", str(folder)).listing().groups
        for one in group.pictures
    }
    groups = {}
    for row in rows:
        own = [paths[key] for key in row["sources"]]
        (subject,) = {path.split("/")[0] for path in own}
        groups[subject] = len(own)
        assert row["task"] == "subject_to_image"
        assert row["caption"] == captions[own[0]]
        noun = subject.split("-")[1]
        assert {(one["marker"], one["role"], one["text"], one["aligned"])
                for one in row["references"]} == {(1, "subject", noun, False)}  # fmt: skip
        names = [check["name"] for check in row["checks"]]
        assert names == ["subject_similarity", "caption_similarity"]
        assert row["licence"] == "CC-BY 4.0; CC0"  # of all its pictures
        # References are the pictures that the row says they are, in that order.
        for path, one in zip(own[1:], row["references"], strict=True):
            whole = PIL.Image.open(folder / path).convert("RGB")
            shown = pixels(one["image"])
            other = whole.resize((shown.shape[1], shown.shape[0]), PIL.Image.Resampling.BOX)
            assert np.abs(np.asarray(other, np.float32) - shown).mean() < 8
    assert groups == {
        name: len(list((folder / name).glob("0?.jpg")))
        for name in ("grey-dog", "green-mug", "white-cat")
    }


@pytest.mark.parametrize("dataset", ["celeba", "celeba_hq"])
def test_faces(dataset: str, examples: Any, small_sets: Path, rows_of: Rows) -> None:
    """Each picture of a person is a target once; all others of that person go with it."""
    folder = folder_of(dataset, small_sets)
    known = {key: path for path, key in keys_of(dataset, small_sets).items()}
    persons = {
        keys_of(dataset, small_sets)[one.path]: group.name
        for group in Source(LAYOUT[dataset], str(folder)).listing().groups
        for one in group.pictures
    }
    rows = rows_of(examples.folder / dataset)
    sizes = Counter(persons[key] for key in {key for row in rows for key in row["sources"]})
    assert Counter(persons[row["sources"][0]] for row in rows) == sizes
    for row in rows:
        (person,) = {persons[key] for key in row["sources"]}
        assert len(row["sources"]) == sizes[person]
        assert {(one["marker"], one["role"], one["text"]) for one in row["references"]} == {
            (1, "face", "person")
        }
        assert row["licence"] == "CelebA, non-commercial research only"
        assert not licences.allows_commercial_use(row["licence"])
        assert known[row["sources"][0]]
        if dataset == "celeba":
            assert (" man" in row["caption"]) != (" woman" in row["caption"])
        else:
            assert row["caption"] == "a photo of a person"


@pytest.mark.parametrize("dataset", LAYOUT)
def test_the_same_wherever_the_folder_is(
    dataset: str, examples: Any, small_sets: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    """By its own verb, on a copy elsewhere whose files were written in another order."""
    source, copy = folder_of(dataset, small_sets), tmp_path / "copied"
    for path in sorted(source.rglob("*"), reverse=True):
        if path.is_file():
            target = copy / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    flags = {
        "wikiart": ["--art-licence", "Public domain"], "suti": [],
    }.get(dataset, ["--i-have-the-rights"])  # fmt: skip
    given = [f"--{OPTION[dataset]}", f"{copy}/", "--models", "embedded", "--size", 96, *flags]
    done = command(VERB[dataset], *given, "--output", tmp_path / "out")
    assert (done.code, done.lines) == (0, [])
    assert tree(tmp_path / "out" / dataset) == tree(examples.folder / dataset)
    again = command(VERB[dataset], *given, "--output", examples.folder)
    assert f"{VERB[dataset]}: nothing to do" in again.out
