"""Mine neighbourhoods: five pictures that show one thing and are no copies of each other.

FACTS 21: the paper takes the ten nearest candidates of a mined cluster, removes near-duplicates and
truncates to five. Here a cluster gives as many neighbourhoods as it can, from many seeds; each
seed's ten nearest are searched in its own cluster and the three nearest to it, among pictures that
are no duplicates any more. Every two of the five are in the context band, not each with the seed
alone: a picture that lies between two things does not bring them together.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsList, PCollection

from instruct_imagen_data import cell as cells
from instruct_imagen_data import runs, schema, shards, storage, vectors
from instruct_imagen_data.cell import Cell
from instruct_imagen_data.runs import Group
from instruct_imagen_data.stages.mine import greedy
from instruct_imagen_data.stages.mine.greedy import Band, Mined

FATES = "fates"
CANDIDATES = "candidates"


def fates(cell: Cell, mined: Mined, band: Band) -> pa.Table:
    """schema.Fate of the rows of a cell."""
    reason, value, threshold = greedy.reasons(mined, band)
    unused = np.flatnonzero(reason != "")
    seeds = np.repeat(mined.members[:, 0], greedy.MEMBERS)
    rows = np.concatenate([unused, mined.members.ravel()])
    slots = np.concatenate(
        [np.zeros(len(unused)), np.tile(range(greedy.MEMBERS), len(mined.members))]
    )
    lengths = np.concatenate([np.zeros(len(unused)), np.tile([10, 0, 0, 0, 0], len(mined.members))])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    keys = cell.column("key")
    columns = {
        "row": cell.column("row")[rows],
        "reason": pa.array(reason[rows].tolist(), pa.string()),
        "value": pa.array(value[rows], from_pandas=True),
        "threshold": pa.array(threshold[rows], from_pandas=True),
        "id": vectors.column_of(keys[np.concatenate([unused, seeds])]),
        "slot": slots.astype(np.int8),
        "cluster": cluster_names(cell, np.concatenate([unused, seeds])),
        "domain": pa.repeat(cell.domain, len(rows)),
        "similarities": pa.ListArray.from_arrays(
            offsets,
            vectors.cosines(mined.dots).ravel(),
            type=schema.schema_of(schema.Fate).field("similarities").type,
        ),
    }
    return pa.table(columns, schema=schema.schema_of(schema.Fate))


def cluster_names(cell: Cell, rows: vectors.Ints) -> pa.Array:
    """Names such as "animals-0003/017" of the clusters of some rows."""
    numbers, place = np.unique(cell.clusters[rows], return_inverse=True)
    return pa.array([f"{cell.name}/{n:03d}" for n in numbers], pa.string()).take(pa.array(place))


def candidates(cell: Cell, mined: Mined) -> pa.Table:
    """schema.Candidates of the seeds that were tried, in order."""
    found, dots = mined.lists[0][mined.seeds], mined.lists[1][mined.seeds]
    held = found >= 0
    keys = vectors.unpack_keys(cell.column("key"))
    offsets = np.concatenate([[0], np.cumsum(held.sum(axis=1))]).astype(np.int32)
    wanted = schema.schema_of(schema.Candidates)
    columns = [
        keys.take(pa.array(mined.seeds)),
        cluster_names(cell, mined.seeds),
        pa.ListArray.from_arrays(
            offsets, keys.take(pa.array(found[held])), type=wanted.field("neighbours").type
        ),
        pa.ListArray.from_arrays(
            offsets, vectors.cosines(dots[held]), type=wanted.field("similarities").type
        ),
    ]
    return pa.table(columns, schema=wanted)


@dataclasses.dataclass(eq=False)
class MineNeighbours(beam.PTransform):
    """Groups in; a summary of each cell out. Counters: mine/{neighbourhoods,REASON}.

    Writes `fates/`, a run a cell over the groups, and `candidates/` of the output.

    Attributes:
      cells: Directory of the phase `cells`.
      resolved: File of the phase `duplicates` that says which rows were removed.
      folder: The phase's directory.
      output: The job's directory.
      upper: Cosine from which two pictures are duplicates.
      overlap: Neighbourhoods that a picture may be in.
    """

    cells: str
    resolved: str
    folder: str
    output: str
    upper: float
    overlap: int

    def expand(self, groups: PCollection[Group]) -> PCollection[dict[str, Any]]:
        names = groups.pipeline | beam.Create([self.cells]) | "Cells" >> beam.FlatMap(_cell_names)
        return names | beam.Reshuffle() | "Mine" >> beam.Map(self.mine, AsList(groups))

    def band(self, domain: str) -> Band:
        """The context band of a domain."""
        lower = shards.require_finished(self.cells, "cells")["bands"][domain]["lower"]
        return Band(vectors.level(lower), vectors.level(self.upper))

    def mine(self, name: str, groups: list[Group]) -> dict[str, Any]:
        """Writes what was mined in a cell, unless it is there; what it came to."""
        folder = storage.join(self.folder, FATES)
        if not storage.exists(runs.run_path(folder, name)):
            cell = self.survivors(cells.load(self.cells, name))
            band = self.band(cell.domain)
            mined = greedy.mine(cell, band, self.overlap)
            shards.write_part(self.output, CANDIDATES, name, candidates(cell, mined))
            found = fates(cell, mined, band)
            ordered = sorted(groups, key=lambda group: group.first)
            firsts = [group.first for group in ordered]
            codes = np.searchsorted(firsts, found["row"].to_numpy(), side="right") - 1
            runs.write_run(folder, name, found, codes, [group.name for group in ordered])
        return _describe(runs.get_table(runs.run_path(folder, name)))

    def survivors(self, cell: Cell) -> Cell:
        """The rows that live in a cell and that the resolver did not remove."""
        table = runs.get_table(self.resolved, ["row", "evidence"])
        judged, rows = table["row"].to_numpy(), cell.column("row")
        place = np.searchsorted(judged, rows)  # of all judged rows, only these are read
        inside = np.flatnonzero(place < len(judged))
        known = inside[judged[place[inside]] == rows[inside]]
        removed = np.zeros(cell.size, bool)
        removed[known] = table["evidence"].take(pa.array(place[known])).is_valid().to_numpy()
        return cell.take(cell.homes & ~removed)


def _cell_names(folder: str) -> Iterator[str]:
    yield from shards.require_finished(folder, "cells").get("cells", [])


def _describe(found: pa.Table) -> dict[str, Any]:
    reasons = {one["values"]: one["counts"] for one in found["reason"].value_counts().to_pylist()}
    neighbourhoods = reasons.pop("", 0) // greedy.MEMBERS
    Metrics.counter("mine", "neighbourhoods").inc(neighbourhoods)
    for reason, count in reasons.items():
        Metrics.counter("mine", reason).inc(count)
    return {"neighbourhoods": neighbourhoods, "reasons": reasons}
