"""The verb `plant`: what it prints and refuses."""

from pathlib import Path

import pytest

from instruct_imagen_data.planted import extras
from instruct_imagen_data.tools import plant


def test_it_fills_a_folder_and_prints_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web = tmp_path / "web"
    assert plant.main(["--output", str(web), "--pairs", "14", "--seed", "2"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("14 pairs")
    assert "14/14" in printed.err
    assert sorted(path.name for path in web.iterdir()) == [
        "00000.tar", "maps-00000.parquet", "truth.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--pairs", "0"], "at least one pair"),
        (["--pairz", "3"], "did you mean --pairs"),
    ],
)
def test_wrong_use_is_one_line(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plant.main(["--output", str(tmp_path / "web"), *flags]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "web").exists()


def test_a_folder_that_holds_something_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert plant.main(["--output", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert plant.main(["--output", str(tmp_path / "mine.txt")]) == 2
    assert "is no folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_extras_are_planted_beside_the_web_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two pictures stand for each set: the sets themselves are tested apart.
    few = {"subjects": lambda seed: iter([(f"{seed}/0.jpg", b"a"), ("list.txt", b"b")]),
           "faces": lambda seed: iter([("1.jpg", b"c"), ("2.jpg", b"d")])}  # fmt: skip
    monkeypatch.setattr(extras, "SETS", few)
    web, folder = tmp_path / "web", tmp_path / "extras"
    flags = ["--output", str(web), "--pairs", "4", "--seed", "2", "--extras", str(folder)]
    assert plant.main(flags) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "extras           3  faces 2, subjects 1"
    assert "extras:" in printed.err
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    assert found == ["faces/1.jpg", "faces/2.jpg", "subjects/2/0.jpg", "subjects/list.txt"]


def test_a_folder_for_extras_that_cannot_be_filled_is_refused_before_anything_is_planted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web, mine = tmp_path / "web", tmp_path / "mine"
    mine.mkdir()
    (mine / "mine.txt").write_text("keep")
    for folder, words in (
        (mine, f"--extras {mine} is not empty"),
        (mine / "mine.txt", "mine.txt is no folder"),
        (web, "is the folder of --output"),
    ):
        assert plant.main(["--output", str(web), "--extras", str(folder)]) == 2
        assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert [path.name for path in mine.iterdir()] == ["mine.txt"]
