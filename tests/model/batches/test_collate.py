"""Batches: shapes, masks, and draws that depend on the sample's index alone."""

import dataclasses

import numpy as np
import torch

from model.batches import collate, dropout
from model.batches.draws import Draws
from model.batches.records import DataConfig, Sample

CONFIG = DataConfig("", size=8)


def sample(index: int, references: int, dataset: str = "suti") -> Sample:
    pixels = np.full((8, 8, 3), index, np.uint8)
    return Sample(
        index, f"key{index}", dataset, "00000", index, f"do {index}", pixels,
        tuple(pixels + 1 + slot for slot in range(references)),
        tuple(f"[ref#1] {index}.{slot}" for slot in range(references)),
        ("subject",) * references, tuple(range(references)),
    )  # fmt: skip


def test_references_lie_flat_with_their_places() -> None:
    batch = collate.batch_of([sample(0, 1), sample(5, 0), sample(9, 3)], CONFIG, bad_rows=2)
    assert batch.indices.tolist() == [0, 5, 9]
    assert batch.target.shape == (3, 3, 8, 8)
    assert batch.context_images.shape == (4, 3, 8, 8)
    assert batch.context_index.tolist() == [[0, 0], [2, 0], [2, 1], [2, 2]]
    assert batch.context_texts == ("[ref#1] 0.0", "[ref#1] 9.0", "[ref#1] 9.1", "[ref#1] 9.2")
    assert batch.context_mask.tolist() == [[True, False, False], [False] * 3, [True] * 3]
    assert batch.context_roles == ("subject",) * 4
    torch.testing.assert_close(batch.context_images[3, :, 0, 0], torch.full((3,), 12 / 127.5 - 1))
    assert batch.target.is_contiguous()
    assert batch.bad_rows == 2


def test_there_is_a_slot_even_without_a_reference() -> None:
    batch = collate.batch_of([sample(0, 0), sample(1, 0)], CONFIG)
    assert batch.context_images.shape == (0, 3, 8, 8)
    assert batch.context_index.shape == (0, 2)
    assert batch.context_mask.tolist() == [[False], [False]]


def test_draws_do_not_depend_on_the_batch() -> None:
    alone = [collate.batch_of([sample(index, 1)], CONFIG) for index in range(6)]
    together = collate.batch_of([sample(index, 1) for index in range(6)], CONFIG)
    for name in ("noise", "time", "keep_text", "keep_context"):
        found = torch.cat([getattr(one, name) for one in alone])
        assert torch.equal(found, getattr(together, name)), name
    other = collate.batch_of([sample(0, 1)], dataclasses.replace(CONFIG, seed=1))
    assert not torch.equal(other.noise, alone[0].noise)


def test_noise_is_normal_and_of_the_shape_that_is_asked_for() -> None:
    config = dataclasses.replace(CONFIG, noise_shape=(4, 16, 16))
    noise = collate.batch_of([sample(index, 0) for index in range(64)], config).noise
    assert noise.shape == (64, 4, 16, 16)
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.std()) - 1) < 0.02
    flat = noise.reshape(64, -1)
    correlation = torch.corrcoef(flat) - torch.eye(64)
    assert float(correlation.abs().max()) < 0.16  # five deviations of 1 / sqrt(1024)


def test_time_is_uniform_within_its_ends() -> None:
    time = np.sort([Draws(0, index).unit("time") for index in range(10_000)])
    assert time[0] > 0
    assert time[-1] < 1
    assert np.abs(time - np.linspace(0, 1, 10_000)).max() < 0.02  # Kolmogorov-Smirnov


def test_dropout_by_one_draw() -> None:
    draws = 10_000
    for dataset, alone in (("neighbourhoods", 0.1), ("suti", 0.1), ("style_transfer", 0.0)):
        kept = [dropout.kept(CONFIG, Draws(0, index), dataset) for index in range(draws)]
        both = kept.count((False, False)) / draws
        context = kept.count((True, False)) / draws
        assert abs(both - 0.1) < 0.015  # five deviations
        assert abs(context - alone) < 0.015
        assert (False, True) not in kept
    never = dataclasses.replace(CONFIG, drop_both=0.0, drop_context=0.0)
    assert all(dropout.kept(never, Draws(0, index), "suti") == (True, True) for index in range(99))
