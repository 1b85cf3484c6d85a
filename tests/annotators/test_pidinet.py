"""PiDiNet against edges that were published beside its weights, and against its own layers."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from instruct_imagen_data.annotators import controlnet
from instruct_imagen_data.annotators.pidinet import PidiNet, plain
from instruct_imagen_data.annotators.weights import read_state


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "weights" / "pidinet"


@pytest.fixture(scope="module")
def network(folder: Path) -> PidiNet:
    return PidiNet.load(folder / "table5_pidinet.pth", config={})


def test_golden_edges(network: PidiNet, folder: Path) -> None:
    golden = np.load(folder / "golden.npz")
    prepared = [network.prepare(golden[f"rgb_{i}"]) for i in (0, 1)]
    found = network.edges(np.stack(prepared))
    for i in (0, 1):
        expected = golden[f"edge_imagenet_norm_every2_{i}"].astype(np.float32)
        np.testing.assert_allclose(found[i, ::2, ::2], expected, atol=5e-3)
    maps = network(prepared)
    np.testing.assert_array_equal(maps[1].pixels, (found[1] * 255).astype(np.uint8))
    assert maps[0].confidence == 1
    assert np.median(maps[0].pixels) < 64  # white lines on black


def test_plain_kernels_give_what_pixel_differences_give() -> None:
    """Random weights, whole network, controlnet-aux's own forward on the other side."""
    import torch

    model = controlnet.module("pidi.model")
    torch.manual_seed(1)
    original = model.pidinet().eval()
    kinds = ["cd", "ad", "rd", "cv"] * 4
    ours = model.PiDiNet(60, kinds, dil=24, sa=True, convert=True).eval()
    ours.load_state_dict(plain(original.state_dict()), strict=True)
    x = torch.randn(2, 3, 48, 80)
    with torch.inference_mode():
        for expected, found in zip(original(x), ours(x), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_side_makes_detection_sizes(folder: Path) -> None:
    network = PidiNet.load(folder / "table5_pidinet.pth", config={"side": 128})
    assert network.prepare(np.zeros((200, 300, 3), np.uint8)).shape == (128, 192, 3)


def test_weights_of_a_training_checkpoint_lose_their_wrapping(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = read_state(folder / "table5_pidinet.pth")
    assert "init_block.weight" in state
