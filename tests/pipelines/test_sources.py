"""The jobs over source folders: every picture is used or rejected, and rows are what they say."""

import io
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from instruct_imagen_data import keys, licences, shards
from instruct_imagen_data.sources import layouts
from instruct_imagen_data.sources.layouts import Source

Command = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
Tree = Callable[[Path], dict[str, str]]
LAYOUT = {"wikiart": "paintings", "suti": "subjects", "celeba": "celeba", "celeba_hq": "celeba_hq"}
FOLDER = {"celeba": "faces", "celeba_hq": "faces-hq"}
VERB = {"wikiart": "art", "suti": "subject", "celeba": "face", "celeba_hq": "face"}
OPTION = {"wikiart": "art", "suti": "subjects", "celeba": "celeba", "celeba_hq": "celeba-hq"}
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


def folder_of(dataset: str, sets: Path) -> Path:
    return sets / FOLDER.get(dataset, LAYOUT[dataset])


def keys_of(dataset: str, sets: Path) -> dict[str, str]:
    """Path to key, of every picture that the folder lists, there or not."""
    folder = folder_of(dataset, sets)
    found = {}
    for group in Source(LAYOUT[dataset], str(folder)).listing().groups:
        for one in group.pictures:
            path = folder / one.path
            data = path.read_bytes() if path.exists() else b""
            found[one.path] = keys.pair_key(f"file:{one.path}", one.caption, data)
    assert len(set(found.values())) == len(found)
    return found


def pixels(encoded: dict[str, Any]) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(encoded["bytes"])).convert("RGB"), np.float32)


def small(encoded: dict[str, Any]) -> np.ndarray:
    picture = PIL.Image.open(io.BytesIO(encoded["bytes"])).convert("RGB")
    return np.asarray(picture.resize((32, 32), PIL.Image.Resampling.BOX), np.float32)


def refused(done: Any, *words: str) -> None:
    assert done.code == 2, done
    (line,) = done.lines
    for word in words:
        assert word in line


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


@pytest.fixture
def two(small_sets: Path, tmp_path: Path) -> Path:
    """Two subjects of five and four pictures, in a folder that a test may change."""
    layouts._listing.cache_clear()  # tests share a process, and a folder is listed once in each
    for name in ("grey-dog", "white-cat"):
        for path in (small_sets / "subjects" / name).glob("0?.jpg"):
            (tmp_path / "two" / name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tmp_path / "two" / name / path.name)
    return tmp_path / "two"


def test_whole_groups_are_held_out(
    small_sets: Path, tmp_path: Path, command: Command, rows_of: Rows
) -> None:
    for dataset, share, flags in (
        ("wikiart", 0.5, ()),
        ("celeba", 0.4, ("--i-have-the-rights",)),
    ):
        folder = folder_of(dataset, small_sets)
        given = (f"--{OPTION[dataset]}", folder, "--models", "embedded", "--size", 64, *flags)
        done = command(VERB[dataset], *given, "--output", tmp_path, "--validation-share", share)
        assert done.code == 0, done
        paths = {key: path for path, key in keys_of(dataset, small_sets).items()}
        identities = dict(
            line.split()
            for line in (small_sets / "faces" / "identity_CelebA.txt").read_text().splitlines()
        )
        splits: dict[str, set[str]] = defaultdict(set)
        for row in rows_of(tmp_path / dataset):
            name = paths[row["sources"][0]].split("/")[-1]
            whose = name.split("_")[0] if dataset == "wikiart" else identities[name]
            splits[whose].add(row["split"])
        assert {split for each in splits.values() for split in each} == {"train", "validation"}
        assert all(len(each) == 1 for each in splits.values())


