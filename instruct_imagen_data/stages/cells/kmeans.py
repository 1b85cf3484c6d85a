"""Spherical k-means that gives the same clusters on every CPU.

FAISS assigns, by exact integer dots (see `vectors`); centroids are sums of integers, scaled to the
common norm and rounded. `faiss.Kmeans` normalises in float32, in an order that differs between
CPUs, and after ten rounds so do its clusters. Where to start is drawn by hash.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from instruct_imagen_data import vectors
from instruct_imagen_data.stages.cells.blas import load_faiss

faiss = load_faiss()

ROUNDS = 10
SPLITS = 8  # at most; usually none or one

Labels = npt.NDArray[np.int32]
Centroids = npt.NDArray[np.float32]  # [k, d], integers of norm 4,000
TWO_FROM = 10  # rows


def search(
    points: vectors.Floats, centroids: Centroids, count: int
) -> tuple[vectors.Floats, Labels]:
    """(dots [n, count], centroids int32 [n, count]) of the nearest by cosine, nearest first.

    Of equal dots the first centroid is the nearer one. FAISS leaves that to the order of its heap,
    so it is asked for one more: where the last dot is met again, all of a row's are sorted.
    """
    dots, found = faiss.knn(
        points, centroids, min(count + 1, len(centroids)), metric=faiss.METRIC_INNER_PRODUCT
    )
    order = np.lexsort((found, -dots))
    dots, found = (np.take_along_axis(one, order, axis=1)[:, : count + 1] for one in (dots, found))
    if dots.shape[1] > count:
        for row in np.flatnonzero(dots[:, count - 1] == dots[:, count]).tolist():
            whole = centroids @ points[row]
            found[row, :count] = np.argsort(-whole, kind="stable")[:count]
    return dots[:, :count], found[:, :count].astype(np.int32)


def nearest(points: vectors.Floats, centroids: Centroids) -> Labels:
    """int32 [n]: the nearest centroid of each point by cosine."""
    return search(points, centroids, 1)[1][:, 0]


def train(points: vectors.Floats, k: int, rounds: int = ROUNDS) -> Centroids:
    """At most k centroids of points [n, d], which are in the order of a draw.

    The first k distinct points are where it starts. Fewer come back where there are fewer distinct
    points, or where a centroid loses its last point.
    """
    centroids = points[_distinct(points, k)]
    numbers = points.astype(np.float64)
    for _ in range(rounds):
        labels = nearest(points, centroids)
        members = np.bincount(labels, minlength=len(centroids)) > 0
        moved = _means(numbers, labels, len(centroids))[members]
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def _distinct(points: vectors.Floats, k: int) -> list[int]:
    seen: dict[bytes, int] = {}
    for row, point in enumerate(points):
        seen.setdefault(point.tobytes(), row)
        if len(seen) == k:
            break
    return list(seen.values())


def _means(points: npt.NDArray[np.float64], labels: Labels, k: int) -> Centroids:
    """Directions [k, d] of the sums of each label's points; float64 holds the sums exactly."""
    ones = np.ones(len(labels))
    membership = csr_matrix((ones, (labels, np.arange(len(labels)))), shape=(k, len(labels)))
    sums: vectors.Ints = np.asarray(membership @ points).astype(np.int64)
    return vectors.directions(sums).astype(np.float32)


def cluster(points: vectors.Floats, wanted: float, limit: float, rounds: int = ROUNDS) -> Centroids:
    """Centroids for points in drawn order: of about `wanted` points each, at most about `limit`."""
    # Two at least, where each can hold a neighbourhood: the band needs pairs that are apart.
    least = 2 if len(points) >= TWO_FROM else 1
    centroids = train(points, max(least, math.ceil(len(points) / wanted)), rounds)
    return split(points, centroids, wanted, limit)


def split(points: vectors.Floats, centroids: Centroids, wanted: float, limit: float) -> Centroids:
    """Centroids of which those of more than `limit` points are split, a few times over.

    They are split by k-means on their points; what is then still too large is unsplittable (its
    points are equal, or nearly).
    """
    for _ in range(SPLITS):
        labels = nearest(points, centroids)
        sizes = np.bincount(labels, minlength=len(centroids))
        large = np.flatnonzero(sizes > limit).tolist()
        pieces = [train(points[labels == one], math.ceil(sizes[one] / wanted)) for one in large]
        if all(len(piece) == 1 for piece in pieces):
            break
        centroids = np.concatenate([centroids[sizes <= limit], *pieces])
    return centroids
