"""The one resolver: which of the rows that are one picture stays.

All evidence is groups of rows: those of one id, or the two of a link. Rows are taken from the best
quality down, once; a row is removed if a group of its already has a survivor, and else it survives
for all its groups. So a row is removed only by a better survivor it shares evidence with: copies of
copies do not chain.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from instruct_imagen_data import vectors
from instruct_imagen_data.stages.duplicates.evidence import CAPTION, numbered


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Memberships of rows in groups; everything is in memory, in the number of links.

    Attributes:
      group: int64 [m] number of the group, of each membership.
      row: int64 [m] row number, of each membership.
      kind: uint8 [g] evidence of each group.
      cosine: float32 [g]; NaN for groups of an id.
      hamming: int32 [g]; -1 for groups of an id.
    """

    group: vectors.Ints
    row: vectors.Ints
    kind: npt.NDArray[np.uint8]
    cosine: vectors.Floats
    hamming: npt.NDArray[np.int32]


def collect(links: pa.Table, groups: pa.Table, common: npt.NDArray[np.int64]) -> Evidence:
    """All evidence, but links by a caption of too many images.

    Args:
      links: evidence.LINKS.
      groups: evidence.GROUPS.
      common: ids of the captions that do not count.
    """
    by_caption = pc.equal(links["evidence"], CAPTION)
    ignored = pc.and_(by_caption, pc.is_in(links["caption"], pa.array(common, pa.int64())))
    links = links.filter(pc.invert(ignored)).sort_by([("one", "ascending"), ("other", "ascending")])
    ends = [links[name].to_numpy() for name in ("one", "other")]
    # a link across a boundary may be found in both cells
    links = links.take(pa.array(np.unique(numbered(*ends), return_index=True)[1]))
    kind, ids = groups["evidence"].to_numpy(), groups["id"].to_numpy()  # sorted, group by group
    number = numbered(kind, ids)
    _, first = np.unique(number, return_index=True)
    pairs = np.arange(links.num_rows) + len(first)
    return Evidence(
        group=np.concatenate([number, pairs, pairs]),
        row=np.concatenate(
            [groups["row"].to_numpy(), links["one"].to_numpy(), links["other"].to_numpy()]
        ),
        kind=np.concatenate([kind[first], links["evidence"].to_numpy()]),
        cosine=np.concatenate(
            [np.full(len(first), np.nan, np.float32), links["cosine"].to_numpy()]
        ),
        hamming=np.concatenate(
            [np.full(len(first), -1, np.int32), links["hamming"].to_numpy().astype(np.int32)]
        ),
    )


def survive(
    group: vectors.Ints, node: vectors.Ints, strength: vectors.Ints
) -> tuple[list[int], list[int]]:
    """The greedy pass.

    Args:
      group: [m] group of each membership.
      node: [m] rank of the row of each membership, 0 for the best, without gaps.
      strength: [m] of the evidence of the group, less is stronger: names the reason.

    Returns:
      For each node (the group it was removed by, or -1; the node that survived in it, or -1).
    """
    order = np.lexsort((strength, node))
    ends = np.cumsum(np.bincount(node)).tolist() if len(node) else []
    groups = group[order].tolist()
    owner = [-1] * (int(group.max(initial=-1)) + 1)
    removed_by: list[int] = []
    start = 0
    for one, end in enumerate(ends):
        mine = groups[start:end]
        start = end
        reason = next((g for g in mine if owner[g] >= 0), -1)
        removed_by.append(reason)
        if reason < 0:
            for g in mine:
                owner[g] = one
    return removed_by, [owner[g] if g >= 0 else -1 for g in removed_by]


@dataclasses.dataclass(frozen=True)
class Resolved:
    """What became of the rows that there is evidence on. Rows are numbered here from 0.

    Attributes:
      order: int64 [n], the rows from the best down.
      group: int64 [n] of the evidence, the group a row was removed by, or -1.
      survivor: int64 [n] the row that stayed instead, or -1.
      component: int64 [n] the row with the smallest key of those it is connected to.
      stars: int64 [3, s] of each group (its best row, another row, group).
    """

    order: vectors.Ints
    group: vectors.Ints
    survivor: vectors.Ints
    component: vectors.Ints
    stars: vectors.Ints


def resolve(
    evidence: Evidence, rows: vectors.Ints, quality: vectors.Floats, packed: vectors.Bytes
) -> Resolved:
    """Survivors and components.

    Args:
      rows: int64 [n], the distinct row numbers of the evidence, ascending.
      quality: float32 [n] of each.
      packed: keys [n, 32] of each.
    """
    place = np.searchsorted(rows, evidence.row)
    order = vectors.best_first(quality, packed, rows)
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows))
    strength = np.empty(len(evidence.kind), np.int64)
    strength[np.lexsort((-evidence.cosine, evidence.kind))] = np.arange(len(strength))
    by, survivor = survive(evidence.group, rank[place], strength[evidence.group])
    return Resolved(
        order=order,
        group=np.array(by, np.int64)[rank],
        survivor=np.append(order, -1)[np.array(survivor, np.int64)[rank]],
        component=_components(evidence, place, packed),
        stars=_stars(evidence, rank[place], order),
    )


def _components(evidence: Evidence, place: vectors.Ints, packed: vectors.Bytes) -> vectors.Ints:
    """For each row the row of smallest key in its connected component."""
    n = len(packed)
    size = n + len(evidence.kind)
    graph = coo_matrix((np.ones(len(place), bool), (place, n + evidence.group)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    by_key = vectors.key_order(packed)
    smallest = np.empty(size, np.int64)
    smallest[labels[by_key[::-1]]] = by_key[::-1]  # the last write stays: the smallest key
    return smallest[labels[:n]]


def _stars(evidence: Evidence, rank: vectors.Ints, order: vectors.Ints) -> vectors.Ints:
    """Each group as pairs: its best row with each other."""
    place = np.lexsort((rank, evidence.group))
    group, row = evidence.group[place], order[rank[place]]
    first = np.searchsorted(group, group)
    others = np.flatnonzero(first != np.arange(len(group)))
    return np.stack([row[first[others]], row[others], group[others]])
