"""Runs that begin with a pipeline's weights, and what the command line says to wrong use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.loader_sets import write_stage1
from helpers.pipelines_on_disk import write_if, write_sd
from helpers.training import micro, run_of

from instruct_imagen_data.errors import UsageError
from model import backbone, checkpoint, train


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_stage1(tmp_path / "data", rows=20)


@pytest.mark.parametrize(("write", "kind"), [(write_if, "if"), (write_sd, "sd")])
def test_a_run_with_a_pipeline_goes_on_without_it(
    tmp_path: Path, data: Path, write: Callable[[Path], Path], kind: str
) -> None:
    folder = write(tmp_path / kind)
    begun = {"backbone": str(folder), "batch_size": 2}
    train.train(run_of(tmp_path, data, "run", total_examples=2, **begun))
    found = backbone.from_folder(checkpoint.model_folder(str(tmp_path / "run")))
    assert found.prediction_type == "epsilon"
    assert bool(found.vae) == (kind == "sd")
    # Only what is not trained is read again: the weights are the checkpoint's.
    for path in (folder / "unet").glob("*.safetensors"):
        path.unlink()
    assert train.train(run_of(tmp_path, data, "run", total_examples=4, **begun)).examples == 4


def test_a_pipeline_begins_as_it_is(tmp_path: Path, data: Path) -> None:
    folder = write_if(tmp_path / "if")
    config = run_of(tmp_path, data, "run", backbone=str(folder), context__at="level")
    begun = train.begin(config)
    assert (begun.unet.at, begun.unet.position) == ("level", "sincos2d")
    network = backbone.network(begun)
    assert all(torch.count_nonzero(one.to_out.weight) == 0 for one in network.context_down)
    wanted = {"backbone": str(folder), "schedule__prediction_type": "v_prediction"}
    with pytest.raises(UsageError, match="--retarget"):
        train.begin(run_of(tmp_path, data, "run", **wanted))
    retargeted = train.begin(run_of(tmp_path, data, "run", retarget=True, **wanted))
    assert retargeted.prediction_type == "v_prediction"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--run-dirr", "x"], "unknown flag --run-dirr: did you mean --run-dir?"),
        (
            ["--optimizer.learning-rte", "1"],
            "learning_rte is not known: did you mean learning_rate?",
        ),
        (["--init", "nowhere"], "nowhere holds no trained network"),
        (["--data", "nowhere"], "nowhere"),
        (["--optimizer.kind"], "--optimizer.kind has no value"),
    ],
)
def test_wrong_use_is_one_line(
    command: Callable[..., Any], tmp_path: Path, data: Path, given: list[str], message: str
) -> None:
    line = ["--config", micro(tmp_path), "--data", data, "--run-dir", tmp_path / "run"]
    done = command("train", *line, "--stage", 1, *given)
    assert (done.code, len(done.lines)) == (2, 1)
    assert done.lines[0].startswith("instruct-imagen train: ")
    assert message in done.lines[0]
    assert not (tmp_path / "run/checkpoints").exists()
