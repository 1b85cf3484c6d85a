"""Pack centroids into cells of about equal size, so that rows near each other share one.

First halves of halves, by balanced 2-means: every cell gets its share of the rows. Then centroids
move, one by one, to the cell they are linked with most, while sizes stay between bounds: a link is
a row that lies between two centroids, and its neighbours are around both. All numbers are integers
that float64 holds exactly, and centroids are taken in their order: the same cells on every CPU.
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from instruct_imagen_data import vectors
from instruct_imagen_data.stages.cells import kmeans

LEAST, MOST = 0.5, 1.5  # of the mean size: what a cell may be left with, and grow to

Numbers = npt.NDArray[np.float64]
Cells = npt.NDArray[np.int64]  # [k] number of each centroid's cell


def pack(
    centroids: kmeans.Centroids, near: kmeans.Labels, sizes: vectors.Ints, cells: int
) -> Cells:
    """The cell of each centroid, of so many cells.

    Args:
      centroids: [k, d].
      near: int32 [n, m] of a sample of rows, the nearest centroids, nearest first.
      sizes: [k] rows that a centroid counts for.
    """
    weights = sizes.astype(np.float64)
    packed = np.zeros(len(centroids), np.int64)
    _halve(centroids.astype(np.float64), weights, np.arange(len(centroids)), cells, packed)
    return _settle(packed, _links(near, len(centroids)), weights, cells)


def _halve(
    centroids: Numbers, weights: Numbers, inside: npt.NDArray[np.intp], cells: int, packed: Cells
) -> None:
    """Numbers the cells of some centroids, from the number they have now."""
    if cells == 1 or len(inside) < 2:
        return
    left = cells // 2
    one, other = _two_sides(centroids[inside], weights[inside], left / cells)
    packed[inside[other]] += left
    _halve(centroids, weights, inside[one], left, packed)
    _halve(centroids, weights, inside[other], cells - left, packed)


def _two_sides(
    points: Numbers, weights: Numbers, share: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Points in two sets, of which the first has about this share of the weight."""
    first = points[np.argmin(points @ points.sum(axis=0))]  # far from the rest, and far from it
    axis = first - points[np.argmin(points @ first)]
    for _ in range(kmeans.ROUNDS):
        order = np.argsort(-(points @ axis), kind="stable")
        heavy = np.cumsum(weights[order])
        cut = int(np.searchsorted(heavy, share * heavy[-1], side="right"))
        one, other = np.split(order, [min(max(cut, 1), len(points) - 1)])
        sums = np.stack([weights[side] @ points[side] for side in (one, other)])
        means = vectors.directions(sums.astype(np.int64)).astype(np.float64)
        axis, before = means[0] - means[1], axis
        if np.array_equal(axis, before):
            break
    return one, other


def _links(near: kmeans.Labels, k: int) -> csr_matrix:
    """[k, k] symmetric: sampled rows that have one centroid first and the other soon after."""
    first = np.repeat(near[:, 0], near.shape[1] - 1)
    pairs = csr_matrix((np.ones(len(first)), (first, near[:, 1:].ravel())), shape=(k, k))
    return csr_matrix(pairs + pairs.T)


def _settle(packed: Cells, links: csr_matrix, weights: Numbers, cells: int) -> Cells:
    """Cells after centroids have moved to where they have more links."""
    sizes = np.bincount(packed, weights, cells)
    mean = sizes.sum() / cells
    for _ in range(kmeans.ROUNDS):
        before = packed.copy()
        for one, weight in enumerate(weights.tolist()):
            span = slice(*links.indptr[one : one + 2])
            shared = np.bincount(packed[links.indices[span]], links.data[span], cells)
            own = packed[one]
            full = sizes + weight > MOST * mean
            full[own] = False
            best = int(np.where(full, -1, shared).argmax())
            if shared[best] > shared[own] and sizes[own] - weight >= LEAST * mean:
                sizes[[own, best]] += -weight, weight
                packed[one] = best
        if np.array_equal(packed, before):
            break
    return packed
