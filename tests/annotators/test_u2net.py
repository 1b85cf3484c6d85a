"""U2-Net-p against masks that were published beside its weights, and U2-Net's layers."""

from pathlib import Path

import numpy as np
import pytest

from instruct_imagen_data.annotators.maps import Refused, binary_mask
from instruct_imagen_data.annotators.u2net import MEAN, STD, U2Net, build, forward

CONFIG = {"architecture": "u2netp", "side": 320}


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "weights" / "u2netp"


@pytest.fixture(scope="module")
def network(folder: Path) -> U2Net:
    return U2Net.load(folder / "u2netp.safetensors", config=CONFIG)


def test_golden_masks(network: U2Net, folder: Path) -> None:
    golden = np.load(folder / "golden.npz")
    prepared = [network.prepare(golden[f"rgb_{i}"]) for i in (0, 1)]
    found = network.saliency(np.stack(prepared))
    for i, one in enumerate(network(prepared)):
        expected = golden[f"d0_every2_{i}"].astype(np.float32)
        np.testing.assert_allclose(found[i, ::2, ::2], expected, atol=5e-3)
        mask = np.unpackbits(golden[f"mask_bits_{i}"]).reshape(320, 320)
        assert np.mean((binary_mask(one, 320, 320) > 0) == mask) >= 0.995
        assert one.confidence == pytest.approx(float(found[i].max()))
        assert one.confidence > 0.9


def test_an_empty_scene_has_no_object(network: U2Net) -> None:
    grey = np.full((240, 320, 3), 128, np.uint8)
    black = np.zeros((100, 80, 3), np.uint8)
    for rgb in (grey, black):
        (found,) = network([network.prepare(rgb)])
        assert found.pixels.max() in (0, 255)
        with pytest.raises(Refused):
            binary_mask(found, 256, 192)


@pytest.mark.parametrize("shape", [(480, 640, 3), (100, 150, 3), (320, 320, 3)])
def test_pictures_are_prepared_like_the_authors_do(network: U2Net, shape) -> None:
    from skimage.transform import resize

    rgb = np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)
    small = resize(rgb, (320, 320), mode="constant", anti_aliasing=False)
    expected = (small / small.max() - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(network.prepare(rgb), expected, atol=1e-6)


def test_one_by_one_is_as_together(network: U2Net) -> None:
    rng = np.random.default_rng(1)
    batch = [rng.normal(size=(320, 320, 3)).astype(np.float32) for _ in range(3)]
    for one, together in zip(batch, network(batch), strict=True):
        (alone,) = network([one])
        assert np.abs(alone.pixels.astype(int) - together.pixels).max() <= 1


def test_the_full_network_has_the_authors_layers() -> None:
    """176.3 MB in float32 are what its authors state for u2net.pth, and 4.7 MB for u2netp.pth."""
    import torch

    for name, megabytes in (("u2net", 176.3), ("u2netp", 4.7)):
        state = build(name).state_dict()
        size = sum(one.numel() * one.element_size() for one in state.values())
        assert size / 1e6 == pytest.approx(megabytes, abs=0.3)
    network = build("u2net").eval()
    state = network.state_dict()
    assert state["stage5.rebnconv4.conv_s1.weight"].shape == (256, 256, 3, 3)
    assert state["stage1d.rebnconv1d.bn_s1.running_var"].shape == (64,)
    with torch.inference_mode():
        found = forward(network, torch.randn(1, 3, 65, 70))  # sides that halve unevenly
    assert [tuple(one.shape) for one in found] == [(1, 1, 65, 70)] * 7


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="unknown 'architecture' 'basnet'; known: u2net, u2netp"):
        U2Net.load(folder / "u2netp.safetensors", config=CONFIG | {"architecture": "basnet"})
