"""Links between rows of a cell that their vectors, with hash, caption or file name, call one."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data import vectors
from instruct_imagen_data.annotators.roles import Duplicates
from instruct_imagen_data.cell import Cell
from instruct_imagen_data.stages.duplicates.evidence import CAPTION, FILE, LINKS, VECTOR

PROBES = 3  # a row's own cluster and the two nearest others
MOST_LINKS = 64  # a row keeps; thousands of copies of one picture would have millions

Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], vectors.Floats]  # (i, j, dots), i < j


def near_pairs(cell: Cell, cosine: float) -> list[Pairs]:
    """Pairs of rows of at least this cosine, for each cluster probed; some come twice."""
    limit = vectors.level(cosine)
    found = []
    for rows, first, dots in cell.products(PROBES):
        where = np.flatnonzero(dots >= limit)
        query, column = np.divmod(where, dots.shape[1])
        one, other = rows[query], first + column
        # inside a cluster each pair comes in both orders, and a row with itself
        once = (one < other) | ((one > other) & (cell.clusters[one] != cell.clusters[other]))
        values = dots.ravel()[where[once]]
        one, other = one[once], other[once]
        found.append((np.minimum(one, other), np.maximum(one, other), values))
    return found


def find_links(cell: Cell, rule: Duplicates) -> tuple[pa.Table, int]:
    """(links of a cell by evidence.LINKS, links that were dropped beyond MOST_LINKS a row).

    A pair is linked by `vector` from the duplicate cosine on, if also at most `phash_bits` of 256
    bits differ: printed words move a CLIP vector more than pictures do (FACTS 99), so neither of
    the two suffices. It is linked by `file` or `caption` from the confirming cosine on.
    """
    hashes = cell.column("phash")
    files, captions = cell.column("file_id"), cell.column("caption_id")
    found = []
    for one, other, dots in near_pairs(cell, min(rule.cosine, rule.confirm_cosine)):
        bits = vectors.hamming(hashes[one], hashes[other])
        confirmed = dots >= vectors.level(rule.confirm_cosine)
        conditions = [
            (dots >= vectors.level(rule.cosine)) & (bits <= rule.phash_bits),
            confirmed & (files[one] == files[other]) & (files[one] != 0),
            confirmed & (captions[one] == captions[other]) & (captions[one] != 0),
        ]
        evidence = np.select(conditions, [VECTOR, FILE, CAPTION], -1)
        kept = evidence >= 0
        found.append([part[kept] for part in (one, other, evidence, dots, bits)])
    one, other, evidence, dots, bits = map(np.concatenate, zip(*found, strict=True))
    _, unique = np.unique(one * cell.size + other, return_index=True)
    best = _best(cell, one[unique], other[unique])
    one, other, evidence, dots, bits = (
        part[unique[best]] for part in (one, other, evidence, dots, bits)
    )
    rows = cell.column("row")
    columns = [
        np.minimum(rows[one], rows[other]),
        np.maximum(rows[one], rows[other]),
        evidence.astype(np.uint8),
        vectors.cosines(dots),
        bits,
        np.where(evidence == CAPTION, captions[one], 0),
    ]
    return pa.table(columns, schema=LINKS), len(unique) - int(best.sum())


def _best(
    cell: Cell, one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """bool: links that are among the MOST_LINKS of either end, by the rank of the other end.

    The resolver keeps the best row of many; so the links to the best must stay.
    """
    degree = np.bincount(np.concatenate([one, other]), minlength=cell.size)
    if degree.max(initial=0) <= MOST_LINKS:
        return np.ones(len(one), bool)
    rank = np.empty(cell.size, np.int64)
    keys, rows = cell.column("key"), cell.column("row")
    rank[vectors.best_first(cell.column("quality"), keys, rows)] = np.arange(cell.size)
    kept = np.zeros(len(one), bool)
    for end, partner in ((one, other), (other, one)):
        order = np.lexsort((rank[partner], end))
        starts = np.searchsorted(end[order], end[order])
        kept[order[np.arange(len(order)) - starts < MOST_LINKS]] = True
    return kept
