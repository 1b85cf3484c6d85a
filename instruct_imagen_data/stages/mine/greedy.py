"""Neighbourhoods of five from lists of neighbours, each picture used a limited number of times."""

import dataclasses

import numpy as np
import numpy.typing as npt

from instruct_imagen_data import vectors
from instruct_imagen_data.cell import Cell
from instruct_imagen_data.stages.mine.neighbours import Lists, nearest_rows

MEMBERS = 5  # FACTS 22
PAIRS = np.triu_indices(MEMBERS, 1)  # (0,1) (0,2) .. (3,4)
NO_NEIGHBOURS, BAND, LEFTOVER = "no_neighbours", "band", "leftover"


@dataclasses.dataclass(frozen=True)
class Band:
    """Dots between which a picture is a neighbour: lower <= dot < upper."""

    lower: int
    upper: int


@dataclasses.dataclass(frozen=True)
class Mined:
    """What was found in a cell. Rows are numbered within it.

    Attributes:
      lists: the neighbours of each row.
      seeds: int64 [t] the rows that were tried as a seed, in order.
      members: int64 [m, 5] each neighbourhood, its seed first, then nearest first.
      dots: float32 [m, 10] of the pairs of each, in the order of PAIRS.
    """

    lists: Lists
    seeds: npt.NDArray[np.int64]
    members: npt.NDArray[np.int64]
    dots: vectors.Floats


def seed_order(cell: Cell) -> npt.NDArray[np.int64]:
    """Rows in the order they are tried: cluster by cluster, its medoid, then by a draw.

    The medoid has the largest sum of cosines to its cluster (exact: whole numbers in float64).
    """
    drawn = vectors.draws(cell.column("key"), "mine/seeds")
    follows = np.ones(cell.size, bool)
    for _, start, end in zip(*cell.bounds(), strict=True):
        members = cell.vectors[start:end].astype(np.float64)
        follows[start + int(np.argmax(members @ members.sum(axis=0)))] = False
    return np.lexsort((drawn, follows, cell.clusters))


def pick(dots: npt.NDArray[np.float32], band: Band) -> list[int]:
    """The first rows, 0 always and five at most, of which every two are in the band.

    Args:
      dots: [c, c] of a seed (0) and its candidates, nearest first.
    """
    fits = ((dots >= band.lower) & (dots < band.upper)).tolist()
    chosen = [0]
    for candidate in range(1, len(fits)):
        if all(fits[candidate][one] for one in chosen):
            chosen.append(candidate)
            if len(chosen) == MEMBERS:
                break
    return chosen


def mine(cell: Cell, band: Band, overlap: int) -> Mined:
    """Neighbourhoods of a cell: each seed with the first four of its list that are not used up and,
    every two, in the band.
    """
    found, dots = lists = nearest_rows(cell)
    inside = (dots >= band.lower) & (dots < band.upper)
    enough = (inside.sum(axis=1) >= MEMBERS - 1).tolist()
    uses = [0] * cell.size
    seeds, members, pairs = [], [], []
    for seed in seed_order(cell).tolist():
        if uses[seed] >= overlap:
            continue
        seeds.append(seed)
        if not enough[seed]:
            continue
        free = [row for row in found[seed, inside[seed]].tolist() if uses[row] < overlap]
        if len(free) < MEMBERS - 1:
            continue
        rows = np.array([seed, *free])
        among = cell.vectors[rows] @ cell.vectors[rows].T
        chosen = pick(among, band)
        if len(chosen) == MEMBERS:
            members.append(rows[chosen])
            pairs.append(among[np.ix_(chosen, chosen)][PAIRS])
            for row in rows[chosen].tolist():
                uses[row] += 1
    return Mined(
        lists,
        np.array(seeds, np.int64),
        np.array(members, np.int64).reshape(-1, MEMBERS),
        np.array(pairs, np.float32).reshape(-1, len(PAIRS[0])),
    )


def reasons(
    mined: Mined, band: Band
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Why each row is in no neighbourhood: (reason, value, threshold), each [n]; '' if it is.

    `no_neighbours`: fewer than four candidates. `band`: fewer than four inside the band; the value
    is the cosine of the fourth candidate. `leftover`: enough, but they were used by others, or are
    near-duplicates of each other, or too far apart.
    """
    found, dots = mined.lists
    used = np.zeros(len(found), bool)
    used[mined.members] = True
    candidates = (found >= 0).sum(axis=1)
    inside = ((dots >= band.lower) & (dots < band.upper)).sum(axis=1)
    fourth = vectors.cosines(np.maximum(dots[:, MEMBERS - 2], -(2.0**24))).astype(np.float64)
    conditions = [used, candidates < MEMBERS - 1, inside < MEMBERS - 1]
    reason = np.select(conditions, ["", NO_NEIGHBOURS, BAND], LEFTOVER)
    lower = float(vectors.cosines(np.array([band.lower], np.float64))[0])
    value = np.select(conditions, [np.nan, candidates, fourth], np.nan)
    threshold = np.select(conditions, [np.nan, MEMBERS - 1, lower], np.nan)
    return reason, value, threshold
