"""Trains the embedded map networks: pictures of the planted world against its own truth.

Depth, mask and contour take an understanding of the whole picture, and the same one: they are
learnt together, by one network with a head each, first on small pictures, which is cheap. Edges
take small windows and a small network of their own.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits
from tqdm import tqdm

from instruct_imagen_data.annotators import tinymap
from instruct_imagen_data.training.clip import adamw, schedule, set_rate
from instruct_imagen_data.training.views import Truth
from instruct_imagen_data.training.windows import draw

SCENE = ("depth", "mask", "contour")  # learnt together
ROLES = (*SCENE, "edge")
HEAD = ("head.weight", "head.bias")  # all that differs between what is learnt together
_LINE_WEIGHT = 1.5  # of a pixel on a line, against one off it: there are few
_DEPTH_WEIGHT = 1.5  # of an error of 1, and
_MASK_WEIGHT = 2.0  # of a mask's loss, against that of lines
_SHAPES = ((1, 1), (1, 4 / 3), (4 / 3, 1))  # of the side: what whole pictures come in
_MULTIPLE = 32  # pixels; of sides that a network of five levels halves


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        steps: Optimiser steps.
        small_steps: The first of them, on pictures of
        small_side: pixels on the shorter side.
        window: Pixels of the side of square windows; 0 for whole pictures.
        batch: Pictures a step.
        learning_rate: Peak, after a warm-up of a twentieth of the steps; cosine to zero.
        weight_decay: Of weights with more than one dimension.
    """

    steps: int
    small_steps: int = 0
    small_side: int = 96
    window: int = 0
    batch: int = 12
    learning_rate: float = 4e-3
    weight_decay: float = 0.02


def train(
    truths: Sequence[Truth],
    kinds: Sequence[str],
    network: Any,
    side: int,
    recipe: Recipe,
    seed: int,
) -> None:
    """Trains a network of `annotators.tinymap.build` in place.

    Args:
      truths: What is drawn from.
      kinds: Of the maps that the network paints, in order.
      network: With a head each.
      side: Pixels of the shorter side of pictures, as it will see them.
      recipe: How.
      seed: Of all that is drawn.
    """
    torch.manual_seed(seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    network.train().to(memory_format=torch.channels_last)
    optimiser = adamw(network, recipe.learning_rate, recipe.weight_decay)
    progress = tqdm(range(recipe.steps), desc=", ".join(kinds), unit="step")
    for step in progress:
        set_rate(optimiser, recipe.learning_rate * schedule(step, recipe.steps))
        seen = recipe.small_side if step < recipe.small_steps else side
        shape = (recipe.window,) * 2 if recipe.window else _shape(seen, rng)
        windows = draw(truths, kinds, seen, shape, recipe.batch, rng)
        x = torch.from_numpy(windows.pixels).permute(0, 3, 1, 2)
        found, target = tinymap.forward(network, x / 127.5 - 1), torch.from_numpy(windows.target)
        losses = [loss_of(kind, found[:, i], target[:, i]) for i, kind in enumerate(kinds)]
        optimiser.zero_grad()
        torch.autograd.backward(torch.stack(losses).sum())
        optimiser.step()
        if step % 20 == 0:
            progress.set_postfix(loss=" ".join(f"{loss.item():.3f}" for loss in losses))
    network.eval()


def only(state: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    """The weights of a network that paints the map `index` alone, of one that paints several."""
    rows = slice(index * tinymap.PAINTED, (index + 1) * tinymap.PAINTED)
    return {name: value[rows] if name in HEAD else value for name, value in state.items()}


def joined(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of a network that paints several maps, of some that `only` took out of it."""
    heads = {name: torch.cat([state[name] for state in states]) for name in HEAD}
    return {**states[0], **heads}


def _shape(side: int, rng: np.random.Generator) -> tuple[int, int]:
    """(height, width) of a step's pictures."""
    tall, wide = _SHAPES[rng.integers(len(_SHAPES))]
    return round(side * tall / _MULTIPLE) * _MULTIPLE, round(side * wide / _MULTIPLE) * _MULTIPLE


def loss_of(kind: str, logits: Tensor, target: Tensor) -> Tensor:
    """The loss of a kind of map, for logits and truth [n, h, w] in 0..1."""
    if kind == "depth":
        return _DEPTH_WEIGHT * depth_loss(logits.sigmoid(), target)
    weight = 1 + (_LINE_WEIGHT - 1) * target if kind != "mask" else None
    apart = binary_cross_entropy_with_logits(logits, target, weight)
    loss = apart + 0.5 * overlap_loss(logits.sigmoid(), target)
    return _MASK_WEIGHT * loss if kind == "mask" else loss


def depth_loss(found: Tensor, target: Tensor) -> Tensor:
    """Mean error of depth [n, h, w], and of its slopes at four sizes: steps stay steps."""
    loss = (found - target).abs().mean()
    error = (found - target)[:, None]
    for _ in range(4):
        across, down = error.diff(dim=3).abs().mean(), error.diff(dim=2).abs().mean()
        loss = loss + 0.5 * (across + down)
        error = avg_pool2d(error, 2)
    return loss


def overlap_loss(found: Tensor, target: Tensor) -> Tensor:
    """1 - intersection over union of soft masks [n, h, w], of the pictures that have an object."""
    there = target.amax(dim=(1, 2)) > 0.5
    if not there.any():
        return found.sum() * 0
    found, target = found[there], target[there]
    both = (found * target).sum(dim=(1, 2))
    either = (found + target - found * target).sum(dim=(1, 2))
    return (1 - both / either).mean()
