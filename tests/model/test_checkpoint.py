"""Checkpoints on disk, and the tensor files that they are made of."""

import json
from pathlib import Path

import pytest
import torch
from helpers.loader_sets import write_stage1
from helpers.training import run_of
from safetensors.torch import load_file, save_file

from instruct_imagen_data.errors import UsageError
from model import backbone, checkpoint, tensors, train
from model.checkpoint import TrainState
from model.processes import Ranks

ALONE = Ranks(0, 1, torch.device("cpu"))


def some() -> dict[str, torch.Tensor]:
    return {
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "none": torch.empty(0, 3),
        "flag": torch.tensor([True, False, True]),
        "wide": torch.tensor([[0.1]], dtype=torch.float64),
    }


def test_tensor_files_are_those_of_safetensors(tmp_path: Path) -> None:
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    tensors.write(ours, some())
    save_file({name: one.contiguous() for name, one in some().items()}, theirs)
    for found in (load_file(ours), dict(tensors.read(ours)), dict(tensors.read(theirs))):
        assert found.keys() == some().keys()
        for name, one in some().items():
            assert found[name].dtype == one.dtype
            assert torch.equal(found[name], one)


def test_a_tensor_file_that_ends_too_soon_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    tensors.write(str(path), some())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError, match="cut is damaged"):
        dict(tensors.read(str(path)))


def test_a_process_that_does_not_write_leaves_no_file(tmp_path: Path) -> None:
    tensors.write(str(tmp_path / "other"), some(), here=False)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with checkpoints at 16 and 24 examples."""
    data = write_stage1(tmp_path / "data", rows=20)
    train.train(run_of(tmp_path, data, "run"))
    return tmp_path / "run"


def test_the_last_are_kept_and_nothing_else(run: Path) -> None:
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        "000000000016",
        "000000000024",
    ]
    assert not list(run.rglob("*.tmp"))


def test_the_trained_network_is_a_folder_that_others_open(run: Path) -> None:
    folder = checkpoint.model_folder(str(run))
    assert checkpoint.model_folder(folder) == folder
    assert checkpoint.model_folder(str(run / "checkpoints/000000000024")) == folder
    found = backbone.network(backbone.from_folder(folder))
    average = load_file(f"{folder}/model.safetensors")
    assert found.state_dict().keys() == average.keys()
    assert all(torch.equal(one, average[name]) for name, one in found.state_dict().items())
    with pytest.raises(UsageError, match="holds no trained network"):
        checkpoint.model_folder(str(run / "checkpoints"))


def test_damage_is_told_and_the_checkpoint_before_serves(run: Path) -> None:
    data = run.parent / "data"
    last = run / "checkpoints/000000000024"
    (last / "optimizer.safetensors").write_bytes(b"short")
    longer = run_of(run.parent, data, "run", total_examples=28)
    with pytest.raises(UsageError, match=r"damaged \(optimizer.safetensors is cut\): remove it"):
        train.train(longer)
    (last / "_MANIFEST.json").unlink()
    learner, _ = train.build(longer, ALONE, str(checkpoint.latest(str(run))))
    found = checkpoint.restore(str(checkpoint.latest(str(run))), learner, longer.options())
    assert found == TrainState(16, 4)


def test_the_manifest_names_every_file_and_its_size(run: Path) -> None:
    folder = run / "checkpoints/000000000024"
    told = json.loads((folder / "_MANIFEST.json").read_text())["files"]
    there = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.name != "_MANIFEST.json"
    }
    assert told == there
    assert len(told) == 6
