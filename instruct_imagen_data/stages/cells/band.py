"""The context band: how near two pictures of a domain must be to show the same thing.

Its lower edge comes from the data: the 99.5th percentile of the cosines of random pairs of the
domain that are in *different* clusters. FACTS 102 takes all random pairs; in a corpus where every
thing is seen many times, its percentile then lies inside the pairs that are wanted. The upper edge
is the duplicate level.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from instruct_imagen_data import keys, vectors
from instruct_imagen_data.cell import Cell

ROWS = 1024  # all pairs of so many rows: half a million
PERCENTILE = 0.995
_SALT = "cells/band"

# (draws, int16 vectors, hash of cell and cluster) of some rows
Rows = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int16], npt.NDArray[np.uint64]]


def rows_of(cell: Cell, domain_rows: int) -> Rows:
    """The rows of a cell that may be among the domain's `ROWS` rows of lowest draw."""
    drawn = vectors.draws(cell.column("key"), _SALT)
    rate = min(1.0, 2 * ROWS / max(1, domain_rows))  # twice as many as wanted
    low = drawn <= np.uint64(min(rate, 1 - 2**-53) * 2.0**64)
    inside = np.flatnonzero(cell.homes & low)
    inside = inside[np.argsort(drawn[inside], kind="stable")][:ROWS]
    place = np.uint64(keys.id64(cell.name) & ~0xFFFFF)  # room for the number of the cluster
    clusters = cell.clusters[inside].astype(np.uint64)
    return drawn[inside], cell.vectors[inside].astype(np.int16), place | clusters


def lowest(several: Iterable[Rows]) -> Rows:
    """The rows of lowest draw; a combiner of `rows_of`."""
    parts = list(several)
    drawn, points, clusters = (np.concatenate([one[i] for one in parts]) for i in range(3))
    order = np.argsort(drawn, kind="stable")[:ROWS]
    return drawn[order], points[order], clusters[order]


def lower_edge(rows: Rows) -> tuple[float, int]:
    """(cosine, pairs it was found from)."""
    _, points, clusters = rows
    floats = vectors.exact(points)
    one, other = np.triu_indices(len(floats), 1)
    apart = clusters[one] != clusters[other]
    dots = (floats @ floats.T)[one[apart], other[apart]]
    if not len(dots):
        return 0.0, 0
    rank = int(PERCENTILE * (len(dots) - 1))
    return float(vectors.cosines(np.partition(dots, rank)[rank])), len(dots)
