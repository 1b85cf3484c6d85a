"""The network that comes with the project: what it is, and how it gets there."""

import json
from pathlib import Path

import pytest
import torch
from helpers.loader_sets import write_stage1
from helpers.training import run_of
from safetensors.torch import load, save

from instruct_imagen_data.errors import UsageError
from model import backbone, ship, train
from model.options import Options, config_of

FOLDER = Path(backbone.__file__).parent / "presets" / ship.NAME


def test_the_shipped_network_is_small_and_has_seen_no_reference() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4 << 20
    tensors = load((FOLDER / "model.safetensors").read_bytes())
    assert not tensors["context_mid.to_out.weight"].any()
    record = json.loads((FOLDER / ship.RECORD).read_text())
    assert record["parameters"] == sum(one.numel() for one in tensors.values())
    losses = record["loss of held out pictures, by text"]
    assert losses["right"] < losses["none"] < losses["swapped"]


def test_tiny_begins_with_it_unless_told_otherwise(tmp_path: Path) -> None:
    data = str(write_stage1(tmp_path / "data", rows=20))
    options = Options("tiny", data, str(tmp_path / "run"), 1)
    begun = backbone.network(train.begin(config_of(options, {})))
    shipped = load((FOLDER / "model.safetensors").read_bytes())
    for name, weight in begun.state_dict().items():
        assert torch.equal(weight, shipped[name].float())
    fresh = backbone.network(train.begin(config_of(options, {"train.begin": ""})))
    assert not torch.equal(fresh.backbone.conv_in.weight, begun.backbone.conv_in.weight)


def test_another_network_cannot_begin_with_it(tmp_path: Path) -> None:
    options = Options("tiny", "data", str(tmp_path / "run"), 1)
    with pytest.raises(UsageError, match=r'another network than this config.*train\.begin ""'):
        train.begin(config_of(options, {"context.at": "level"}))
    with pytest.raises(UsageError, match="'giant' does not come with the project"):
        train.begin(config_of(options, {"train.begin": "giant"}))


def test_a_network_that_has_seen_references_is_not_shipped(tmp_path: Path) -> None:
    data = write_stage1(tmp_path / "data", rows=20)
    train.train(run_of(tmp_path, data, "run"))
    learnt = next((tmp_path / "run").rglob("ema/model.safetensors")).read_bytes()
    with pytest.raises(UsageError, match=r"context_mid\.to_out\.weight is not zero"):
        ship.pack(learnt)
    tensors = load(learnt) | {"context_mid.to_out.weight": torch.zeros(16, 16)}
    packed = load(ship.pack(save(tensors)))
    assert {one.dtype for one in packed.values()} == {torch.float16}


def test_what_is_too_large_is_not_shipped() -> None:
    with pytest.raises(UsageError, match=r"5\.0 MB of weights: at most 4"):
        ship.pack(save({"weight": torch.zeros(5 << 19)}))
