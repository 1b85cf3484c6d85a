"""Clusters inside a cell: the lists of rows among which neighbours and copies are looked for."""

import dataclasses

import numpy as np
import pyarrow as pa

from instruct_imagen_data import vectors
from instruct_imagen_data.cell import GUEST, Cell
from instruct_imagen_data.stages.cells import kmeans

SMALL_DOMAIN = 10_000  # rows
_LIMIT = 3.0  # a cluster of more than so many times the wanted rows is split, then cut

_ROUNDS = 4  # more do not help: the splits that follow do the rest


@dataclasses.dataclass(frozen=True)
class Shape:
    """How fine a domain is clustered.

    Attributes:
      wanted: Rows a cluster should have.
      probes: Clusters that a row's neighbours are looked for in, its own among them.
    """

    wanted: int
    probes: int


def shape_of(domain_rows: int) -> Shape:
    """The shape for a domain of so many rows.

    FACTS 102 asks for n / 200 clusters but at least 64: in a small corpus those are too small to
    hold five pictures, and n / 50 (without a floor) is what leaves neighbourhoods. The own cluster
    and the three nearest others hold nine in ten of a row's true top ten; of clusters of 50 rows it
    takes five others.
    """
    return Shape(50, 6) if domain_rows < SMALL_DOMAIN else Shape(200, 4)


def cluster_rows(
    name: str, domain: str, table: pa.Table, points: vectors.Floats, shape: Shape
) -> tuple[Cell, int]:
    """(the cell of rows given in key order, clusters that were cut since k-means could not).

    Guests (column `guest`) probe the clusters and are in none: they are of cluster -1.
    """
    homes = np.flatnonzero(table["guest"].to_numpy() == 0)
    drawn = vectors.draws(vectors.bytes_of(table["key"])[homes], "cells/fine")
    order = homes[np.argsort(drawn, kind="stable")]
    # On a sample of 64 rows a cluster more topics are cut in two: .93 of the top ten, not .98.
    centroids = kmeans.cluster(points[order], shape.wanted, _LIMIT * shape.wanted, _ROUNDS)
    _, probes = kmeans.search(points, centroids, min(shape.probes, len(centroids)))
    own, first, cut = _cut_large(probes[homes, 0], len(centroids), shape.wanted)
    probes = first[probes]
    probes[homes, 0] = own
    clusters = np.full(len(points), GUEST, np.int32)
    clusters[homes] = own
    place = np.argsort(clusters, kind="stable")  # key order within a cluster
    cell = Cell(
        name, domain, table.take(pa.array(place)), points[place], clusters[place], probes[place]
    )
    return cell, cut


def _cut_large(
    labels: kmeans.Labels, k: int, wanted: int
) -> tuple[kmeans.Labels, kmeans.Labels, int]:
    """Clusters far above the wanted size, cut into consecutive rows.

    Returns:
      (int32 [n] cluster of each row, int32 [k] the first cluster of each label, labels cut).
    """
    sizes = np.bincount(labels, minlength=k)
    pieces = np.where(sizes > _LIMIT * wanted, -(-sizes // wanted), 1)
    first = np.cumsum(pieces) - pieces
    order = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    clusters = first[labels] + rank * pieces[labels] // sizes[labels]
    return clusters.astype(np.int32), first.astype(np.int32), int((pieces > 1).sum())
