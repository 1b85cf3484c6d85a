"""The mixture of stage 2: how often each dataset is drawn, and which one a draw is of.

Table 1's ratios are those of a corpus that has everything. `of_rows` gives the ratios of the
datasets that are there, `capped` bounds how often a small one is replayed, and `cycle_of` lays the
draws out: evenly, in an order that repeats, so that how often a dataset was drawn before draw n is
looked up, not counted.
"""

import dataclasses
import heapq
import tomllib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from instruct_imagen_data import tasks
from instruct_imagen_data.errors import UsageError

FILE = "mixture.toml"
CYCLE = 10_000  # draws: a share is a whole number of them
MAX_REPLAY = 50.0  # above it, a dataset is learnt by heart (the paper's own go up to 270)
_DIGITS = 6  # of a ratio in a file; together they are exactly 1
_HEAD = """\
# How often each dataset is drawn in stage 2: `ratio` of all draws (together 1), from `rows`
# training rows. Written by `instruct-imagen instruct`.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What a dataset has of the mixture.

    Attributes:
      dataset: A name in tasks.DATASETS.
      ratio: Of all draws, 0 to 1.
      rows: Its training rows, at least 1.
    """

    dataset: str
    ratio: float
    rows: int

    def replay(self, draws: int) -> float:
        """How often each of its rows is drawn among so many draws of the mixture."""
        return draws * self.ratio / self.rows


Mixture = tuple[Share, ...]  # ratios sum to 1; in the order of tasks.DATASETS


def of_rows(rows: Mapping[str, int]) -> Mixture:
    """Table 1's ratios for the datasets that have rows.

    A category keeps its ratio while one of its datasets is there; that of a category that is not
    there goes to the others in proportion.

    Args:
      rows: Dataset to its training rows.

    Raises:
      UsageError: no dataset has any.
    """
    there = [one for one in tasks.DATASETS.values() if rows.get(one.name, 0) > 0]
    if not there:
        raise UsageError("there is no training row of any dataset: nothing can be mixed")
    whole = _sums((one.category, one.ratio) for one in tasks.DATASETS.values())
    present = _sums((one.category, one.ratio) for one in there)
    total = sum(whole[category] for category in present)
    return tuple(
        Share(
            one.name,
            one.ratio / present[one.category] * whole[one.category] / total,
            rows[one.name],
        )
        for one in there
    )


def _sums(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in pairs:
        found[name] = found.get(name, 0.0) + value
    return found


def capped(mixture: Mixture, draws: int, most: float) -> Mixture:
    """A mixture of which no dataset is replayed more than `most` times in so many draws.

    What is cut goes to the other datasets of the same category, then to all others, in proportion,
    until none is above. Where there are too few rows for that, all are replayed alike: see
    `too_few`.

    Args:
      mixture: Its ratios are above 0.
    """
    limits = {one.dataset: most * one.rows / draws for one in mixture}
    if too_few(mixture, draws, most):
        total = sum(one.rows for one in mixture)
        return tuple(dataclasses.replace(one, ratio=one.rows / total) for one in mixture)
    ratios = {one.dataset: one.ratio for one in mixture}
    full: set[str] = set()
    while over := [name for name in ratios if ratios[name] > limits[name] * (1 + 1e-12)]:
        full.update(over)
        excess = _sums((_category(name), ratios[name] - limits[name]) for name in over)
        ratios |= {name: limits[name] for name in over}
        for category, share in excess.items():
            free = [name for name in ratios if name not in full]
            near = [name for name in free if _category(name) == category]
            ratios |= _given(ratios, near or free, share)
    return tuple(dataclasses.replace(one, ratio=ratios[one.dataset]) for one in mixture)


def _category(dataset: str) -> str:
    return tasks.DATASETS[dataset].category


def _given(ratios: Mapping[str, float], names: Sequence[str], share: float) -> dict[str, float]:
    """Ratios of some datasets, once a share is given to them in proportion to what they have."""
    total = sum(ratios[name] for name in names)
    return {name: ratios[name] * (1 + share / total) for name in names}


def too_few(mixture: Mixture, draws: int, most: float) -> bool:
    """Whether all rows together are too few for so many draws, each at most `most` times."""
    return draws > most * sum(one.rows for one in mixture)


def write(mixture: Mixture) -> str:
    """The text of a mixture file; its ratios are rounded so that they sum to exactly 1."""
    units = _apportion([one.ratio for one in mixture], 10**_DIGITS)
    blocks = [
        f'\n[[mixture]]\ndataset = "{one.dataset}"\n'
        f"ratio = {unit / 10**_DIGITS:.{_DIGITS}f}\nrows = {one.rows}\n"
        for one, unit in zip(mixture, units, strict=True)
    ]
    return _HEAD + "".join(blocks)


def read(text: str, where: str = FILE) -> Mixture:
    """The mixture of a file, which a person may have edited.

    Raises:
      UsageError: it is no mixture; says what is wrong with which dataset.
    """
    try:
        found = tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is no TOML: {error}") from error
    tables = found.get("mixture")
    if not isinstance(tables, list) or not tables:
        raise UsageError(f"{where} holds no [[mixture]]: dataset, ratio and rows of each dataset")
    shares = [_share(one, where) for one in tables]
    names = [one.dataset for one in shares]
    if len(set(names)) < len(names):
        raise UsageError(f"{where} names a dataset twice")
    total = sum(one.ratio for one in shares)
    if abs(total - 1) > 1e-4:
        raise UsageError(f"{where}: its ratios sum to {total:.6g}; they must sum to 1")
    order = list(tasks.DATASETS)
    shares.sort(key=lambda one: order.index(one.dataset))
    return tuple(dataclasses.replace(one, ratio=one.ratio / total) for one in shares)


def _share(table: object, where: str) -> Share:
    if not isinstance(table, dict) or table.keys() != {"dataset", "ratio", "rows"}:
        raise UsageError(f"{where}: a [[mixture]] has dataset, ratio and rows, not {table!r}")
    name, ratio, rows = table["dataset"], table["ratio"], table["rows"]
    if name not in tasks.DATASETS:
        raise UsageError(f"{where}: no dataset {name!r}; known are {', '.join(tasks.DATASETS)}")
    numbers = isinstance(ratio, int | float) and isinstance(rows, int)
    if not numbers or not 0 <= ratio <= 1 or rows < 1:
        raise UsageError(f"{where}: {name}: a ratio is from 0 to 1, rows are at least 1")
    return Share(name, float(ratio), rows)


def _apportion(ratios: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to ratios that sum to `total`: by largest remainder."""
    scale = total / sum(ratios)
    exact = [ratio * scale for ratio in ratios]
    whole = [int(one) for one in exact]
    most = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in most[: total - sum(whole)]:
        whole[i] += 1
    return whole


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
        return self.datasets[self.order[draw % len(self.order)]]

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
    shares = _apportion([one.ratio for one in mixture], length)
    order = np.array(_even_order(shares), np.int16)
    each = order[:, None] == np.arange(len(names))
    before = np.zeros((length + 1, len(names)), np.int64)
    np.cumsum(each, axis=0, out=before[1:])
    return Cycle(names, order, before)


def _even_order(shares: Sequence[int]) -> list[int]:
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
