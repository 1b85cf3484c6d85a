"""Scores of a dataset: its checks with the right references, with another row's, and at best."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from model.batches.records import Pixels
from model.evaluate.rows import Cited, Row

Checks = Mapping[str, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """A row, and what was drawn for it.

    Attributes:
      row: The row.
      target: Its target as small as the network's pictures, uint8 [S, S, 3].
      right: Drawn with its own references.
      lent: Another row's references; None where no row could lend its own.
      swapped: Drawn with those, from the same noise; None without.
      of_target, of_right, of_swapped: Their checks, all against the row's own references.
    """

    row: Row
    target: Pixels
    right: Pixels
    lent: tuple[Cited, ...] | None
    swapped: Pixels | None
    of_target: Checks
    of_right: Checks
    of_swapped: Checks | None


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """One check of a dataset.

    Attributes:
      check: Such as edge_f1.
      rows: That have it.
      target: Mean of the targets themselves: about the best that can be reached.
      right: Mean with the right references.
      swapped: Mean with another row's; None where none was swapped.
      better: Share of the swapped rows where the right references did better, ties by half;
        .5 where references are of no use.
    """

    check: str
    rows: int
    target: float
    right: float
    swapped: float | None
    better: float | None


def of(drawn: Sequence[Drawn]) -> list[Score]:
    """The scores of a dataset, those of its references first."""
    names = dict.fromkeys(name for one in drawn for name in one.of_right)
    return [_score(name, [one for one in drawn if name in one.of_right]) for name in names]


def _score(name: str, drawn: Sequence[Drawn]) -> Score:
    pairs = [
        (one.of_right[name], one.of_swapped[name]) for one in drawn if one.of_swapped is not None
    ]
    return Score(
        name,
        len(drawn),
        _mean(one.of_target[name] for one in drawn),
        _mean(one.of_right[name] for one in drawn),
        _mean(swapped for _, swapped in pairs) if pairs else None,
        _mean((right > swapped) + (right == swapped) / 2 for right, swapped in pairs)
        if pairs
        else None,
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([*values]))


def table(scores: Mapping[str, Sequence[Score]]) -> str:
    """The scores as text, a line each."""
    lines = [
        f"{'dataset':<15}{'check':<20}{'rows':>5}{'target':>8}{'right':>8}{'swapped':>9}{'better':>8}"
    ]
    for dataset, several in scores.items():
        for one in several:
            told = (
                f"{one.target:>8.2f}{one.right:>8.2f}{_told(one.swapped):>9}{_told(one.better):>8}"
            )
            lines.append(f"{dataset:<15}{one.check:<20}{one.rows:>5}{told}")
    return "\n".join(lines)


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