def test_licences_and_checks_decide(
    examples: Any, small_sets: Path, tmp_path: Path, command: Command, rows_of: Rows
) -> None:
    folder = small_sets / "subjects"
    before = rows_of(examples.folder / "suti")
    worst = {row["key"]: min(check["value"] for check in row["checks"]) for row in before}
    low, *others = sorted(worst.values())
    limit = (low + others[0]) / 2
    given = ("subject", "--subjects", folder, "--models", "embedded", "--size", 96)
    some = command(*given, "--output", tmp_path, "--min-check", limit, "--licences", "commercial")
    assert some.code == 0
    kept = rows_of(tmp_path / "suti")
    assert {row["key"] for row in kept} == {key for key, value in worst.items() if value > limit}
    rejects = rows_of(tmp_path / "suti", shards.REJECTS)
    (lost,) = [row for row in before if worst[row["key"]] == low]
    by_reason: dict[str, set[str]] = defaultdict(set)
    for row in rejects:
        by_reason[row["reason"]].add(row["key"])
        if row["reason"] == "check":
            assert row["value"] == pytest.approx(low, abs=1e-4)
            assert row["threshold"] == pytest.approx(limit)
            assert row["detail"] in {check["name"] for check in lost["checks"]}
    assert by_reason["check"] == set(lost["sources"])
    known = keys_of("suti", small_sets)
    # Whatever states no licence is not even opened.
    silent = [path for path in known if not path.split("/")[1].startswith("0") or "pair" in path]
    assert by_reason["licence"] == {known[path] for path in silent}
    assert {row["detail"] for row in rejects if row["reason"] == "licence"} == {"unknown"}


def test_subjects_by_other_rules(
    two: Path, tmp_path: Path, command: Command, rows_of: Rows
) -> None:
    """As many targets as asked; what is beyond the largest group is a reject of its own."""
    given = ("subject", "--subjects", two, "--models", "embedded", "--size", 64)
    flags = ("--max-group", 3, "--targets", 2, "--validation-share", 1, "--licences", "all")
    assert command(*given, "--output", tmp_path, *flags).code == 0
    rows = rows_of(tmp_path / "suti")
    assert len(rows) == 4
    assert {len(row["sources"]) for row in rows} == {3}
    assert len({row["sources"][0] for row in rows}) == 4
    assert len({key for row in rows for key in row["sources"]}) == 6
    assert {row["split"] for row in rows} == {"validation"}
    assert {row["caption"] for row in rows} == {"a photo of a grey dog", "a photo of a white cat"}
    assert {row["licence"] for row in rows} == {"unknown"}
    rejects = rows_of(tmp_path / "suti", shards.REJECTS)
    there = len(list(two.rglob("*.jpg")))
    assert Counter(row["reason"] for row in rejects) == {"surplus": there - 6}


def test_restarts(two: Path, tmp_path: Path, command: Command, tree: Tree) -> None:
    out = tmp_path / "out"
    given = ("subject", "--subjects", two, "--models", "embedded", "--output", out)
    assert command(*given, "--size", 64).code == 0
    before = tree(out)
    assert "subject: nothing to do" in command(*given, "--size", 64).out
    other = command(*given, "--size", 65)
    refused(other, "suti holds another job", "--size was 64, is now 65", "--overwrite")
    refused(command(*given, "--size", 64, "--targets", 2), "--targets was 1, is now 2")
    assert tree(out) == before
    folder = out / "suti"
    for lost in (folder / shards.REJECTS / "part-00000.parquet", folder / shards.MANIFEST):
        lost.unlink()
    assert command(*given, "--size", 64).code == 0
    assert tree(out) == before
    (two / "white-cat" / "00.txt").write_text("a cat with a caption")
    layouts._listing.cache_clear()
    refused(command(*given, "--size", 64), "suti holds another job", "--subjects was ")
    assert command(*given, "--size", 64, "--overwrite").code == 0
    assert tree(out) != before
    (two / "white-cat" / "00.txt").unlink()
    layouts._listing.cache_clear()
    assert command(*given, "--size", 64, "--overwrite").code == 0
    assert tree(out) == before


def test_a_picture_that_goes_while_the_job_runs(
    two: Path, tmp_path: Path, command: Command
) -> None:
    given = ("subject", "--subjects", two, "--models", "embedded", "--output", tmp_path / "out")
    assert command(*given, "--plan").code == 0  # lists the folder
    (two / "white-cat" / "01.jpg").unlink()
    done = command(*given)
    assert done.code == 2
    assert "white-cat/01.jpg" in done.lines[-1]
    assert not (tmp_path / "out" / "suti" / shards.MANIFEST).exists()


