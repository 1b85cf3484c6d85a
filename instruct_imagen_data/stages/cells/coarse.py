"""Coarse cells: regions of a domain that hold about 8k rows, as much as a worker looks at.

Flat k-means with n / 200 clusters costs n**2; two levels cost little more than n. A domain of few
rows is one cell. For a larger one a sample decides: rows whose draw is under a rate, so it depends
on content alone, and it is bounded.

The mean of 8k rows is near none of them, and rows of one topic would fall into different cells. So
the sample is clustered into about a thousand *spots*, whatever the size of the domain: what a row
is compared with does not grow. A cell owns spots that lie together (see `pack`), and a row goes to
the cell that owns its nearest spot.
"""

import dataclasses
import math
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from instruct_imagen_data import vectors
from instruct_imagen_data.stages.cells import kmeans, pack

CELL_ROWS = 8 << 10
GUESTS = 0.25  # share of a domain's rows that are nearest to a boundary
SPOTS = 1 << 10  # of a domain, or one a cell where it has more cells
_SPOT_POINTS = 16  # a spot is trained on at least so many rows
_SPOT_LIMIT = 3.0  # a spot of more than so many times the wanted rows is split
_ROUNDS = 4  # the splits that follow do the rest
_NEAREST = 4  # spots of a row among which the cells it belongs to and lies next to are looked for
_MOST_POINTS = 64 << 10  # of a sample
_FAR = 1 << 26  # more than two dots can differ
_SALT = "cells/sample"


@dataclasses.dataclass(frozen=True)
class Regions:
    """The cells of a domain.

    Attributes:
      centroids: float32 [k, d] integers, of the spots.
      owners: int64 [k] the region that a spot is of; a row belongs to that of the nearest spot.
      pieces: Cells that each region is cut into, by key: 1, but for a spot that is too large for a
        cell and that k-means cannot split.
      margin: A row whose dot with the nearest spot of another region is at most this much less than
        with its own lies on the boundary, and is a guest of the other.
    """

    centroids: kmeans.Centroids
    owners: vectors.Ints
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
            region = np.zeros((len(keys), 2), np.int64)
            guests = np.zeros(len(keys), bool)
        else:
            gaps, region = _first_two(*_near(vectors.exact(points), self.centroids), self.owners)
            guests = gaps <= self.margin
        pieces = np.array(self.pieces, np.uint64)
        first = np.cumsum(self.pieces) - self.pieces
        upper = vectors.words(keys)[:, :1] >> np.uint64(32)
        cells = first[region] + ((upper * pieces[region]) >> np.uint64(32)).astype(np.int64)
        return np.stack([cells[:, 0], np.where(guests, cells[:, 1], -1)], axis=1)


def _near(
    points: vectors.Floats, centroids: kmeans.Centroids
) -> tuple[vectors.Floats, kmeans.Labels]:
    """(dots [n, m], spots int32 [n, m]) of each row, nearest first."""
    return kmeans.search(points, centroids, min(_NEAREST, len(centroids)))


def _first_two(
    dots: vectors.Floats, near: kmeans.Labels, owners: vectors.Ints
) -> tuple[vectors.Ints, vectors.Ints]:
    """([n] how much less the dot with the second region is than with the first, [n, 2] the two).

    Where all spots found are of one region, it is both, and the second is `_FAR`.
    """
    regions = owners[near]
    second = (regions != regions[:, :1]).argmax(axis=1)
    rows = np.arange(len(regions))
    gaps = (dots[:, 0].astype(np.float64) - dots[rows, second]).astype(np.int64)
    return np.where(second, gaps, _FAR), np.stack([regions[:, 0], regions[rows, second]], axis=1)


NO_SPOTS = (np.empty((0, 0), np.float32), np.empty(0, np.int64))
ONE = Regions(*NO_SPOTS, (1,))  # of a domain that needs no sample


def sample_rate(rows: int, cell_rows: int = CELL_ROWS) -> float:
    """Share of a domain's rows that its regions are made from: 0 if it is one cell."""
    if rows <= cell_rows:
        return 0.0
    spots = max(SPOTS, math.ceil(rows / cell_rows))
    return min(1.0, min(2 * _SPOT_POINTS * spots, _MOST_POINTS) / rows)


def in_sample(keys: vectors.Bytes, rate: float) -> npt.NDArray[np.bool_]:
    """bool [n]: rows whose draw is under the rate."""
    return vectors.draws(keys, _SALT) < np.uint64(min(rate, 1 - 2**-53) * 2.0**64)


def find_regions(
    keys: vectors.Bytes, points: npt.NDArray[np.int16], rows: int, cell_rows: int = CELL_ROWS
) -> Regions:
    """The cells of a domain of `rows` rows, from its sample in any order."""
    if rows <= cell_rows or len(keys) < 2:
        return ONE
    order = np.lexsort((*vectors.words(keys).T[::-1], vectors.draws(keys, _SALT)))
    trained, counted = vectors.exact(points[order[::2]]), vectors.exact(points[order[1::2]])
    cells = math.ceil(rows / cell_rows)
    centroids = find_spots(trained, counted, cells)
    if len(centroids) == 1:
        return Regions(*NO_SPOTS, (cells,))
    dots, near = _near(counted, centroids)
    owners, pieces = _share_out(centroids, near, cells)
    gaps, _ = _first_two(dots, near, owners)
    guests = int(GUESTS * len(gaps))
    return Regions(
        centroids, owners, pieces, min(int(np.partition(gaps, guests)[guests]), _FAR - 1)
    )


def find_spots(trained: vectors.Floats, counted: vectors.Floats, cells: int) -> kmeans.Centroids:
    """Centroids of a sample in two halves, each in drawn order.

    Spots fit the rows they are trained on: topics that have none there all go to the few spots that
    are near everything. The other half finds these, and splits them.
    """
    wanted = max(_SPOT_POINTS, len(trained) / max(SPOTS, cells))
    limit = _SPOT_LIMIT * wanted
    centroids = kmeans.cluster(trained, wanted, limit, _ROUNDS)
    return kmeans.split(counted, centroids, wanted, limit)


def _share_out(
    centroids: kmeans.Centroids, near: kmeans.Labels, cells: int
) -> tuple[vectors.Ints, tuple[int, ...]]:
    """(region of each spot, pieces of each region).

    Args:
      near: int32 [n, m] nearest spots of rows that the spots were not trained on.
    """
    sizes = np.bincount(near[:, 0], minlength=len(centroids))
    wanted = len(near) / cells
    large = sizes > pack.MOST * wanted  # equal rows, or nearly: cells of their own
    own = [math.ceil(size / wanted) for size in sizes[large].tolist()]
    others = max(1, cells - sum(own))
    owners = pack.pack(centroids, near, np.where(large, 0, sizes), others)
    owners[large] = others + np.arange(len(own))
    return owners, (*[1] * others, *own)


def domain_of(name: str) -> str:
    """The domain of a cell, from its name."""
    return unquote(name.rpartition("-")[0])
