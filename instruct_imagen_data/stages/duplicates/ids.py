"""Groups of rows that share an id: the same bytes, the same address; and captions of too many.

Ids of all rows go to buckets, as columns and by runs; a bucket holds all rows of its ids.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data import runs
from instruct_imagen_data.stages.duplicates.evidence import BYTES, CAPTION, GROUPS, URL, numbered

BUCKET_ROWS = 4 << 20  # of the corpus; three ids each
CAPTION_IMAGES = 3  # a caption that stands on more distinct images says nothing


def buckets_of(rows: int) -> list[str]:
    """Names of the buckets for a corpus."""
    return [f"{number:05d}" for number in range(max(1, -(-rows // BUCKET_ROWS)))]


def write_ids(
    folder: str,
    run: str,
    rows: pa.Table,
    kept: npt.NDArray[np.bool_],
    first: int,
    buckets: list[str],
) -> None:
    """Writes the ids of a group's rows as a run over the buckets.

    Only rows that were chosen can be duplicates; captions are counted on all rows.

    Args:
      rows: schema.Choice.
      kept: bool [n], the rows chosen.
      first: number of the first row.
    """
    images, numbers = rows["bytes_id"].to_numpy(), np.arange(first, first + len(kept))
    parts = []
    for kind, name in ((BYTES, "bytes_id"), (URL, "url_id"), (CAPTION, "caption_id")):
        ids = rows[name].to_numpy()
        inside = np.flatnonzero((ids != 0) & (kept | (kind == CAPTION)))
        kinds = np.full(len(inside), kind, np.uint8)
        parts.append((kinds, ids[inside], numbers[inside], images[inside]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    table = pa.table(columns, names=["evidence", "id", "row", "image"])
    runs.write_run(folder, run, table, columns[1] % len(buckets), buckets)


def find_groups(table: pa.Table) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """(rows that share an id, by evidence.GROUPS; ids of captions on too many images).

    Args:
      table: evidence, id, row, image of all rows of some ids.
    """
    kinds = table["evidence"].to_numpy()
    rows, images = table["row"].to_numpy(), table["image"].to_numpy()
    ids = table["id"].to_numpy()
    found = []
    for kind in (BYTES, URL):
        order = np.flatnonzero(kinds == kind)
        order = order[np.lexsort((rows[order], ids[order]))]
        group = numbered(ids[order])
        shared = order[np.bincount(group)[group] > 1]
        found.append([np.full(len(shared), kind, np.uint8), ids[shared], rows[shared]])
    groups = pa.table(
        [np.concatenate(column) for column in zip(*found, strict=True)], schema=GROUPS
    )
    order = np.flatnonzero(kinds == CAPTION)
    order = order[np.lexsort((images[order], ids[order]))]
    _, first = np.unique(numbered(ids[order], images[order]), return_index=True)
    captions, of_images = np.unique(ids[order[first]], return_counts=True)
    return groups, captions[of_images > CAPTION_IMAGES]
