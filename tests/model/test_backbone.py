"""Backbones: presets, and the folders of pipelines, of which all that belongs together is taken."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from helpers import networks
from helpers import pipelines_on_disk as disk

from instruct_imagen_data.errors import UsageError
from model import backbone, diffusion
from model.space import Latents, Pixels
from model.text import TextConfig


@pytest.fixture(scope="module")
def deepfloyd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk.write_if(tmp_path_factory.mktemp("if"))


@pytest.fixture(scope="module")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk.write_sd(tmp_path_factory.mktemp("sd"))


def test_deepfloyd_comes_with_what_belongs_to_it(deepfloyd: Path) -> None:
    found = backbone.from_folder(str(deepfloyd), "level", "sincos2d")
    assert found.prediction_type == "epsilon"
    assert found.schedule["beta_schedule"] == "squaredcos_cap_v2"
    assert found.schedule["variance_type"] == "fixed_small"  # its variances are not trained on
    assert found.schedule["sample_max_value"] == 1.5
    assert found.text == TextConfig("t5", disk.WIDTH, str(deepfloyd), 77, 77, lowercase=True)
    assert (found.unet.at, found.unet.position, found.unet.text_mask) == (
        "level",
        "sincos2d",
        False,
    )
    assert found.vae == ""
    around = backbone.frozen(found)
    assert isinstance(around.space, Pixels)
    assert backbone.sample_shape(found, around, 16) == (3, 16, 16)


def test_stable_diffusion_comes_with_what_belongs_to_it(stable: Path) -> None:
    found = backbone.from_folder(str(stable))
    assert found.prediction_type == "epsilon"  # its scheduler's file does not say
    assert found.schedule["beta_schedule"] == "scaled_linear"
    assert found.schedule["clip_sample"] is False
    assert found.text == TextConfig("clip", disk.WIDTH, str(stable), 77, 77)
    around = backbone.frozen(found)
    assert isinstance(around.space, Latents)
    assert backbone.sample_shape(found, around, 16) == (4, 8, 8)


@pytest.mark.parametrize("kind", ["deepfloyd", "stable"])
@pytest.mark.parametrize("at", ["bottleneck", "level"])
def test_the_network_begins_as_the_pipeline_and_trains(
    kind: str, at: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(kind)
    found = backbone.from_folder(str(folder), at)  # type: ignore[arg-type]
    network, around = backbone.network(found, seed=5), backbone.frozen(found)
    base = UNet2DConditionModel.from_pretrained(folder / "unet")
    channels, side, _ = backbone.sample_shape(found, around, 16)
    text = around.text(["A cat as [ref#1]", ""], around.length)
    sample, time = networks.samples(network), torch.tensor([7, 800])
    with torch.no_grad():
        expected = base(sample, time, text.states).sample[:, :channels]
        assert torch.equal(network(sample, time, text), expected)
    noise = torch.randn(2, channels, side, side)
    given = dataclasses.replace(networks.batch(2, references=1), noise=noise)
    rows = diffusion.loss(network, given, around)
    assert rows.shape == (2,)
    rows.mean().backward()
    assert all(one.grad is not None for one in network.parameters())
    # A batch of which no reference is left, in latents too.
    alone = dataclasses.replace(given, keep_context=torch.zeros(2, dtype=torch.bool))
    assert diffusion.loss(network, alone, around).isfinite().all()


def test_new_layers_are_drawn_from_the_seed_alone() -> None:
    found = backbone.preset("tiny")
    torch.manual_seed(11)
    before = torch.rand(1)
    torch.manual_seed(11)
    one = backbone.network(found, seed=1)
    assert torch.equal(torch.rand(1), before)  # torch's own generator is where it was
    torch.manual_seed(12)
    again, other = backbone.network(found, seed=1), backbone.network(found, seed=2)
    for name, weights in one.state_dict().items():
        assert torch.equal(weights, again.state_dict()[name]), name
    assert not torch.equal(one.context_mid.to_q.weight, other.context_mid.to_q.weight)


def test_another_prediction_type_needs_retarget(deepfloyd: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"predicts epsilon and the config asks for v_.*--retarget"
    ):
        backbone.from_folder(str(deepfloyd), prediction_type="v_prediction")
    turned = backbone.from_folder(str(deepfloyd), prediction_type="v_prediction", retarget=True)
    assert turned.prediction_type == "v_prediction"
    assert backbone.frozen(turned).scheduler.config.prediction_type == "v_prediction"
    same = backbone.from_folder(str(deepfloyd), prediction_type="epsilon")
    assert same == backbone.from_folder(str(deepfloyd))
    two = disk.write_sd(tmp_path / "sd2", prediction_type="v_prediction")
    assert backbone.from_folder(str(two)).prediction_type == "v_prediction"


def test_latents_are_of_unit_scale_and_come_back(stable: Path) -> None:
    space = Latents.load(str(stable / "vae"))
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = space.encode(pictures)
    assert latents.shape == (2, 4, 8, 8)
    vae = space._vae
    with torch.no_grad():
        mean = vae.quant_conv(vae.encoder(pictures))[:, :4]
        expected = vae.decoder(vae.post_quant_conv(mean))
    torch.testing.assert_close(latents, mean * vae.config.scaling_factor)
    torch.testing.assert_close(space.decode(latents), expected)
    assert space.encode(pictures[:0]).shape == (0, 4, 8, 8)
    with pytest.raises(UsageError, match="there is no VAE"):
        Latents.load(str(stable / "unet-of-nothing"))


def test_a_folder_that_is_no_pipeline_is_told(
    deepfloyd: Path, stable: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="there is no unet and no scheduler"):
        backbone.from_folder(str(deepfloyd / "unet"))
    mixed = tmp_path / "mixed"
    shutil.copytree(stable, mixed)
    config = mixed / "text_encoder" / "config.json"
    given = json.loads(config.read_text())
    config.write_text(json.dumps({**given, "hidden_size": 768}))
    with pytest.raises(UsageError, match="768 numbers a token and its UNet reads 16"):
        backbone.from_folder(str(mixed))
    config.write_text(json.dumps({**given, "model_type": "gemma"}))
    with pytest.raises(UsageError, match="kind 'gemma' is not known"):
        backbone.from_folder(str(mixed))
    shutil.copy(stable / "text_encoder" / "config.json", config)
    scheduler = mixed / "scheduler" / "scheduler_config.json"
    for change, message in (
        ({"prediction_type": "sample"}, "predicts 'sample', which is not known"),
        ({"beta_schedule": None}, "has no betas"),
    ):
        written = {**json.loads((stable / "scheduler" / scheduler.name).read_text()), **change}
        if change.get("beta_schedule", "") is None:
            del written["beta_schedule"]
        scheduler.write_text(json.dumps(written))
        with pytest.raises(UsageError, match=message):
            backbone.from_folder(str(mixed))


def test_a_folder_of_ours_comes_back_whole(tmp_path: Path) -> None:
    found = backbone.preset("tiny")
    network = networks.awaken(backbone.network(found))
    backbone.save(found, network, str(tmp_path / "model"))
    again = backbone.from_folder(str(tmp_path / "model"))
    assert dataclasses.replace(again, weights="") == found
    loaded = backbone.network(again, seed=9)
    for name, weights in network.state_dict().items():
        assert torch.equal(weights, loaded.state_dict()[name]), name
    with pytest.raises(UsageError, match="predicts v_prediction and the config asks for epsilon"):
        backbone.from_folder(str(tmp_path / "model"), prediction_type="epsilon")


@pytest.mark.parametrize("name", backbone.PRESETS)
def test_presets_fit_together(name: str) -> None:
    found = backbone.preset(name, text_path="somewhere")
    assert found.prediction_type == "v_prediction"
    assert found.unet.text_width == found.text.width
    assert found.text.path == "somewhere"
    sides = [found.unet.backbone_config["sample_size"] >> halvings for halvings in range(3)]
    for length in (found.text.length, found.text.context_length):
        assert length not in {side * side for side in sides}  # see InstructUNet


def test_a_preset_may_be_a_file_and_is_checked(tmp_path: Path) -> None:
    source = Path(backbone.__file__).parent / "presets" / "tiny.toml"
    mine = tmp_path / "mine.toml"
    mine.write_text(source.read_text().replace('"bottleneck"', '"level"'))
    assert backbone.preset(str(mine)).unet.at == "level"
    mine.write_text(source.read_text().replace("head_width", "head_size"))
    with pytest.raises(UsageError, match="head_size"):
        backbone.preset(str(mine))
    with pytest.raises(UsageError, match="no preset 'huge': tiny, small, paper"):
        backbone.preset("huge")
