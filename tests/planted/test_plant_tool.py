"""The verb `plant`: what it prints and refuses."""

from pathlib import Path

import pytest

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
