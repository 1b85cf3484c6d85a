"""Photo-Sketching's generator, on random weights, against its layers written down once more.

The real weights are behind a page of Google Drive, and we have not had them.
"""

import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from instruct_imagen_data.annotators.photosketch import PUBLISHED, PhotoSketch, build

CONFIG = {"side": 64}


class Block(nn.Module):
    """x + conv_block(x), as pix2pix has it; the authors kept a dropout of nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(256, 256, 3, bias=False),
            nn.BatchNorm2d(256),
            nn.ReLU(),
            nn.Dropout(0),
            nn.ReflectionPad2d(1),
            nn.Conv2d(256, 256, 3, bias=False),
            nn.BatchNorm2d(256),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


def again() -> nn.Sequential:
    """The generator, restated: in training mode, as the authors run it."""
    up = {"stride": 2, "padding": 1, "output_padding": 1, "bias": False}
    model = nn.Sequential(
        nn.ReflectionPad2d(3),
        nn.Conv2d(3, 64, 7, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 256, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        *(Block() for _ in range(9)),
        nn.ConvTranspose2d(256, 128, 3, **up),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 3, **up),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ReflectionPad2d(3),
        nn.Conv2d(64, 1, 7),
        nn.Tanh(),
    )
    return nn.Sequential(OrderedDict(model=model)).train()


@pytest.fixture(scope="module")
def original() -> nn.Sequential:
    """Weights drawn as pix2pix draws them, but larger, so that all of -1..1 is reached."""
    torch.manual_seed(3)
    network = again()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.05)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.2)
            nn.init.normal_(layer.bias, 0, 0.2)
            nn.init.normal_(layer.running_mean)  # of no use: each picture has its own
    return network


@pytest.fixture(scope="module")
def file(original: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photosketch") / PUBLISHED
    torch.save(original.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def network(file: Path) -> PhotoSketch:
    return PhotoSketch.load(file, config=CONFIG)


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    shapes = [(64, 100, 3), (200, 128, 3), (64, 64, 3)]
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def test_lines_are_the_authors_drawings_turned_round(network, original) -> None:
    """As their test_dir_dataset.py and write_image prepare and cut, in Pillow and torch."""
    found = network([network.prepare(rgb) for rgb in pictures()])
    for rgb, one in zip(pictures(), found, strict=True):
        square = Image.fromarray(rgb).resize((64, 64), Image.Resampling.BICUBIC)
        x = (torch.from_numpy(np.array(square)).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
        with torch.no_grad():
            drawing = original(x)[0, 0].numpy()
        expected = 255 - ((drawing + 1) / 2 * 255).astype(np.uint8)
        assert np.abs(expected.astype(int) - one.pixels).max() <= 1
        assert np.ptp(expected) > 150
        assert one.confidence == 1


def test_white_paper_is_black_and_dark_lines_are_white(network, monkeypatch) -> None:
    drawing = np.ones((1, 64, 64), np.float32)
    drawing[:, 30] = -1
    monkeypatch.setattr(network, "drawings", lambda some: drawing)
    (found,) = network([network.prepare(pictures()[0])])
    assert (found.pixels[30] == 255).all()
    assert not found.pixels[:30].any()
    assert not found.pixels[31:].any()


def test_a_batch_is_as_one_by_one(network: PhotoSketch) -> None:
    prepared = np.stack([network.prepare(rgb) for rgb in pictures()])
    together = network.drawings(prepared)
    for one, drawing in zip(prepared, together, strict=True):
        np.testing.assert_allclose(network.drawings(one[None])[0], drawing, atol=1e-4)


def test_weights_load_by_the_authors_names_from_archives_and_old_files(
    file: Path, original: nn.Sequential, network: PhotoSketch, tmp_path: Path
) -> None:
    names = build().state_dict().keys()
    assert names == original.state_dict().keys()
    assert {"model.1.weight", "model.10.conv_block.6.weight", "model.26.bias"} <= names
    archive = tmp_path / "pretrained.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("pretrained/opt.txt", "norm: batch")
        packed.write(file, f"pretrained/{PUBLISHED}")
    old = tmp_path / "old.pth"  # torch 0.4: another file format, and no counters of batches
    state = {n: t for n, t in original.state_dict().items() if "num_batches" not in n}
    torch.save(state, old, _use_new_zipfile_serialization=False)
    prepared = np.stack([network.prepare(pictures()[1])])
    expected = network.drawings(prepared)
    for path in (archive, old):
        again = PhotoSketch.load(path, config=CONFIG)
        np.testing.assert_array_equal(again.drawings(prepared), expected)


def test_a_side_that_does_not_fit_is_refused(file: Path) -> None:
    for config, message in (({"side": 66}, "multiple of 4"), ({"size": 64}, "unknown config")):
        with pytest.raises(ValueError, match=message):
            PhotoSketch.load(file, config=config)
