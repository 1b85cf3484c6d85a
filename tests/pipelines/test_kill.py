"""Jobs that are killed at any moment and started again end as if nothing had been."""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from instruct_imagen_data import index, shards

Shell = Callable[..., subprocess.Popen[str]]
Tree = Callable[[Path], dict[str, str]]
KILLS = 10
IMPORTS_SECONDS = 30.0  # within which a start shows its first sign
LONGEST_PAUSE = {"corpus": 0.5, "neighbours": 0.1}  # seconds from that sign to the kill
both_jobs = pytest.mark.parametrize("job", LONGEST_PAUSE, indirect=True)


@pytest.fixture
def job(request: pytest.FixtureRequest, web: Path, finished_corpus: Path) -> list[object]:
    """The command line of a job (its verb is the parameter), but for its output."""
    flags: dict[str, list[object]] = {
        "corpus": ["--input", f"{web}/*.tar", "--models", "embedded", "--block-rows", 4],
        "neighbours": ["--corpus", finished_corpus],
    }
    return [request.param, *flags[request.param]]


@pytest.fixture
def whole(job: list[object], tmp_path: Path, shell: Shell, finished_corpus: Path) -> Path:
    """The output of an unbroken run."""
    if job[0] == "corpus":
        return finished_corpus
    run = shell(*job, "--output", tmp_path / "whole")
    _, error = run.communicate()
    assert run.returncode == 0, error
    return tmp_path / "whole"


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """(inode, time of change) of each file: both change when a file is written anew."""
    found = {}
    for path in folder.rglob("*"):
        try:
            stat = path.stat()
        except FileNotFoundError:  # a temporary file, renamed meanwhile
            continue
        if path.is_file():
            found[path] = (stat.st_ino, stat.st_mtime_ns)
    return found


def settled(verb: str, folder: Path) -> Iterator[Path]:
    """Files that no restart may touch: of committed blocks, or of finished phases."""
    present = [path for path in files(folder) if path.name.endswith(".parquet")]
    if verb == "corpus":
        parts = {path.name for path in present if path.parent.name == shards.REJECTS}
        yield from (p for p in present if p.name in parts and p.parent.name != index.FOLDER)
    else:
        done = {path.parent for path in folder.glob(f"_phases/*/{shards.MANIFEST}")}
        yield from (path for path in present if done & set(path.parents))


def wait_for_a_sign(run: subprocess.Popen[str], folder: Path) -> None:
    """Returns once the run has written anything, or ended."""
    before, start = files(folder), time.monotonic()
    while run.poll() is None and time.monotonic() - start < IMPORTS_SECONDS:
        if files(folder) != before:
            return
        time.sleep(0.01)


@pytest.mark.slow
@both_jobs
def test_killed_ten_times(
    job: list[object], whole: Path, tmp_path: Path, shell: Shell, tree: Tree
) -> None:
    draw = random.Random(3)
    out = tmp_path / "out"
    verb = str(job[0])
    progress = []
    for number in range(KILLS):
        before = {path: files(out)[path] for path in settled(verb, out)} if out.exists() else {}
        run = shell(*job, "--output", out)
        if number % 5 == 4:
            time.sleep(draw.uniform(0, 5))  # while it imports, plans, or begins
        else:
            wait_for_a_sign(run, out)
            time.sleep(draw.uniform(0, LONGEST_PAUSE[verb]))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        after = files(out) if out.exists() else {}
        assert {path: after[path] for path in before} == before  # nothing done is done again
        progress.append(len(after))
    assert len(set(progress)) > KILLS // 2, f"kills at {progress} files: too much alike"
    last = shell(*job, "--output", out)
    _, error = last.communicate()
    assert last.returncode == 0, error
    assert tree(out) == tree(whole)
    assert not list(out.rglob("*.tmp"))


@pytest.mark.slow
@both_jobs
def test_a_second_start_is_quick(job: list[object], whole: Path, shell: Shell, tree: Tree) -> None:
    before = files(whole)
    start = time.monotonic()
    run = shell(*job, "--output", whole)
    out, _ = run.communicate()
    assert time.monotonic() - start < 10
    assert run.returncode == 0
    assert f"{job[0]}: nothing to do, {whole} is finished" in out
    assert files(whole) == before


@pytest.mark.slow
@pytest.mark.parametrize("job", ["corpus"], indirect=True)
def test_two_starts_at_once(
    job: list[object], whole: Path, tmp_path: Path, shell: Shell, tree: Tree
) -> None:
    runs = [shell(*job, "--output", tmp_path / "out") for _ in range(2)]
    readers = [threading.Thread(target=run.communicate) for run in runs]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert [run.returncode for run in runs] == [0, 0]
    assert tree(tmp_path / "out") == tree(whole)


def test_interrupted_by_hand(web: Path, tmp_path: Path, shell: Shell) -> None:
    """Ctrl-C ends with one line and the exit code that shells know."""
    flags = ("--input", f"{web}/*.tar", "--models", "embedded", "--block-rows", 4)
    run = shell("corpus", *flags, "--output", tmp_path / "out")
    wait_for_a_sign(run, tmp_path / "out")
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate()
    assert run.returncode == 130
    assert error.rstrip().endswith("corpus: interrupted; the same command continues it")
    assert "Traceback" not in error
