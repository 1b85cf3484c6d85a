"""What every quality network returns."""

import dataclasses

import numpy as np

BINS = 10  # scores 1 to 10, as AVA's voters gave them


@dataclasses.dataclass(frozen=True, slots=True)
class Quality:
    """Scores of a batch, on the network's own scale; a model set's role makes higher better."""

    value: np.ndarray  # float32 [n]
    deviation: np.ndarray  # float32 [n], of the distribution; 0 where there is none
    distribution: np.ndarray | None  # float32 [n, BINS], rows sum to 1


def from_distribution(distribution: np.ndarray) -> Quality:
    """Mean and deviation of score distributions [n, BINS] over the scores 1 to 10.

    Source: NIMA, Talebi and Milanfar 2018, section 3.
    """
    scores = np.arange(1, BINS + 1, dtype=np.float64)
    weight = distribution.astype(np.float64)
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ scores
    variance = (weight * (scores - mean[:, None]) ** 2).sum(axis=1)
    return Quality(
        value=mean.astype(np.float32),
        deviation=np.sqrt(variance).astype(np.float32),
        distribution=distribution.astype(np.float32),
    )
