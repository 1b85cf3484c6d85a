"""Ratios of the datasets that are there, the cap on replay, and the file that holds them."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping, Sequence

from instruct_imagen_data import tasks
from instruct_imagen_data.errors import UsageError

FILE = "mixture.toml"
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
    units = apportion([one.ratio for one in mixture], 10**_DIGITS)
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


def apportion(ratios: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to ratios that sum to `total`: by largest remainder."""
    scale = total / sum(ratios)
    exact = [ratio * scale for ratio in ratios]
    whole = [int(one) for one in exact]
    most = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in most[: total - sum(whole)]:
        whole[i] += 1
    return whole
