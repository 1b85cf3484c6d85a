"""Stage 2 keeps the promises of the other jobs: killed, on any runner, on a bucket, on threads."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instruct_imagen_data import shards

Shell = Callable[..., subprocess.Popen[str]]
Tree = Callable[[Path], dict[str, str]]
KILLS = 10
# One of each way that pictures come together: kept rows, folders, groups, pages, pairs.
ONLY = ("wikiart", "depth_webli", "sketch2image", "suti", "style_transfer")
LOOPBACK = "--environment_type=LOOPBACK"


@pytest.fixture(scope="session")
def few(source_sets: Path, between_workers: Path) -> Path:
    """A handful of each source set."""
    folder = between_workers / "few-sources"
    if not folder.exists():
        made = folder.with_name(f"few-sources-{id(folder)}")
        paintings = sorted(source_sets.glob("paintings/*/*.jpg"))[::6]
        sketches = sorted(source_sets.glob("sketches/image/*"))[:4]
        drawings = sorted(source_sets.glob("sketches/sketch-rendered/*/*"))[:10]
        for path in (*paintings, *sketches, *drawings):
            target = made / path.relative_to(source_sets)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        try:
            made.rename(folder)
        except OSError:  # another worker was first
            shutil.rmtree(made)
    return folder


@pytest.fixture(scope="session")
def flags(few: Path, finished_corpus: Path, finished_neighbourhoods: Path) -> list[object]:
    """The command, but for its output; the verdicts are beside the corpus."""
    given: list[object] = ["derive", "--corpus", finished_corpus, "--only", ",".join(ONLY)]
    given += ["--art", few / "paintings", "--sketches", few / "sketches", "--per-style", 2]
    return [*given, "--size", 96]


@pytest.fixture(scope="session")
def whole(flags: list[object], between_workers: Path, shell: Shell, tree: Tree) -> dict[str, str]:
    """The output of an unbroken run on one thread."""
    out = between_workers / f"whole-{id(flags)}"
    return made_by(shell, tree, flags, out, "--direct_num_workers=1")


def made_by(shell: Shell, tree: Tree, flags: list[object], out: Path, *more: str) -> dict[str, str]:
    run = shell(*flags, "--output", out, *more)
    _, error = run.communicate()
    assert run.returncode == 0, error
    return tree(out)


def commits(out: Path) -> dict[Path, int]:
    """Time of change of what a restart must leave as it is: committed parts, and their rows."""
    found = {}
    for path in out.glob(f"*/{shards.REJECTS}/*.parquet"):
        for one in (path, path.parent.parent / path.name):
            if one.exists():
                found[one] = one.stat().st_mtime_ns
    return found


@pytest.mark.slow
def test_killed_ten_times(
    flags: list[object], whole: dict[str, str], tmp_path: Path, shell: Shell, tree: Tree
) -> None:
    draw = random.Random(5)
    out = tmp_path / "out"
    progress = []
    for _ in range(KILLS):
        before = commits(out)
        run = shell(*flags, "--output", out)
        end = time.monotonic() + 30
        while run.poll() is None and time.monotonic() < end and commits(out) == before:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        after = commits(out)
        assert {path: after[path] for path in before} == before  # nothing done is done again
        progress.append(len(after))
    assert len(set(progress)) > 3, f"kills at {progress} files: too much alike"
    assert made_by(shell, tree, flags, out) == whole
    assert not list(out.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["--direct_num_workers=2", "--direct_running_mode=multi_threading"],
        ["--runner=PortableRunner", "--job_endpoint=embed", LOOPBACK],
    ],
    ids=["threads", "job server"],
)
def test_whatever_runs_it(
    more: list[str], flags: list[object], whole: dict[str, str], tmp_path: Path, shell: Shell,
    tree: Tree,
) -> None:  # fmt: skip
    assert made_by(shell, tree, flags, tmp_path / "out", *more) == whole


@pytest.mark.slow
def test_prism(
    flags: list[object], whole: dict[str, str], tmp_path: Path, shell: Shell, tree: Tree,
    go_tool: Callable[[str], Path],
) -> None:  # fmt: skip
    more = ("--runner=PrismRunner", f"--prism_location={go_tool('prism')}", LOOPBACK)
    assert made_by(shell, tree, flags, tmp_path / "out", *more) == whole


def test_intermediate_pictures_are_deleted(whole: dict[str, Any]) -> None:
    assert any("_phases" in name for name in whole)
    assert not any("/runs/" in name for name in whole)
