"""metrics.jsonl over a run that stops and goes on, and TensorBoard."""

import json
from pathlib import Path

import pytest
from helpers.loader_sets import write_stage1
from helpers.training import run_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from instruct_imagen_data.errors import UsageError
from model import train


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_stage1(tmp_path / "data", rows=20)


def test_lines_after_the_checkpoint_are_dropped_when_a_run_goes_on(
    tmp_path: Path, data: Path
) -> None:
    train.train(run_of(tmp_path, data, "run", total_examples=8))
    path = tmp_path / "run/metrics.jsonl"
    # As if it had been killed after 12, before the next checkpoint and amid a line.
    ahead = json.dumps({**json.loads(path.read_text().splitlines()[-1]), "examples": 12})
    path.write_text(path.read_text() + ahead + "\n" + '{"step": 4, "exam')
    train.train(run_of(tmp_path, data, "run", total_examples=16))
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["examples"] for line in told] == [4, 8, 12, 16]
    assert [line["step"] for line in told] == [1, 2, 3, 4]
    assert all(line["drawn"]["neighbourhoods"] == line["examples"] for line in told)
    assert all(0 <= line["data_wait"] <= 1 for line in told)


def test_tensorboard_holds_the_same_numbers(tmp_path: Path, data: Path) -> None:
    train.train(run_of(tmp_path, data, "run", total_examples=8))
    board = EventAccumulator(str(tmp_path / "run")).Reload()
    told = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    for tag, value in (
        ("loss", lambda line: line["loss"]),
        ("losses/neighbourhoods", lambda line: line["losses"]["neighbourhoods"]),
    ):
        shown = [(event.step, event.value) for event in board.Scalars(tag)]
        assert shown == [(line["examples"], pytest.approx(value(line))) for line in told]


def test_wandb_is_asked_for_where_it_is_not_installed(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UsageError, match="pip install wandb"):
        train.train(run_of(tmp_path, data, "run", output__wandb="project"))
