"""Whatever runs the job, and on however many threads, the output is the same bytes."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Job = Callable[..., Any]
Shell = Callable[..., subprocess.Popen[str]]
Tree = Callable[[Path], dict[str, str]]
LOOPBACK = "--environment_type=LOOPBACK"


@pytest.fixture(scope="session")
def source(web: Path, between_workers: Path, write_tar: Job, samples: Job) -> Path:
    """The planted web's tars, and small ones, so that workers have something to share."""
    folder = between_workers / "runners-web"
    if not folder.exists():
        made = folder.with_name(f"runners-web-{id(folder)}")
        shutil.copytree(web, made, ignore=shutil.ignore_patterns("*.parquet"))
        for number in range(4):
            write_tar(made / f"s{number}.tar", samples(range(5 * number, 5 * number + 5)))
        try:
            made.rename(folder)
        except OSError:  # another worker was first
            shutil.rmtree(made)
    return folder


@pytest.fixture(scope="session")
def one_thread(source: Path, between_workers: Path, shell: Shell, tree: Tree) -> dict[str, str]:
    """The output on one thread."""
    return _tree_of(shell, tree, source, between_workers / "one-thread", "--direct_num_workers=1")


def _tree_of(shell: Shell, tree: Tree, source: Path, out: Path, *flags: str) -> dict[str, str]:
    given = ("--input", f"{source}/*.tar", "--output", out, "--models", "embedded")
    run = shell("corpus", *given, "--block-rows", 16, *flags)
    _, error = run.communicate()
    assert run.returncode == 0, error
    return tree(out)


@pytest.mark.parametrize("workers", [2, 5])
def test_threads(
    workers: int, source: Path, one_thread: dict[str, str], tmp_path: Path, corpus: Job, tree: Tree
) -> None:
    flags = (f"--direct_num_workers={workers}", "--direct_running_mode=multi_threading")
    done = corpus(f"{source}/*.tar", tmp_path / "out", "--block-rows", 16, *flags)
    assert done.code == 0
    assert tree(tmp_path / "out") == one_thread


@pytest.mark.slow
def test_the_embedded_job_server(
    source: Path, one_thread: dict[str, str], tmp_path: Path, shell: Shell, tree: Tree
) -> None:
    """Steps and elements travel as they would to another machine: pickled, by their coders."""
    flags = ("--runner=PortableRunner", "--job_endpoint=embed", LOOPBACK)
    assert _tree_of(shell, tree, source, tmp_path / "out", *flags) == one_thread


@pytest.mark.slow
def test_prism(
    source: Path,
    one_thread: dict[str, str],
    tmp_path: Path,
    shell: Shell,
    tree: Tree,
    go_tool: Callable[[str], Path],
) -> None:
    """Beam's own portable engine: another scheduler, other bundles, other splits."""
    flags = ("--runner=PrismRunner", f"--prism_location={go_tool('prism')}", LOOPBACK)
    assert _tree_of(shell, tree, source, tmp_path / "out", *flags) == one_thread
