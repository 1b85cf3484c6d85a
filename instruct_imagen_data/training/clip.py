"""Trains the embedded CLIP: pictures, captions and the domain sentences in one space."""

import dataclasses
import gzip
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from instruct_imagen_data.annotators.roles import Domain
from instruct_imagen_data.training.batches import Rows, Texts, augment, near_copies, to_tensor
from instruct_imagen_data.training.pictures import Pictures

MERGES = 3070  # of open_clip's vocabulary: the first and most frequent ones
_COPY_COSINE = 0.985  # near-copies are drawn together until here,
_VIEW_COSINE = 0.85  # and different pictures of one noun apart until here
_APART_WEIGHT = 20.0
_TOGETHER_WEIGHT = 0.5
_TOGETHER_SCALE = 10.0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How the network is trained.

    Attributes:
        steps: Optimiser steps.
        small_steps: The first of them, on pictures of small_side pixels: coarse and cheap.
        entities: Entities in a batch, each in two different pictures.
        rejects: Pictures of reject classes in a batch.
        copies: Pictures of the batch that come once more as a near-copy.
        learning_rate: Peak, after a warm-up of a twentieth of the steps; cosine to zero.
        weight_decay: Of weights with more than one dimension.
        logit_scale: Of the domain loss: the model set's.
    """

    steps: int
    small_steps: int
    small_side: int = 80
    entities: int = 26
    rejects: int = 8
    copies: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    logit_scale: float = 20.0


def write_merges(path: Path) -> None:
    """Writes the first merges of open_clip's vocabulary, in its own format."""
    from open_clip.tokenizer import default_bpe

    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode().split("\n")
    # A header line, then the merges, and no last newline: it would count as one more merge.
    path.write_bytes(gzip.compress("\n".join(lines[: MERGES + 1]).encode(), mtime=0))


def train(
    pictures: Pictures,
    domains: Sequence[Domain],
    network: Any,
    tokenizer: Any,
    recipe: Recipe,
    seed: int,
) -> None:
    """Trains open_clip's network in place.

    Five terms: the contrast of pictures and texts; the noun and the domain of a picture by
    sentences about all nouns and by the model set's own; pictures of one noun nearer to each other
    than to the rest; and near-copies drawn together, apart from other pictures of their noun.
    """
    torch.manual_seed(seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    network.train().to(memory_format=torch.channels_last)
    rows_of = Rows(pictures, recipe.entities, recipe.rejects)
    texts = Texts(pictures, domains, tokenizer)
    optimiser = adamw(network, recipe.learning_rate, recipe.weight_decay)
    progress = tqdm(range(recipe.steps), desc="clip", unit="step")
    for step in progress:
        set_rate(optimiser, recipe.learning_rate * schedule(step, recipe.steps))
        side = recipe.small_side if step < recipe.small_steps else network.visual.image_size[0]
        rows = rows_of.draw(rng)
        loss = _loss(network, pictures, rows, texts, side, recipe, rng)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            network.logit_scale.clamp_(0, math.log(100))
        if step % 20 == 0:
            progress.set_postfix(loss=f"{loss.item():.3f}")
    network.eval()


def _loss(
    network: Any,
    pictures: Pictures,
    rows: np.ndarray,
    texts: Texts,
    side: int,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Tensor:
    """The sum of the five terms for the pictures of these rows."""
    seen = augment(pictures.clip[rows], side, rng)
    copied = rng.choice(len(rows), recipe.copies, replace=False)
    pixels = np.concatenate((seen, near_copies(seen[copied], rng)))
    strength = np.where(np.arange(len(pixels)) < len(rows), 0.1, 0.02)
    encoded = _encode(network, to_tensor(pixels, strength, rng))
    vectors, copies = encoded[: len(rows)], encoded[len(rows) :]
    own, match = texts.for_pictures(rows, rng)
    named, sentences = texts.of_nouns(rng), texts.of_domains(rng)
    ids = torch.cat((own, named, sentences.flatten(0, 1)))
    written = network.encode_text(ids, normalize=True)
    own_vectors, noun_vectors, rest = written.split(
        (len(own), len(named), sentences[..., 0].numel())
    )
    scale = network.logit_scale.exp()
    noun, domain = (torch.from_numpy(column[rows]) for column in (pictures.noun, pictures.domain))
    means = functional.normalize(rest.unflatten(0, sentences.shape[:2]).mean(dim=1), dim=-1)
    return (
        _contrast(scale * vectors @ own_vectors.T, match)
        # reject classes have no noun: -1 is left out
        + functional.cross_entropy(scale * vectors @ noun_vectors.T, noun, ignore_index=-1)
        # the rule that corpora are sorted by, `annotators.domains.route`
        + functional.cross_entropy(recipe.logit_scale * vectors @ means.T, domain)
        + _TOGETHER_WEIGHT * _together(vectors, noun)
        + _APART_WEIGHT * _spread(vectors, copies, copied, pictures.noun[rows])
    )


def adamw(network: torch.nn.Module, rate: float, decay: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and kernels, not biases, norms and scales."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of all parameters."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def schedule(step: int, steps: int) -> float:
    """Learning rate as a share of its peak: linear warm-up, then a cosine to zero."""
    warm_up = max(steps // 20, 1)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1)))


def _encode(network: Any, pixels: Tensor) -> Tensor:
    """Unit vectors [n, d] of pictures [n, 3, side, side] from 0 to 1."""
    settings = network.visual.preprocess_cfg
    mean = torch.tensor(settings["mean"]).view(1, 3, 1, 1)
    std = torch.tensor(settings["std"]).view(1, 3, 1, 1)
    vectors: Tensor = network.encode_image((pixels - mean) / std, normalize=True)
    return vectors


def _contrast(logits: Tensor, match: Tensor) -> Tensor:
    """CLIP's loss with several right texts a picture; both [n pictures, n texts]."""
    to_text = functional.cross_entropy(logits, match / match.sum(1, keepdim=True))
    to_image = functional.cross_entropy(logits.T, match.T / match.sum(0)[:, None])
    return (to_text + to_image) / 2


def _together(vectors: Tensor, noun: Tensor) -> Tensor:
    """The contrast of pictures [n, d] with each other, those of one noun the right ones.

    Neighbourhoods are found among pictures alone, so pictures are trained against pictures too.
    Source: Khosla et al. 2020, equation 2.
    """
    shown = noun >= 0
    vectors, noun = vectors[shown], noun[shown]
    own = torch.eye(len(noun), dtype=torch.bool)
    logits = (_TOGETHER_SCALE * vectors @ vectors.T).masked_fill(own, -torch.inf)
    same = (noun[:, None] == noun[None]) & ~own
    chances = logits.log_softmax(dim=1).masked_fill(~same, 0)
    return -(chances.sum(dim=1) / same.sum(dim=1).clamp(min=1)).mean()


def _spread(vectors: Tensor, copies: Tensor, copied: np.ndarray, noun: np.ndarray) -> Tensor:
    """Zero where near-copies are nearly equal, and other pictures of a noun are not.

    The threshold of duplicates is to find room between the two.
    """
    near = (_COPY_COSINE - (vectors[copied] * copies).sum(1)).clamp(min=0).square().mean()
    others = torch.from_numpy((noun[:, None] == noun[None]) & ~np.eye(len(noun), dtype=bool))
    far = ((vectors @ vectors.T)[others] - _VIEW_COSINE).clamp(min=0).square().mean()
    return near + far