def test_a_set_added_later(examples: Any, command: Command, tree: Tree) -> None:
    """A dataset does not depend on the folders of others: nothing is made again or refused."""
    before = tree(examples.folder)
    flags = list(examples.flags)
    for name in ("--celeba-hq", "--art", "--sketches"):
        place = flags.index(name)
        del flags[place : place + 2]
    done = command("derive", *flags, "--output", examples.folder, "--only", "celeba,suti")
    assert (done.code, done.lines) == (0, [])
    assert done.out.count("nothing to do") == 2
    assert "  celeba_hq         skipped: not in --only, is there" in done.out
    assert tree(examples.folder) == before


def test_the_table_tells_why(examples: Any, tmp_path: Path, command: Command) -> None:
    """All eleven have a line, in the order of Table 1, with what they lack."""
    names = [line.split()[0] for line in examples.printed.splitlines()[-11:]]
    assert names == [
        "natural", "wikiart", "depth_webli", "mask_webli", "edge_webli", "sketch2image", "suti",
        "celeba", "celeba_hq", "styled", "style_transfer",
    ]  # fmt: skip
    flags = list(examples.flags)
    flags.remove("--i-have-the-rights")
    for name in ("--celeba-hq", "--art"):
        place = flags.index(name)
        del flags[place : place + 2]
    only = "celeba,celeba_hq,wikiart,styled,style_transfer"
    done = command("derive", *flags, "--output", tmp_path / "out", "--only", only)
    assert done.code == 0
    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines()[-11:])
    assert list(lines) == names
    for name in ("wikiart", "styled", "style_transfer"):
        assert lines[name] == "skipped: no --art"
    assert lines["celeba"] == "skipped: no --i-have-the-rights"
    assert lines["celeba_hq"] == "skipped: no --celeba-hq"
    assert lines["suti"] == "skipped: not in --only"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("verb", "flags", "words"),
    [
        ("face", ["--celeba", "{faces}"], ["faces are personal data", "--i-have-the-rights"]),
        ("face", ["--celeba-hq", "{hq}"], ["faces are personal data", "--i-have-the-rights"]),
        ("face", ["--i-have-the-rights"], ["name a folder by --celeba, or by --celeba-hq"]),
        ("face", ["--i-have-the-rights", "--only", "celeba_hq", "--celeba", "{faces}"],
         ["celeba_hq: name its folder by --celeba-hq"]),
        ("face", ["--i-have-the-rights", "--only", "celebs"], ["known are celeba, celeba_hq"]),
        ("face", ["--i-have-the-rights", "--celeba", "{faces}", "--min-group", "1"],
         ["--min-group 1", "at least 2 pictures"]),
        ("face", ["--i-have-the-rights", "--celeba-hq", "{faces}"], ["no CelebA-HQ-to-CelebA-map"]),
        ("subject", [], ["--subjects, or a corpus by --corpus"]),
        ("subject", ["--subjects", "{subjects}", "--targets", "0"], ["--targets 0", "one target"]),
        ("subject", ["--subjects", "{subjects}", "--min-group", "5", "--max-group", "4"],
         ["--min-group 5, --max-group 4"]),
        ("subject", ["--subjects", "none"], ["none: no such folder, or an empty one"]),
        ("subject", ["--subjects", "{subjects}/pair"], ["a folder per subject is wanted"]),
        ("art", [], ["required: art"]),
        ("art", ["--art", "none"], ["none: no such folder, or an empty one"]),
        ("art", ["--art", "{paintings}", "--validation-share", "1.5"], ["--validation-share 1.5"]),
        ("sketch", [], ["--sketches, or photos by --corpus"]),
        ("styled", ["--corpus", "none", "--art", "{paintings}"], ["none holds no finished corpus"]),
        ("style-transfer", ["--corpus", "none", "--art", "{paintings}", "--strength", "2"],
         ["--strength 2.0: from 0 to 1"]),
        ("styled", ["--corpus", "none", "--art", "{paintings}", "--per-style", "0"],
         ["--per-style 0: at least 1"]),
    ],
)  # fmt: skip
def test_wrong_use(
    verb: str, flags: list[str], words: list[str], small_sets: Path, tmp_path: Path,
    command: Command,
) -> None:  # fmt: skip
    places = {name: small_sets / name for name in ("faces", "subjects", "paintings")}
    given = [flag.format(hq=small_sets / "faces-hq", **places) for flag in flags]
    done = command(verb, *given, "--output", tmp_path / "out", "--models", "embedded")
    refused(done, *words)
    assert not (tmp_path / "out").exists()
