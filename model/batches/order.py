"""Which row each draw of a dataset is of: a shuffle that is computed, not kept.

The rows are cut into windows of nearly one size. Each pass takes the windows in another order and
deals them to the lanes in turn; a lane takes the rows of its window in a drawn order. So a lane
reads rows that lie together, and any draw's row is found without looking at those before it.
A dataset that has fewer windows than lanes is one window: all of its rows are in reach of all.
"""

import dataclasses
from collections.abc import Iterator

from model.batches.permutation import permute


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """The order of a dataset's rows, pass after pass.

    In each pass over a dataset of several windows every row comes once, and a few (at most one a
    window) twice, where the windows are not all of one size; in one of a single window, once.

    Attributes:
      name: Of the dataset; another name is another order.
      rows: How many it has, at least 1.
      lanes: Streams that draw from it.
      window: Rows of a window, about.
      seed: Another seed is another order.
    """

    name: str
    rows: int
    lanes: int
    window: int
    seed: int

    @property
    def small(self) -> bool:
        """Whether it has too few rows for the lanes and is read by direct address."""
        return self.rows < self.lanes * self.window

    @property
    def windows(self) -> int:
        return -(-self.rows // self.window)

    def candidates(self, lane: int, in_lane: int, number: int) -> Iterator[int]:
        """The row of a draw, then those of its window that may stand in for it, each once.

        Args:
          lane: Of the draw.
          in_lane: Draws of this dataset in its lane before it.
          number: Draws of this dataset before it; only that of a small one is looked at.
        """
        if self.small:
            turn, place = divmod(number, self.rows)
            first, rows, places = 0, self.rows, self.rows
            limit = min(self.rows, self.window)
        else:
            base, longer = divmod(self.rows, self.windows)
            places = limit = base + (longer > 0)  # a shorter window has a place without a row
            visit, place = divmod(in_lane, places)
            turn = visit * self.lanes + lane
            tour, stop = divmod(turn, self.windows)
            window = permute(stop, self.windows, self._key("windows", tour))
            first = window * base + min(window, longer)
            rows = base + (window < longer)
        key = self._key("rows", turn)
        for step in range(limit):
            row = permute((place + step) % places, places, key)
            if row < rows:
                yield first + row

    def _key(self, what: str, turn: int) -> str:
        return f"{self.seed}/{self.name}/{what}/{turn}"
