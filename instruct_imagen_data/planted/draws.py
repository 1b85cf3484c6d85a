"""Random draws that depend on names alone: the same names give the same numbers in any process."""

import hashlib
import itertools

import numpy as np

GOLDEN = (0.6180339887, 0.7548776662, 0.8191725134, 0.8566748839, 0.8812714616, 0.8986537126)


def generator(*names: str | float) -> np.random.Generator:
    """A generator seeded by a hash of the names."""
    digest = hashlib.blake2b("\x1f".join(map(str, names)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def spread(index: int, count: int, *names: str | float) -> tuple[float, ...]:
    """Coordinates of the index-th point of a sequence that fills [0, 1)^count evenly.

    Consecutive points lie far apart, which keeps two views of one entity from coinciding.
    Additive recurrence with a random start; each axis has a step of its own.
    """
    start = generator("spread", *names).random(count)
    steps = itertools.islice(itertools.cycle(GOLDEN), count)
    return tuple(float((s + index * step) % 1.0) for s, step in zip(start, steps, strict=True))


def between(unit: float, low: float, high: float) -> float:
    """low + unit * (high - low): a draw from [0, 1) moved to [low, high)."""
    return low + unit * (high - low)
