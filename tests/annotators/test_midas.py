"""MiDaS against controlnet-aux's own detector, on the same random weights."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from instruct_imagen_data.annotators import controlnet, midas
from instruct_imagen_data.annotators.midas import Midas

CONFIG = {"side": 64}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Midas, Any]]:
    """(ours, the original detector) of a file as the publisher's, with random weights."""
    api = controlnet.module("midas.api")
    torch.manual_seed(0)
    network = midas.build()
    torch.nn.init.constant_(network.scratch.output_conv[4].bias, 1.0)  # above the last ReLU's 0
    path = tmp_path_factory.mktemp("midas") / "dpt_hybrid.pt"
    torch.save(network.half().state_dict(), path)
    del network
    with pytest.warns(UserWarning, match="Mapping deprecated model name"):
        inference = api.MiDaSInference("dpt_hybrid", str(path))
    yield Midas.load(path, config=CONFIG), controlnet.module("midas").MidasDetector(inference)
    path.unlink()  # 246 MB


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    shapes = [(64, 100, 3), (200, 128, 3), (64, 100, 3), (64, 100, 3)]
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def test_maps_are_those_of_the_original_detector(networks: tuple[Midas, Any]) -> None:
    network, detector = networks
    found = network([network.prepare(rgb) for rgb in pictures()])
    for rgb, one in zip(pictures(), found, strict=True):
        expected = detector(rgb, detect_resolution=64, image_resolution=64)
        assert one.pixels.shape == expected.shape[:2]
        difference = np.abs(one.pixels.astype(int) - expected[..., 0])
        assert difference.max() <= 2
        assert difference.mean() <= 0.1
        assert np.ptp(expected) == 255
        assert one.confidence == 1


def test_threads_that_share_a_network_get_their_own_maps(networks: tuple[Midas, Any]) -> None:
    network, _ = networks
    batches = [[network.prepare(rgb)] for rgb in pictures()[:2]]  # of two shapes
    expected = [network(batch)[0].pixels for batch in batches]
    found: list[list[np.ndarray]] = [[], []]

    def see(which: int) -> None:
        for _ in range(6):
            found[which].append(network(batches[which])[0].pixels)

    threads = [threading.Thread(target=see, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for which in (0, 1):
        assert len(found[which]) == 6
        for pixels in found[which]:
            np.testing.assert_array_equal(pixels, expected[which])


def test_a_constant_map_is_told(networks: tuple[Midas, Any], monkeypatch) -> None:
    network, _ = networks
    flat = np.full((1, 64, 64), 3.0, np.float32)
    monkeypatch.setattr(network, "inverse_depth", lambda some: flat)
    (found,) = network([np.zeros((64, 64, 3), np.uint8)])
    assert found.confidence == 0
    assert not found.pixels.any()
