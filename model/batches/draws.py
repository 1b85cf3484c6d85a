"""What is random in a sample: a function of (seed, index of the sample, salt), and nothing else.

No generator is carried along, so a draw is the same whichever process makes it, in whatever order,
before or after a restart.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from instruct_imagen_data import keys

T = TypeVar("T")


class Draws:
    """The draws of one sample."""

    __slots__ = ("_key",)

    def __init__(self, seed: int, index: int) -> None:
        self._key = f"{seed}/{index}"

    def unit(self, salt: str) -> float:
        """From (0, 1): neither end is drawn."""
        return ((keys.draw64(self._key, salt) >> 12) + 0.5) / 2.0**52

    def below(self, number: int, salt: str) -> int:
        """From 0 to number - 1."""
        return keys.draw64(self._key, salt) % number

    def order(self, rows: Sequence[T], salt: str) -> list[T]:
        """The rows in a drawn order."""
        lots = [keys.draw64(self._key, f"{salt}/{place}") for place in range(len(rows))]
        return [rows[place] for place in sorted(range(len(rows)), key=lots.__getitem__)]

    def generator(self, salt: str) -> np.random.Generator:
        """A counter-based generator of its own."""
        digest = hashlib.blake2b(f"{salt}\0{self._key}".encode(), digest_size=16).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))
