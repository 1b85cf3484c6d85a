"""Input files become blocks: names that stay, and only what is not done yet."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from instruct_imagen_data import schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import RejectRow
from instruct_imagen_data.stages import read
from instruct_imagen_data.stages.formats import Columns
from instruct_imagen_data.stages.read import Input

WriteTar = Callable[..., Path]


def files(*paths: str) -> list[storage.File]:
    return [storage.File(path, 1) for path in paths]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/w/0.tar", "/w/1.tar"], ["0.tar", "1.tar"]),
        (["/w/a/0.tar", "/w/b/0.tar", "/w/b/1.tar"], ["a/0.tar", "b/0.tar", "1.tar"]),
        (["/x/a/0.tar", "/y/a/0.tar"], ["x/a/0.tar", "y/a/0.tar"]),
        (["/w/a/0.tar", "/w/a.0.tar"], ["0.tar", "a.0.tar"]),
    ],
)
def test_names(paths: list[str], names: list[str]) -> None:
    found = read.name_inputs(files(*paths), {})
    assert [one.name for one in found] == names


def test_files_that_no_folder_tells_apart() -> None:
    with pytest.raises(UsageError, match=r"/w/0.tar cannot be told"):
        read.name_inputs(files("/w/0.tar", "/w/0.parquet"), {})


folders = st.lists(st.sampled_from(["a", "b", "a.b", "a-000", "ä c"]), min_size=1, max_size=3)
paths = st.sets(
    st.builds(
        lambda f, n: "/" + "/".join([*f, f"{n}.tar"]),
        folders,
        st.sampled_from(["0", "0-001", "x.y"]),
    ),
    min_size=1,
    max_size=6,
)


@given(paths, paths)
def test_added_files_rename_nothing(first: set[str], more: set[str]) -> None:
    try:
        before = read.name_inputs(files(*sorted(first)), {})
        known = {one.path: one.name for one in before}
        after = read.name_inputs(files(*sorted(first | more)), known)
    except UsageError:
        assume(False)  # "/a/b/0.tar" and "/a.b/0.tar": nothing is wrong with saying so
    assert {one.path: one.name for one in after}.items() >= known.items()
    for found in (before, after):
        parts = {shards.block_part(one.stem, n) for one in found for n in (0, 1)}
        assert len(parts) == 2 * len(found)
        assert all(one.path.endswith(one.name) for one in found)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("none", "no input"), ("*.tar", "no input"), ("only", "none that can be read.*csv")],
)
def test_nothing_to_read(tmp_path: Path, pattern: str, message: str) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "a.jpg").touch()
    with pytest.raises(UsageError, match=message):
        read.find_inputs(str(tmp_path / pattern))


def test_a_folder_of_img2dataset(tmp_path: Path) -> None:
    """Its Parquet files hold no pictures and lie beside the tars."""
    for name in ("00000.tar", "00000.parquet", "00000_stats.json"):
        (tmp_path / name).touch()
    assert [file.name for file in read.find_inputs(str(tmp_path))] == ["00000.tar"]
    assert [file.name for file in read.find_inputs(str(tmp_path / "*.parquet"))] == [
        "00000.parquet"
    ]


def commit(folder: Path, part: str, last: bool) -> None:
    rejects = schema.table_of(RejectRow, [])
    shards.commit_block(str(folder), part, {shards.REJECTS: rejects}, rows_in=4, last=last)


@pytest.mark.parametrize("done", [(), (0,), (1,), (0, 2), (0, 1, 2)])
def test_blocks_not_done_yet(tmp_path: Path, write_tar: WriteTar, done: tuple[int, ...]) -> None:
    path = write_tar(tmp_path / "a.tar", {f"{n:02d}.jpg": b"x" for n in range(11)})
    for index in done:
        commit(tmp_path / "out", f"a-{index:03d}", index == 2)
    source = Input(str(path), "a.tar", 1, done)
    found = list(
        read.read_blocks(source, output=str(tmp_path / "out"), columns=Columns(), max_rows=4)
    )
    todo = [index for index in range(3) if index not in done]
    assert [block.part for block in found] == [f"a-{index:03d}" for index in todo]
    assert [block.last for block in found] == [index == 2 for index in todo]
    assert [block.rows_in for block in found] == [(4, 4, 3)[index] for index in todo]
    for block, index in zip(found, todo, strict=True):
        origins = block.tables["pairs"]["origin"].to_pylist()
        assert origins == [f"a.tar#{n:02d}" for n in range(4 * index, min(11, 4 * index + 4))]


def test_a_finished_file_is_not_opened(tmp_path: Path) -> None:
    commit(tmp_path, "a-000", last=True)
    source = Input(str(tmp_path / "gone.tar"), "a.tar", 1, (0,))
    assert not list(read.read_blocks(source, output=str(tmp_path), columns=Columns(), max_rows=4))


def test_a_file_without_rows_is_one_empty_block(tmp_path: Path, write_tar: WriteTar) -> None:
    source = Input(str(write_tar(tmp_path / "a.tar", {})), "a.tar", 1)
    found = list(read.read_blocks(source, output=str(tmp_path), columns=Columns(), max_rows=4))
    assert [(block.part, block.rows_in, block.last) for block in found] == [("a-000", 0, True)]
    again = dataclasses.replace(source, done=(0,))
    commit(tmp_path, "a-000", last=True)
    assert not list(read.read_blocks(again, output=str(tmp_path), columns=Columns(), max_rows=4))


def test_long_captions_make_small_blocks(
    tmp_path: Path, write_tar: WriteTar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instruct_imagen_data.stages.blocks.MAX_BYTES", 1000)
    members = {
        f"{n}.{kind}": b"x" * (400 if kind == "txt" else 1)
        for n in range(6)
        for kind in ("jpg", "txt")
    }
    source = Input(str(write_tar(tmp_path / "a.tar", members)), "a.tar", 1)
    found = read.read_blocks(source, output=str(tmp_path), columns=Columns(), max_rows=100)
    assert [block.rows_in for block in found] == [2, 2, 2]


def test_estimate(tmp_path: Path, write_tar: WriteTar) -> None:
    path = write_tar(tmp_path / "a.tar", {f"{n}.jpg": b"x" * 900 for n in range(50)})
    size = path.stat().st_size
    blocks, rows = read.estimate(
        [Input(str(path), "a.tar", size), Input("b", "b.tar", 2 * size)], 20
    )
    assert rows == pytest.approx(150, rel=0.2)
    assert blocks == pytest.approx(9, abs=2)
    assert read.estimate([], 20) == (0, 0)
