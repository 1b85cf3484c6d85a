"""The options of the jobs over source folders: splits, licences, checks, restarts, wrong use."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.source_jobs import OPTION, VERB, folder_of, keys_of, refused

from instruct_imagen_data import shards
from instruct_imagen_data.sources import layouts

Command = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
Tree = Callable[[Path], dict[str, str]]


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
