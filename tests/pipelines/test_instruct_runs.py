"""`instruct` keeps the promises of the other jobs: killed, on threads, on any runner."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import derived_rows
from helpers.derived_rows import row

from instruct_imagen_data import shards, storage

Command = Callable[..., Any]
Shell = Callable[..., subprocess.Popen[str]]
Tree = Callable[[Path], dict[str, str]]
KILLS = 5
PARTS, ROWS = 40, 8  # of each dataset
NAMES = ("suti", "style_transfer")
THREADS = ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]
JOB_SERVER = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The command, but for its output: a few rows are rejected."""
    folder = tmp_path_factory.mktemp("many")
    datasets = {
        name: {f"{part:05d}": [one(name, ROWS * part + n) for n in range(ROWS)]
               for part in range(PARTS)}
        for name in NAMES
    }  # fmt: skip
    derived_rows.write(folder / "examples", datasets)
    derived_rows.write_templates(folder / "templates")
    given = ["--examples", folder / "examples", "--templates", folder / "templates"]
    return ["instruct", *given, "--total-examples", 100_000, "--max-replay", 300]


def one(name: str, number: int) -> Any:
    return row(name, number, **({"references": ()} if number % 50 == 3 else {}))


@pytest.fixture(scope="module")
def whole(flags: list[object], tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """The output of an unbroken run on one thread."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run = shell(*flags, "--output", out, "--direct_num_workers=1")
    _, error = run.communicate()
    assert run.returncode == 0, error
    return out


def commits(out: Path) -> dict[Path, int]:
    """Time of change of what a restart must leave as it is: committed parts, and their rows."""
    found = {}
    for path in out.glob(f"*/{shards.REJECTS}/*.parquet"):
        for file in (path, path.parent.parent / path.name):
            found[file] = file.stat().st_mtime_ns
    return found


@pytest.mark.parametrize("rejects_first", [True, False])
def test_only_what_is_not_committed_is_made_again(
    flags: list[object], whole: Path, tmp_path: Path, command: Command, tree: Tree,
    rejects_first: bool,
) -> None:  # fmt: skip
    """As a kill leaves it: no manifest, parts without their commit, a temporary file."""
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    for name in NAMES:
        (out / name / shards.MANIFEST).unlink()
        for path in sorted((out / name / shards.REJECTS).iterdir())[5:15]:
            path.unlink()
            if rejects_first:
                (out / name / path.name).unlink()
    (out / "mixture.toml").unlink()
    before = commits(out)
    assert len(before) == 2 * 2 * (PARTS - 10)
    assert command(*flags, "--output", out).code == 0
    assert {path: commits(out)[path] for path in before} == before
    assert tree(out) == tree(whole)


def test_two_threads_make_the_same(
    flags: list[object], whole: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    assert command(*flags, "--output", tmp_path / "out", *THREADS).code == 0
    assert tree(tmp_path / "out") == tree(whole)


def test_every_row_is_accounted_for(whole: Path) -> None:
    for name in NAMES:
        manifest = shards.require_finished(str(whole / name), "instruct")
        assert manifest["rows_in"] == PARTS * ROWS
        bad = len([n for n in range(PARTS * ROWS) if n % 50 == 3])
        assert manifest["rows"] == {name: PARTS * ROWS - bad, shards.REJECTS: bad}
        assert manifest["reasons"] == {"malformed": bad}
        assert sum(manifest["splits"].values()) == PARTS * ROWS - bad


def test_progress_counts_the_parts_of_all_datasets(
    flags: list[object], tmp_path: Path, command: Command
) -> None:
    done = command(*flags, "--output", tmp_path / "out")
    assert f"instruct: 100%|██████████| {2 * PARTS}/{2 * PARTS}" in done.err


def test_a_disk_that_does_not_answer(
    flags: list[object], whole: Path, tmp_path: Path, command: Command, tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It stops in the middle; the same command ends as if nothing was."""
    put, left = storage.write_bytes, [30]

    def fail(place: str, data: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        put(place, data)

    monkeypatch.setattr(storage, "write_bytes", fail)
    done = command(*flags, "--output", tmp_path / "out")
    assert done.code == 2
    assert "no space left" in done.lines[-1]
    monkeypatch.undo()
    assert 0 < len(commits(tmp_path / "out")) < 30
    assert command(*flags, "--output", tmp_path / "out").code == 0
    assert tree(tmp_path / "out") == tree(whole)


@pytest.mark.slow
def test_killed(
    flags: list[object], whole: Path, tmp_path: Path, shell: Shell, command: Command, tree: Tree
) -> None:
    draw = random.Random(5)
    out = tmp_path / "out"
    progress = []
    for _ in range(KILLS):
        before = commits(out)
        run = shell(*flags, "--output", out, "--direct_num_workers=1")
        end = time.monotonic() + 60
        while run.poll() is None and time.monotonic() < end and len(commits(out)) <= len(before):
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.1))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        after = commits(out)
        assert {path: after[path] for path in before} == before  # nothing done is done again
        progress.append(len(after))
    assert 0 < progress[0] < 2 * 2 * PARTS, f"kills at {progress} files"
    assert command(*flags, "--output", out).code == 0
    assert tree(out) == tree(whole)
    assert not list(out.rglob("*.tmp"))


@pytest.mark.slow
def test_a_job_server_makes_the_same(
    flags: list[object], whole: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    assert command(*flags, "--output", tmp_path / "out", *JOB_SERVER).code == 0
    assert tree(tmp_path / "out") == tree(whole)
