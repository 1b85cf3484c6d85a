"""HED against controlnet-aux's own detector, on the same random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from instruct_imagen_data.annotators import controlnet
from instruct_imagen_data.annotators.hed import Hed

CONFIG = {"side": 64}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the publisher's: the state of the network, here random with edges of every size."""
    torch.manual_seed(0)
    network = controlnet.module("hed").ControlNetHED_Apache2()
    torch.nn.init.constant_(network.norm, 110.0)
    for block in (network.block1, network.block2, network.block3, network.block4, network.block5):
        for conv in block.convs:
            torch.nn.init.kaiming_normal_(conv.weight)
        torch.nn.init.normal_(block.projection.weight, std=0.002)
    path = tmp_path_factory.mktemp("hed") / "ControlNetHED.pth"
    torch.save(network.state_dict(), path)
    return path


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    shapes = [(64, 100, 3), (200, 128, 3), (64, 100, 3), (64, 100, 3)]
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def test_maps_are_those_of_the_original_detector(weights: Path) -> None:
    network = Hed.load(weights, config=CONFIG)
    detector = controlnet.module("hed").HEDdetector.from_pretrained(str(weights.parent))
    found = network([network.prepare(rgb) for rgb in pictures()])
    for rgb, one in zip(pictures(), found, strict=True):
        expected = detector(rgb, detect_resolution=64, image_resolution=64, output_type="np")
        assert one.pixels.shape == expected.shape[:2]
        difference = np.abs(one.pixels.astype(int) - expected[..., 0])
        assert difference.max() <= 1  # cut to bytes on both sides
        assert difference.mean() <= 0.01
        assert np.ptp(expected) > 100
        assert one.confidence == 1


def test_one_by_one_is_as_together(weights: Path) -> None:
    network = Hed.load(weights, config=CONFIG)
    batch = [network.prepare(rgb) for rgb in pictures()]
    for one, together in zip(batch, network(batch), strict=True):
        (alone,) = network([one])
        assert np.abs(alone.pixels.astype(int) - together.pixels).max() <= 1


def test_other_weights_and_configs_are_refused(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    del state["norm"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(RuntimeError, match="norm"):
        Hed.load(tmp_path / "less.pth", config=CONFIG)
    with pytest.raises(ValueError, match="unknown config"):
        Hed.load(weights, config=CONFIG | {"scribble": True})
    with pytest.raises(KeyError, match="side"):
        Hed.load(weights, config={})
