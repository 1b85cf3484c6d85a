"""The order of the draws: even, fixed, and such that counts are looked up."""

import dataclasses
import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from instruct_imagen_data.mixture.shares import Mixture, apportion

CYCLE = 10_000  # draws: a share is a whole number of them


@dataclasses.dataclass(frozen=True, eq=False)
class Cycle:
    """Which dataset each draw is of: an order of `len(order)` draws that repeats for ever.

    Before any draw n, a dataset has had n times its share of the draws, less or more than one.

    Attributes:
      datasets: Their names.
      order: int16 [length], index of a dataset of each draw.
      before: int64 [length + 1, datasets], draws of each among the first n of the cycle.
    """

    datasets: tuple[str, ...]
    order: npt.NDArray[np.int16]
    before: npt.NDArray[np.int64]

    def dataset_at(self, draw: int) -> str:
        """The dataset of a draw, counted from 0."""
        return self.datasets[int(self.order[draw % len(self.order)])]

    def count(self, dataset: str, draws: int) -> int:
        """How many of the first so many draws are of a dataset; a look-up, however many."""
        rounds, rest = divmod(draws, len(self.order))
        column = self.before[:, self.datasets.index(dataset)]
        return rounds * int(column[-1]) + int(column[rest])

    def sample_at(self, draw: int) -> tuple[str, int]:
        """(dataset, number among the samples of that dataset, from 0) of a draw."""
        dataset = self.dataset_at(draw)
        return dataset, self.count(dataset, draw)


def cycle_of(mixture: Mixture, length: int = CYCLE) -> Cycle:
    """The cycle of a mixture: shares by largest remainder, laid out as evenly as can be."""
    names = tuple(one.dataset for one in mixture)
    shares = apportion([one.ratio for one in mixture], length)
    order = np.array(even_order(shares), np.int16)
    each = order[:, None] == np.arange(len(names))
    before = np.zeros((length + 1, len(names)), np.int64)
    np.cumsum(each, axis=0, out=before[1:])
    return Cycle(names, order, before)


def even_order(shares: Sequence[int]) -> list[int]:
    """An order in which index i comes shares[i] times, nowhere more than one early or late.

    With k indices, and length L: before any n, i has come n * shares[i] / L times within
    1 - 1 / (2k - 2), which is the best that can be (Tijdeman 1980, "The chairman assignment
    problem"). That bound gives each occurrence an earliest and a latest place; of the occurrences
    that may come, the one that must come first is taken.
    """
    length, kinds = sum(shares), sum(share > 0 for share in shares)
    parts = max(2 * kinds - 2, 1)  # the bound is (parts - 1) / parts

    def window(i: int, number: int) -> tuple[int, int, int, int]:
        """(earliest place, latest place, index, number) of an occurrence, all from 0."""
        unit = parts * shares[i]
        earliest = -(-length * (parts * number + 1) // unit) - 1
        return earliest, length * (parts * (number + 1) - 1) // unit, i, number

    waiting = [window(i, 0) for i, share in enumerate(shares) if share]
    heapq.heapify(waiting)
    ready: list[tuple[int, int, int]] = []
    order = []
    for place in range(length):
        while waiting and waiting[0][0] <= place:
            _, latest, i, number = heapq.heappop(waiting)
            heapq.heappush(ready, (latest, i, number))
        _, i, number = heapq.heappop(ready)
        order.append(i)
        heapq.heappush(waiting, window(i, number + 1))
    return order
