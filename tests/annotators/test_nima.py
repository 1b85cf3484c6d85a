"""NIMA against Keras' own forward pass, and its preprocessing against Keras' way of resizing."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.models import efficientnet

from instruct_imagen_data.annotators import keras
from instruct_imagen_data.annotators.nima import Nima, build
from instruct_imagen_data.annotators.quality import from_distribution
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools import weights as weights_tool

DATA = Path(__file__).resolve().parent.parent / "data"
# Made by Keras 2: MobileNet(alpha=0.25, pooling="avg"), Dropout, Dense(10, softmax), all weights
# random, saved by save_weights; the distributions are its own predictions for the pictures.
KERAS_FILE = DATA / "keras_nima_mobilenet_025.hdf5"
KERAS_SAYS = DATA / "keras_nima_mobilenet_025.npz"


@pytest.fixture(scope="module")
def config() -> dict[str, object]:
    """The paper set's config, for a quarter of the width."""

    def mobilenetv1_025(pretrained: bool = False, **options: object) -> torch.nn.Module:
        return efficientnet._gen_mobilenet_v1(
            "mobilenetv1_100", 0.25, pretrained=pretrained, **options
        )

    mobilenetv1_025.__module__ = efficientnet.__name__  # timm registers by module
    if not timm.is_model("mobilenetv1_025"):
        timm.models.register_model(mobilenetv1_025)
    return {
        "backbone": "mobilenetv1_025",
        "backbone_options": {"pad_type": "same", "bn_eps": 1e-3},
        "side": 224,
        "interpolation": "nearest",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
    }


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    small = np.load(KERAS_SAYS)["small"]
    return small.repeat(16, axis=1).repeat(16, axis=2)


def test_converted_weights_match_keras(config, pictures) -> None:
    network = Nima.load(KERAS_FILE, config=config)
    expected = np.load(KERAS_SAYS)["distribution"]
    found = network([network.prepare(picture) for picture in pictures])
    np.testing.assert_allclose(found.distribution, expected, atol=1e-4)
    np.testing.assert_allclose(found.value, expected @ np.arange(1, 11), atol=1e-3)
    assert np.ptp(found.value) > 1  # the pictures do differ for this network


def test_each_detail_of_keras_matters(config, pictures) -> None:
    """Padding and epsilon are not decoration: without either the answer is another one."""
    expected = np.load(KERAS_SAYS)["distribution"]
    for options in ({"pad_type": "same"}, {"bn_eps": 1e-3}):
        network = Nima.load(KERAS_FILE, config={**config, "backbone_options": options})
        found = network([network.prepare(picture) for picture in pictures])
        assert np.abs(found.distribution - expected).max() > 1e-3


def test_the_converter_writes_what_load_reads(config, pictures, tmp_path, capsys) -> None:
    target = tmp_path / "nima.safetensors"
    assert weights_tool.main(["convert-nima", str(KERAS_FILE), "--output", str(target)]) == 0
    assert target.name in capsys.readouterr().out
    direct, converted = (Nima.load(path, config=config) for path in (KERAS_FILE, target))
    batch = [direct.prepare(picture) for picture in pictures]
    np.testing.assert_array_equal(direct(batch).distribution, converted(batch).distribution)


def test_the_converter_refuses_what_is_not_nima(tmp_path, capsys) -> None:
    page = tmp_path / "weights.hdf5"  # what a dead link leaves behind
    page.write_text("<?xml version='1.0'?><Error><Code>NoSuchBucket</Code></Error>")
    assert weights_tool.main(["convert-nima", str(page)]) == 2
    assert "is no HDF5 file" in capsys.readouterr().err
    assert weights_tool.main(["convert-nima", str(tmp_path / "none.hdf5")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [page]


def test_a_file_without_a_layer_is_named(tmp_path) -> None:
    import h5py

    path = tmp_path / "other.hdf5"
    with h5py.File(path, "w") as file:
        file["conv1/conv1/kernel:0"] = np.zeros((3, 3, 3, 8), np.float32)
    with pytest.raises(UsageError, match="conv1_bn/gamma"):
        keras.read_mobilenet(path)


def test_prepare_is_keras_load_img(config) -> None:
    """load_img of target_size resizes the whole picture by nearest neighbours."""
    network = Nima(build(config), config, torch.float32)
    rgb = np.random.default_rng(0).integers(0, 256, (90, 301, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(rgb).resize((224, 224), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(network.prepare(rgb), expected)
    assert network.prepare(rgb).dtype == np.uint8


def test_mean_and_deviation_of_a_distribution() -> None:
    certain, split = np.zeros(10, np.float32), np.zeros(10, np.float32)
    certain[6], split[0], split[9] = 1, 0.5, 0.5
    found = from_distribution(np.stack([certain, split]))
    np.testing.assert_allclose(found.value, [7, 5.5])
    np.testing.assert_allclose(found.deviation, [0, 4.5])
