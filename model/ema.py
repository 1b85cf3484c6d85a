"""The moving average of the weights, which is what a trained model is used with."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from model.tensors import local


def decay_at(update: int, decay: float) -> float:
    """The decay of an update, counted from 0: min(decay, (1 + n) / (10 + n)).

    Begins at .1 and grows, so that a short run is not left with the weights it began with.
    """
    return min(decay, (1 + update) / (10 + update))


class Ema:
    """Averages of a network's weights, on its device and in its shards.

    Attributes:
      weights: Name of a weight to its average.
    """

    def __init__(self, network: nn.Module) -> None:
        self.weights: dict[str, Tensor] = {
            name: one.detach().clone() for name, one in network.named_parameters()
        }

    @torch.no_grad()
    def update(self, network: nn.Module, decay: float) -> None:
        """average <- decay * average + (1 - decay) * weight."""
        named = dict(network.named_parameters())
        averages = [local(one) for one in self.weights.values()]
        weights = [local(named[name].detach()) for name in self.weights]
        torch._foreach_lerp_(averages, weights, 1 - decay)

    @contextlib.contextmanager
    def worn(self, network: nn.Module) -> Iterator[None]:
        """The network with the averages as its weights, while the body runs."""
        self._swap(network)
        try:
            yield
        finally:
            self._swap(network)

    @torch.no_grad()
    def _swap(self, network: nn.Module) -> None:
        # One weight at a time: a second copy of all might not fit.
        for name, weight in network.named_parameters():
            ours, theirs = local(self.weights[name]), local(weight.detach())
            held = theirs.clone()
            theirs.copy_(ours)
            ours.copy_(held)
