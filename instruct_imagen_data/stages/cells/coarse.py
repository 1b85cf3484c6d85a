"""Coarse cells: regions of a domain that hold about 8k rows, as much as a worker looks at.

Flat k-means with n / 200 clusters costs n**2; two levels cost little more than n. A domain of few
rows is one cell. For a larger one the regions come from a sample: rows whose draw is under a rate,
so the sample depends on content alone, and it is bounded.
"""

import dataclasses
import math
from collections.abc import Iterable
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from instruct_imagen_data import vectors
from instruct_imagen_data.stages.cells import kmeans

CELL_ROWS = 8 << 10
_LIMIT = 1.5  # a cell estimated to hold more rows than this many cells is split
GUESTS = 0.25  # share of a domain's rows that are nearest to a boundary
_MOST_POINTS = 128 << 10  # of a sample: 64 a cell for 16 million rows of one domain
_SALT = "cells/sample"

Points = tuple[vectors.Bytes, npt.NDArray[np.int16]]  # (keys, vectors) of some rows


@dataclasses.dataclass(frozen=True)
class Regions:
    """The cells of a domain.

    Attributes:
      centroids: float32 [c, d] integers; a row belongs to the nearest.
      pieces: Cells that each region is cut into, by key: 1, but for one that k-means cannot split.
      margin: A row whose dot with its second centroid is at most this much less than with its first
        lies on the boundary, and is a guest of the second.
    """

    centroids: kmeans.Centroids
    pieces: tuple[int, ...]
    margin: int = -1

    def names(self, domain: str) -> list[str]:
        """Names of the domain's cells."""
        return [f"{quote(domain, safe='')}-{i:04d}" for i in range(sum(self.pieces))]

    def assign(self, keys: vectors.Bytes, points: npt.NDArray[np.int16]) -> vectors.Ints:
        """[n, 2] the cell of each row and the one it is a guest of (-1: none): indices of `names`.

        Copies of one picture can fall on both sides of a boundary; one of the two is then a guest
        where the other lives, to be compared, and nothing else.
        """
        if len(self.pieces) == 1:
            region = np.zeros((len(keys), 1), np.int32)
            guests = np.zeros(len(keys), bool)
        else:
            gaps, region = _first_two(vectors.exact(points), self.centroids)
            guests = gaps <= self.margin
        pieces = np.array(self.pieces, np.uint64)
        first = np.cumsum(self.pieces) - self.pieces
        upper = vectors.words(keys)[:, :1] >> np.uint64(32)
        cells = first[region] + ((upper * pieces[region]) >> np.uint64(32)).astype(np.int64)
        return np.stack([cells[:, 0], np.where(guests, cells[:, -1], -1)], axis=1)


def _first_two(
    points: vectors.Floats, centroids: kmeans.Centroids
) -> tuple[vectors.Floats, kmeans.Labels]:
    """([n] how much less the second centroid's dot is than the first's, [n, 2] the two)."""
    dots, regions = kmeans.search(points, centroids, 2)
    return dots[:, 0] - dots[:, 1], regions


ONE = Regions(np.empty((0, 0), np.float32), (1,))  # of a domain that needs no sample


def sample_rate(rows: int, cell_rows: int = CELL_ROWS) -> float:
    """Share of a domain's rows that its regions are trained on: 0 if it is one cell."""
    if rows <= cell_rows:
        return 0.0
    return min(1.0, 2 * kmeans.POINTS / cell_rows, _MOST_POINTS / rows)


def in_sample(keys: vectors.Bytes, rate: float) -> npt.NDArray[np.bool_]:
    """bool [n]: rows whose draw is under the rate."""
    return vectors.draws(keys, _SALT) < np.uint64(min(rate, 1 - 2**-53) * 2.0**64)


def find_regions(samples: Iterable[Points], rows: int, cell_rows: int = CELL_ROWS) -> Regions:
    """The cells of a domain of `rows` rows, from the samples of all groups."""
    several = list(samples)
    keys = np.concatenate([one[0] for one in several])
    if rows <= cell_rows or not len(keys):
        return ONE
    order = np.lexsort((*vectors.words(keys).T[::-1], vectors.draws(keys, _SALT)))
    points = vectors.exact(np.concatenate([one[1] for one in several])[order])
    share = len(points) / rows  # of the rows that are in the sample
    wanted, limit = cell_rows * share, _LIMIT * cell_rows * share
    centroids = kmeans.cluster(points, wanted, limit)
    guests = int(GUESTS * len(points))
    if len(centroids) == 1:
        return Regions(centroids, (math.ceil(rows / cell_rows),))
    gaps, regions = _first_two(points, centroids)
    sizes = np.bincount(regions[:, 0], minlength=len(centroids))
    pieces = tuple(1 if size <= limit else math.ceil(size / wanted) for size in sizes.tolist())
    return Regions(centroids, pieces, int(np.partition(gaps, guests)[guests]))


def domain_of(name: str) -> str:
    """The domain of a cell, from its name."""
    return unquote(name.rpartition("-")[0])
