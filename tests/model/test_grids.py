"""Grids of samples: their rows, what they show, and that a run that goes on writes the same."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.denoisers import SIDE, Known
from helpers.loader_sets import neighbourhood, write_set, write_stage1, write_stage2
from helpers.networks import around
from helpers.training import run_of, weights
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from instruct_imagen_data import schema
from instruct_imagen_data.errors import UsageError
from model import grids, train, trained
from model.batches import DataConfig
from model.sampling import Prompt, Sampling, draw

HOW = {"sampling__method": "ddim", "sampling__steps": 2, "sampling__guidance": "joint",
       "sampling__scale": 2.0, "sampling__threshold": "clip"}  # fmt: skip
TILE = grids.SIDE + 2 * grids.MARGIN


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    data = write_stage2(tmp_path / "data", {"depth_webli": 60, "style_transfer": 60, "natural": 60})
    return DataConfig(str(data), size=16, lanes=4, window=8, templates=str(data / "templates"))


def files(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "samples").iterdir()}


def tile(pixels: np.ndarray, line: int, column: int) -> np.ndarray:
    """A picture of the grid, in the network's pixels."""
    top, left = line * TILE + grids.MARGIN, column * TILE + grids.MARGIN
    inside = pixels[top : top + grids.SIDE, left : left + grids.SIDE]
    return inside[:: grids.SIDE // SIDE, :: grids.SIDE // SIDE]


def test_a_line_has_references_what_is_drawn_and_the_target(config: DataConfig) -> None:
    clean = torch.linspace(-0.9, 0.9, 3 * SIDE * SIDE).reshape(3, SIDE, SIDE)
    frozen = around()
    network = Known(frozen, clean)
    shown = grids.rows(config, network, frozen)  # type: ignore[arg-type]
    names = [one.dataset for one in shown]
    assert names == ["depth_webli"] * 2 + ["natural"] * 2 + ["style_transfer"] * 2
    assert all(one.index == other.index for one, other in zip(
        shown, grids.rows(config, network, frozen), strict=True  # type: ignore[arg-type]
    ))  # fmt: skip
    network.train()
    how = Sampling("ddim", 10, "none", 1.0, threshold="clip")
    found = grids.draw(network, shown, frozen, how, 0)  # type: ignore[arg-type]
    assert network.training
    assert found.pixels.shape == (6 * TILE, 4 * TILE, 3)
    for line, one in enumerate(shown):
        for column, reference in enumerate(one.references):
            assert np.array_equal(tile(found.pixels, line, column), reference)
        for column in range(len(one.references), 2):
            assert tile(found.pixels, line, column).min() == 255
        # `Known` draws its picture, moved by the mean level of each reference.
        moved = sum((reference / 127.5 - 1).mean() for reference in one.references)
        made = ((clean.permute(1, 2, 0).numpy() + moved + 1) * 127.5).clip(0, 255)
        assert abs(tile(found.pixels, line, 2) - made).max() <= 1
        assert np.array_equal(tile(found.pixels, line, 3), one.target)
    told = Image.open(io.BytesIO(found.png())).text["instructions"]  # type: ignore[attr-defined]
    assert json.loads(told) == [one.instruction for one in shown]


def test_a_run_that_goes_on_writes_the_same_grids_and_learns_the_same(tmp_path: Path) -> None:
    data = write_stage1(tmp_path / "data", rows=40)
    every = {**HOW, "output__samples_every": 8}
    train.train(run_of(tmp_path, data, "whole", **every))
    train.train(run_of(tmp_path, data, "broken", total_examples=8, **every))
    train.train(run_of(tmp_path, data, "broken", **every))
    train.train(run_of(tmp_path, data, "without", **HOW))
    whole = files(tmp_path / "whole")
    assert sorted(whole) == [f"{examples:012d}.png" for examples in (8, 16, 24)]
    assert len({*whole.values()}) == 3
    assert files(tmp_path / "broken") == whole
    assert weights(tmp_path / "whole") == weights(tmp_path / "broken")
    assert weights(tmp_path / "whole") == weights(tmp_path / "without")
    assert not (tmp_path / "without/samples").exists()
    board = EventAccumulator(str(tmp_path / "whole")).Reload()
    for event in board.Images("samples"):
        here = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
        wanted = Image.open(io.BytesIO(whole[f"{event.step:012d}.png"]))
        assert np.array_equal(here, np.asarray(wanted))
    assert [event.step for event in board.Images("samples")] == [8, 16, 24]


def test_it_is_drawn_with_the_averaged_weights(tmp_path: Path) -> None:
    """What the trained folder draws for a row is what the last grid shows."""
    data = write_stage1(tmp_path / "data", rows=40)
    config = run_of(tmp_path, data, "run", total_examples=8, **HOW, output__samples_every=8)
    train.train(config)
    model = trained.load(config.run_dir)
    (name, last), *others = files(tmp_path / "run").items()
    assert (name, others) == ("000000000008.png", [])
    given = DataConfig(str(data), 1, size=model.side, lanes=4, window=8)
    shown = grids.rows(given, model.unet, model.around)
    prompts = [Prompt(one.index, one.instruction, one.references, one.texts) for one in shown]
    drawn = draw(model.unet, model.around, prompts, model.sampling, seed=0)
    pixels = np.asarray(Image.open(io.BytesIO(last)))
    assert model.sampling == Sampling("ddim", 2, "joint", 2.0, threshold="clip")
    for line, picture in enumerate(drawn):
        assert np.array_equal(tile(pixels, line, 3), picture)


def test_without_validation_rows_it_says_what_does_without(tmp_path: Path) -> None:
    made = [neighbourhood(row, "train") for row in range(20)]
    write_set(tmp_path / "data", "neighbourhoods", schema.Neighbourhood, made, 2, 8, "neighbours")
    with pytest.raises(UsageError, match=r"split validation: .*--output.samples-every 0"):
        train.train(run_of(tmp_path, tmp_path / "data", "run", **HOW, output__samples_every=8))
    with pytest.raises(UsageError, match=r"output\.samples_every = -1: 0 for never"):
        run_of(tmp_path, tmp_path / "data", "run", output__samples_every=-1)
