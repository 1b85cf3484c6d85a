"""Two processes give the gradients of one; a process is stopped and killed from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import rank_gradients, rank_runs
from helpers.loader_sets import write_stage1
from helpers.training import micro, run_of, weights
from safetensors.torch import load_file

from model import checkpoint, train

GRADIENTS, RUNS = Path(rank_gradients.__file__), Path(rank_runs.__file__)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def together(root: Path, world: int, script: Path, *arguments: object) -> None:
    """Runs a script in so many processes."""
    port = str(free_port())
    runs = []
    for rank in range(world):
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_PORT": port}
        given = {name: str(one) for name, one in told.items()}
        path = f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        env = {**os.environ, **given, "MASTER_ADDR": "127.0.0.1", "PYTHONPATH": path}
        line = [sys.executable, str(script), *map(str, arguments)]
        runs.append(subprocess.Popen(line, env=env, stderr=subprocess.PIPE, text=True, cwd=root))
    for run in runs:
        _, error = run.communicate(timeout=600)
        assert run.returncode == 0, error


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(root: Path, tmp_path: Path) -> None:
    """Also where one of them has no context at all."""
    data = write_stage1(tmp_path / "data", rows=20)
    toml = micro(tmp_path)
    together(root, 1, GRADIENTS, toml, data, tmp_path, "ddp")
    whole = load_file(tmp_path / "ddp-1.safetensors")
    assert all(one.abs().max() > 0 for name, one in whole.items() if "to_out" in name)
    for kind in ("ddp", "fsdp"):
        together(root, 2, GRADIENTS, toml, data, tmp_path, kind)
        found = load_file(tmp_path / f"{kind}-2.safetensors")
        assert found.keys() == whole.keys()
        for name, one in whole.items():
            torch.testing.assert_close(found[name], one, rtol=1e-5, atol=1e-5)
        kept = torch.load(tmp_path / f"{kind}-2.kept", weights_only=True)
        assert sorted(kept) == [[False], [True]]


@pytest.mark.slow
def test_sharded_runs_go_on_exactly_and_as_one_process(root: Path, tmp_path: Path) -> None:
    data = write_stage1(tmp_path / "data", rows=20)
    ports = [free_port() for _ in range(3)]
    together(root, 2, RUNS, micro(tmp_path), data, tmp_path, *ports)
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")
    lines = (tmp_path / "broken/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["examples"] for line in lines] == [4, 8, 12, 16]
    gap = json.loads(lines[-1])["context_gap"]["neighbourhoods"]

    # One process of its own comes to nearly the same, and takes over where they were.
    train.train(
        run_of(tmp_path, data, "alone", total_examples=16, output__gap_every=8, output__gap_rows=2)
    )
    alone = json.loads((tmp_path / "alone/metrics.jsonl").read_text().splitlines()[-1])
    assert gap == pytest.approx(alone["context_gap"]["neighbourhoods"], rel=1e-3)
    assert train.train(run_of(tmp_path, data, "broken", total_examples=20)).examples == 20


@pytest.mark.slow
def test_a_run_of_the_command_line_is_stopped_killed_and_goes_on(
    tmp_path: Path, shell: Callable[..., Any]
) -> None:
    data = write_stage1(tmp_path / "data", rows=20)
    given = ("--config", micro(tmp_path), "--stage", 1, "--data", data, "--output.save-every", 8)

    def started(run: str, total: int) -> subprocess.Popen[str]:
        where = ("--run-dir", tmp_path / run, "--total-examples", total)
        return shell("train", *given, *where)  # type: ignore[no-any-return]

    for number, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
        before = checkpoint.latest(str(tmp_path / "run"))
        run = started("run", 10**6)
        while checkpoint.latest(str(tmp_path / "run")) in (None, before):
            assert run.poll() is None, run.communicate()
            time.sleep(0.05)
        run.send_signal(number)
        error = run.communicate(timeout=120)[1]
        assert run.returncode == code, error
        assert ("the same command goes on" in error) == (number == signal.SIGTERM)

    reached = json.loads(
        Path(checkpoint.latest(str(tmp_path / "run")) or "", "state.json").read_text()
    )
    total = reached["examples"] + 8
    for name in ("run", "whole"):
        run = started(name, total)
        assert run.communicate(timeout=300)[0] is not None
        assert run.returncode == 0
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
