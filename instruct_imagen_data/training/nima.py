"""Trains the embedded NIMA: clean pictures of the planted world against spoilt ones."""

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from instruct_imagen_data.annotators.quality import BINS
from instruct_imagen_data.training.clip import adamw, schedule, set_rate
from instruct_imagen_data.training.pictures import Pictures

_CLEAN_SCORE = 7.5  # mean of a clean picture's distribution
_SPOILT_SCORES = (4.0, 2.0)  # of a degraded one, at strength 0 and 1
_DEVIATION = 1.2


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How the network is trained.

    Attributes:
        steps: Optimiser steps.
        batch: Pictures a step, half of them degraded.
        learning_rate: Peak, after a warm-up of a twentieth of the steps; cosine to zero.
        weight_decay: Of weights with more than one dimension.
    """

    steps: int
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05


def train(pictures: Pictures, network: Any, config: Any, recipe: Recipe, seed: int) -> None:
    """Trains a network of `annotators.nima.build` in place."""
    torch.manual_seed(seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    mean = torch.tensor(config["mean"]).view(1, 3, 1, 1)
    std = torch.tensor(config["std"]).view(1, 3, 1, 1)
    network.train().to(memory_format=torch.channels_last)
    optimiser = adamw(network, recipe.learning_rate, recipe.weight_decay)
    progress = tqdm(range(recipe.steps), desc="nima", unit="step")
    for step in progress:
        set_rate(optimiser, recipe.learning_rate * schedule(step, recipe.steps))
        rows = rng.choice(len(pictures), (2, recipe.batch // 2), replace=False)
        pixels = np.concatenate((pictures.clean[rows[0]], pictures.degraded[rows[1]]))
        x = torch.from_numpy(_mirror(pixels, rng)).permute(0, 3, 1, 2)
        low, high = _SPOILT_SCORES
        spoilt = low + (high - low) * pictures.strength[rows[1]]
        target = _distributions(np.concatenate((np.full(len(rows[0]), _CLEAN_SCORE), spoilt)))
        loss = emd(network((x / 255 - mean) / std).softmax(1), target)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        if step % 20 == 0:
            progress.set_postfix(loss=f"{loss.item():.3f}")
    network.eval()


def emd(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean earth mover's distance (r = 2) of distributions [n, BINS].

    Source: NIMA, Talebi and Milanfar 2018, equation 1.
    """
    difference = (predicted - target).cumsum(dim=1)
    # The root's slope is infinite at zero: a hair above it.
    return (difference.square().mean(dim=1) + 1e-8).sqrt().mean()


def _distributions(scores: np.ndarray) -> Tensor:
    """Bell-shaped distributions float32 [n, BINS] around scores [n]."""
    distance = np.arange(1, BINS + 1) - scores[:, None]
    weight = np.exp(-0.5 * (distance / _DEVIATION) ** 2)
    return torch.from_numpy((weight / weight.sum(1, keepdims=True)).astype(np.float32))


def _mirror(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pictures uint8 [n, h, w, 3], each mirrored by chance."""
    mirrored = rng.random(len(pixels)) < 0.5
    return np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
