"""The nearest rows of each row of a cell."""

import numpy as np
import numpy.typing as npt

from instruct_imagen_data import vectors
from instruct_imagen_data.cell import Cell

TOP = 10  # FACTS 21

Lists = tuple[npt.NDArray[np.int64], vectors.Floats]  # rows [n, TOP] (-1: no more), dots [n, TOP]
_DOT_BITS = 25  # a dot is less than 2**24 in size


def nearest_rows(cell: Cell, count: int = TOP) -> Lists:
    """The nearest rows of each row among its probed clusters, nearest first; ties by key.

    A product and a partition for each cluster, then one sort of whole numbers that hold (row, dot,
    neighbour): FAISS would leave ties at the end of a list to the order of its heap.
    """
    row_bits = max(1, cell.size.bit_length())
    packed = [np.empty(0, np.int64)]
    for rows, first, dots in cell.products():
        own = np.flatnonzero((rows >= first) & (rows < first + dots.shape[1]))
        dots[own, rows[own] - first] = -np.inf  # a row is no neighbour of its own
        kept = min(count, dots.shape[1])
        limit = np.partition(dots, dots.shape[1] - kept, axis=1)[:, -kept]
        where = np.flatnonzero(dots >= np.maximum(limit, -(2.0**24))[:, None])
        query, column = np.divmod(where, dots.shape[1])
        far = (1 << 24) - dots.ravel()[where].astype(np.int64)
        packed.append(((rows[query] << _DOT_BITS | far) << row_bits) | (first + column))
    ordered = np.sort(np.concatenate(packed))
    query = ordered >> (_DOT_BITS + row_bits)
    place = np.arange(len(query)) - np.searchsorted(query, query)
    query, place, ordered = query[place < count], place[place < count], ordered[place < count]
    found = np.full((cell.size, count), -1, np.int64)
    near = np.full((cell.size, count), -np.inf, np.float32)
    # a row's ties are in the order of rows, which is that of clusters, and of keys within one
    found[query, place] = ordered & ((1 << row_bits) - 1)
    near[query, place] = (1 << 24) - ((ordered >> row_bits) & ((1 << _DOT_BITS) - 1))
    return found, near
