"""Which dataset each draw is of, and how many of it came before: in its lane, and at all.

Draw n is of lane n mod L. The mixture's cycle says how many of each block of L draws are of which
dataset; here they are dealt to the lanes, so that each lane sees each dataset at its rate. (As the
cycle lies, a dataset of every fiftieth draw would come to half of 16 lanes only, and the rows of
the others would wait for ever.) One deal serves for ever: after each period the lanes move on by
one, so that what one lane had too much of in a period, the others have in the next.
"""

import math

import numpy as np
import numpy.typing as npt

from instruct_imagen_data.mixture import Cycle

Counts = npt.NDArray[np.int64]


class Lanes:
    """A mixture's draws, dealt to lanes. All questions are answered from tables, at any draw.

    Memory: 6 bytes for each of at most len(cycle) * lanes draws of a period.

    Attributes:
      cycle: The mixture's; at each multiple of `lanes` draws, counts are those of the cycle.
      lanes: Their number, L.
    """

    def __init__(self, cycle: Cycle, lanes: int) -> None:
        self.cycle, self.lanes = cycle, lanes
        length = len(cycle.order)
        self._blocks = length // math.gcd(length, lanes)
        blocks = np.resize(cycle.order, (self._blocks, lanes))
        self._order = _dealt(blocks, len(cycle.datasets))
        self._earlier = np.zeros((self._blocks, lanes), np.int32)  # of its dataset in its lane
        totals = []
        for dataset in range(len(cycle.datasets)):
            same = self._order == dataset
            counts = np.cumsum(same, axis=0)
            self._earlier[same] = (counts - same)[same]
            totals.append(counts[-1])
        # Of a dataset in the first columns of a period, around twice: sums of any lanes in a row.
        twice = np.hstack([np.zeros((len(totals), 1), np.int64), *([np.stack(totals)] * 2)])
        self._columns: Counts = np.cumsum(twice, axis=1)

    def dataset_at(self, draw: int) -> str:
        """The dataset of a draw, counted from 0."""
        _, block, column = self._place(draw)
        return self.cycle.datasets[int(self._order[block, column])]

    def in_lane(self, draw: int) -> int:
        """How many draws of this one's lane before it are of its dataset."""
        period, block, column = self._place(draw)
        sums = self._columns[self._order[block, column]]
        turns, rest = divmod(period, self.lanes)
        lane = draw % self.lanes
        earlier = turns * int(sums[self.lanes]) + int(sums[lane + rest] - sums[lane])
        return earlier + int(self._earlier[block, column])

    def count(self, dataset: str, draws: int) -> int:
        """How many of the first so many draws are of a dataset."""
        whole, rest = divmod(draws, self.lanes)
        period, block = divmod(whole, self._blocks)
        columns = (np.arange(rest) + period) % self.lanes
        there = self._order[block, columns] == self.cycle.datasets.index(dataset)
        return self.cycle.count(dataset, whole * self.lanes) + int(there.sum())

    def _place(self, draw: int) -> tuple[int, int, int]:
        """(period, block in it, column of the table) of a draw."""
        whole, lane = divmod(draw, self.lanes)
        period, block = divmod(whole, self._blocks)
        return period, block, (lane + period) % self.lanes


def _dealt(blocks: npt.NDArray[np.int16], datasets: int) -> npt.NDArray[np.int16]:
    """The draws of each block [n, lanes] in another order: each goes to the lane that had fewest.

    The rarest dataset chooses first. Of equal lanes it takes those that the most frequent one,
    which gets what is left, has been to most often; then such as lie apart (by the golden ratio),
    so that lanes in a row have together what they should.
    """
    dealt = np.empty_like(blocks)
    had = np.zeros((datasets, blocks.shape[1]), np.int64)
    apart = np.arange(blocks.shape[1]) * ((5**0.5 - 1) / 2) % 1
    rarest = np.argsort(np.bincount(blocks.ravel(), minlength=datasets), kind="stable")
    for block, drawn in enumerate(blocks):
        free = np.ones(blocks.shape[1], bool)
        many = np.bincount(drawn, minlength=datasets)
        for dataset in rarest[many[rarest] > 0]:
            lanes = np.flatnonzero(free)
            by = (apart[lanes], -had[rarest[-1], lanes], had[dataset, lanes])
            chosen = lanes[np.lexsort(by)[: many[dataset]]]
            dealt[block, chosen] = dataset
            had[dataset, chosen] += 1
            free[chosen] = False
    return dealt
