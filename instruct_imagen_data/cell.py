"""A cell: the rows of one region of a domain's vectors, in clusters, as one worker holds them.

`cells` makes it, `duplicates` and `mine` search it. On disk it is the record batches of many runs
(vectors, never copied again) and a small file that says which row is of which cluster.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data import runs, storage, vectors
from instruct_imagen_data.vectors import Floats

RUNS = "runs"
SAMPLES = "samples"  # of the rows, from which the cells of a domain come
CLUSTERS = "clusters"
GUEST = -1  # the cluster of a row that lives in another cell


@dataclasses.dataclass(frozen=True)
class Cell:
    """Rows of one domain, near each other, ordered by cluster and then key.

    Attributes:
      name: Such as "animals-0003".
      domain: Of all its rows.
      table: row (number in the corpus), key, quality, phash, caption_id, file_id.
      vectors: float32 [n, d], integers: see `vectors`.
      clusters: int32 [n], ascending. Rows of cluster -1 are guests from over the boundary: they
        search the cell for copies of theirs, and are not found in it.
      probes: int32 [n, p] clusters to search for a row's neighbours: its own, then the nearest
        others by the row's cosine with their centroids.
    """

    name: str
    domain: str
    table: pa.Table
    vectors: Floats
    clusters: npt.NDArray[np.int32]
    probes: npt.NDArray[np.int32]

    @property
    def size(self) -> int:
        return len(self.clusters)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of the table, hashes and keys as [n, 32]."""
        column = self.table[name]
        if pa.types.is_fixed_size_binary(column.type):
            return vectors.bytes_of(column)
        plain: npt.NDArray[Any] = column.to_numpy()
        return plain

    def take(self, kept: npt.NDArray[np.bool_]) -> "Cell":
        """The cell without the rows that are not kept; clusters keep their numbers."""
        return Cell(
            self.name,
            self.domain,
            self.table.filter(pa.array(kept)),
            self.vectors[kept],
            self.clusters[kept],
            self.probes[kept],
        )

    @property
    def homes(self) -> npt.NDArray[np.bool_]:
        """bool [n]: rows that live here."""
        lives: npt.NDArray[np.bool_] = self.clusters != GUEST
        return lives

    def bounds(self) -> tuple[list[int], list[int], list[int]]:
        """(clusters that have rows, the first row of each, the end of each)."""
        names, starts = np.unique(self.clusters[self.homes], return_index=True)
        starts += self.size - int(self.homes.sum())  # guests come first
        return names.tolist(), starts.tolist(), [*starts[1:].tolist(), self.size][: len(names)]

    def products(
        self, probes: int | None = None
    ) -> Iterator[tuple[npt.NDArray[np.intp], int, Floats]]:
        """Dots of rows with the clusters they probe, cluster by cluster.

        Args:
          probes: How many of a row's clusters are searched; all by default.

        Yields:
          (rows [q] that probe a cluster, first row of the cluster, dots float32 [q, its size]).
        """
        names, starts, ends = self.bounds()
        probed = self.probes[:, :probes]
        order = np.argsort(probed.ravel(), kind="stable")  # rows ascending within a cluster
        sorted_probes = probed.ravel()[order]
        for name, start, end in zip(names, starts, ends, strict=True):
            first, last = np.searchsorted(sorted_probes, (name, name + 1))
            rows = order[first:last] // probed.shape[1]
            yield rows, start, self.vectors[rows] @ self.vectors[start:end].T


def save(folder: str, cell: Cell, refs: list[runs.Ref]) -> None:
    """Writes what a phase made of a cell, beside the references to its rows."""
    flat = pa.array(cell.probes.ravel())
    table = pa.table(
        {
            "row": cell.table["row"],
            "cluster": cell.clusters,
            "probes": pa.FixedSizeListArray.from_arrays(flat, cell.probes.shape[1]),
        }
    )
    runs.put_table(cluster_path(folder, cell.name), table, domain=cell.domain, refs=sorted(refs))


def cluster_path(folder: str, name: str) -> str:
    """Place of a cell's clusters."""
    return storage.join(folder, CLUSTERS, f"{name}.arrow")


def load_rows(folder: str, refs: list[runs.Ref]) -> tuple[pa.Table, Floats]:
    """(table, vectors) of a cell's rows, in key order: its content alone decides the order."""
    table = runs.read_batches(storage.join(folder, RUNS), refs)
    keys, rows = vectors.bytes_of(table["key"]), table["row"].to_numpy()
    return _split(table, vectors.key_order(keys, rows))


def _split(table: pa.Table, order: npt.NDArray[np.intp]) -> tuple[pa.Table, Floats]:
    """A run's rows in an order, with the vectors as numbers."""
    integers = vectors.bytes_of(table["vector"]).view(np.int16)
    return table.drop(["vector"]).take(pa.array(order)), vectors.exact(integers[order])


def load(folder: str, name: str) -> Cell:
    """A cell as it was saved."""
    path = cluster_path(folder, name)
    saved, notes = runs.get_table(path), runs.get_notes(path)
    table = runs.read_batches(storage.join(folder, RUNS), [tuple(ref) for ref in notes["refs"]])
    wanted, found = saved["row"].to_numpy(), table["row"].to_numpy()
    by_row = np.argsort(found)
    columns, floats = _split(table, by_row[np.searchsorted(found[by_row], wanted)])
    probes = saved["probes"].combine_chunks()
    width = probes.type.list_size
    return Cell(
        name,
        notes["domain"],
        columns,
        floats,
        saved["cluster"].to_numpy(),
        probes.flatten().to_numpy().reshape(-1, width),
    )
