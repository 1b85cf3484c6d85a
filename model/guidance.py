"""Guidance: how predictions with and without conditions are joined at a step of sampling.

The network predicts p(c, r) from text and references, p(c) from the text alone, and p() from
neither: the encoded empty text and no reference. Of these are joined

    joint    p() + w (p(c, r) - p())
    nested   p() + w (p(c) - p()) + w_r (p(c, r) - p(c))

Nested guidance asks for more of the references than of the text where w_r > w; with w_r = w it is
joint guidance, and both are p(c, r) where all scales are 1. The three weights sum to 1, so that it
does not matter whether noise is predicted or v: v is a multiple of the noise plus the same multiple
of the sample for all three.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from torch import Tensor

Kind = Literal["none", "joint", "nested", "oscillating"]
KINDS: tuple[Kind, ...] = ("none", "joint", "nested", "oscillating")
FULL, TEXT, NULL = "full", "text", "null"  # p(c, r), p(c), p()


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """Of p(c, r), p(c) and p(); they sum to 1."""

    full: float
    text: float
    null: float

    @property
    def needed(self) -> tuple[str, ...]:
        """The predictions that weigh anything: those that are to be made."""
        return tuple(name for name in (FULL, TEXT, NULL) if getattr(self, name))


def joint(scale: float) -> Weights:
    """p() + scale (p(c, r) - p())."""
    return Weights(scale, 0.0, 1 - scale)


def nested(scale: float, context_scale: float) -> Weights:
    """p() + scale (p(c) - p()) + context_scale (p(c, r) - p(c))."""
    return Weights(context_scale, scale - context_scale, 1 - scale)


def at(kind: Kind, step: int, scale: float, context_scale: float) -> Weights:
    """The weights of a step, counted from 0.

    Oscillating guidance (appendix A.2.2) is joint on one step and none on the next. The paper does
    not say which comes first: here the first, noisiest step is guided.
    """
    if kind == "nested":
        return nested(scale, context_scale)
    guided = kind == "joint" or (kind == "oscillating" and step % 2 == 0)
    return joint(scale if guided else 1.0)


def joined(weights: Weights, predictions: Mapping[str, Tensor]) -> Tensor:
    """The guided prediction, of those that are `needed`."""
    first, *others = weights.needed
    total = getattr(weights, first) * predictions[first]
    for name in others:
        total = total + getattr(weights, name) * predictions[name]
    return total
