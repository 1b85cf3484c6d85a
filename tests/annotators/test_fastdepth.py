"""FastDepth against the predictions that were published beside its weights."""

from pathlib import Path

import numpy as np
import pytest

from instruct_imagen_data.annotators.fastdepth import FastDepth

CONFIG = {"side": 224}


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "weights" / "fastdepth"


@pytest.fixture(scope="module")
def network(folder: Path) -> FastDepth:
    return FastDepth.load(folder / "fastdepth.safetensors", config=CONFIG)


@pytest.fixture(scope="module")
def golden(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "golden.npz") as arrays:
        return dict(arrays)


def test_golden_depths(network: FastDepth, golden: dict[str, np.ndarray]) -> None:
    rgb = [golden["nyu_rgb"], golden["photo_rgb"]]
    expected = [golden["nyu_pred_this_file"], golden["photo_pred_this_file"]]
    found = network.metres(np.stack([network.prepare(one) for one in rgb]))
    np.testing.assert_allclose(found, np.stack(expected), atol=0.01)


def test_near_is_bright(network: FastDepth, golden: dict[str, np.ndarray]) -> None:
    (found,) = network([network.prepare(golden["nyu_rgb"])])
    depth = golden["nyu_depth_gt_every4"].astype(np.float32)
    assert np.corrcoef(found.pixels[::4, ::4].ravel(), depth.ravel())[0, 1] <= -0.7
    assert found.pixels.dtype == np.uint8
    assert (found.pixels.min(), found.pixels.max()) == (0, 255)
    assert found.confidence == 1


def test_a_constant_map_is_told(network: FastDepth, monkeypatch) -> None:
    monkeypatch.setattr(network, "metres", lambda some: np.zeros(some.shape[:3], np.float32))
    (found,) = network([np.zeros((224, 224, 3), np.uint8)])
    assert found.confidence == 0
    assert not found.pixels.any()


def test_pictures_are_squeezed_to_a_square(network: FastDepth) -> None:
    assert network.prepare(np.zeros((300, 500, 3), np.uint8)).shape == (224, 224, 3)


@pytest.mark.parametrize("config", [{"side": 100}, {"side": 224, "extra": 1}])
def test_a_wrong_config_is_refused(folder: Path, config: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"multiple of 32|unknown config \['extra'\]; known: side"):
        FastDepth.load(folder / "fastdepth.safetensors", config=config)
