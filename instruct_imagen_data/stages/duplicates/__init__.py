"""Remove pictures that are copies of better ones, and name the copy that stays.

Rules give evidence: the same bytes; the same address; vectors *and* perceptual hashes near each
other (either alone has a precision of .03 on planted copies); an equal caption or an equal file
name on the same site, where the vectors confirm it. One resolver decides (see `resolve`).

Departures: the paper removes near-duplicates inside each top-10 list, which for a much copied
picture holds nothing else; here they go before the lists are made. FACTS 102 takes cosine *or*
hash *or* metadata as enough.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsList, AsSingleton, PCollection

from instruct_imagen_data import runs, shards, storage, vectors
from instruct_imagen_data.annotators.roles import Duplicates
from instruct_imagen_data.cell import Cell
from instruct_imagen_data.runs import Group
from instruct_imagen_data.stages.duplicates import ids, links, resolve
from instruct_imagen_data.stages.duplicates.evidence import GROUPS, LINKS
from instruct_imagen_data.stages.duplicates.verdicts import Judge, edges_of, table_of

LINKED, IDS, SHARED, COMMON = "links", "ids", "groups", "captions"
EDGES, VERDICTS = "duplicates", "verdicts"
_EDGES_PER_PART = 1 << 20


@dataclasses.dataclass(eq=False)
class FindLinks(beam.PTransform):
    """Cells in; a summary of each out. Writes `links/`. Counters: duplicates/{links,capped}.

    Attributes:
      rule: When two pictures are one.
      folder: The directory of the phase that makes the cells.
    """

    rule: Duplicates
    folder: str

    def expand(self, cells: PCollection[Cell]) -> PCollection[dict[str, Any]]:
        return cells | "Links" >> beam.Map(self.find)

    def find(self, cell: Cell) -> dict[str, Any]:
        """Writes the links of a cell, unless they are there."""
        path = storage.join(self.folder, LINKED, f"{cell.name}.arrow")
        if not storage.exists(path):
            found, capped = links.find_links(cell, self.rule)
            runs.put_table(path, found, capped=capped)
        found, capped = runs.get_table(path), runs.get_notes(path)["capped"]
        Metrics.counter("duplicates", "links").inc(found.num_rows)
        Metrics.counter("duplicates", "capped").inc(capped)
        return {"links": found.num_rows, "capped": capped}


@dataclasses.dataclass(eq=False)
class DropDuplicates(beam.PTransform):
    """Groups in; counts of verdicts out. Counters: duplicates/{kept,duplicate}.

    Attributes:
      chosen: Directory of the phase `choose`.
      cells: Directory of the phase `cells`, with `links/`.
      folder: The phase's directory.
      output: The job's directory: `verdicts/` (a part for each of the corpus) and `duplicates/`.
      judge: Rule and split.
      rows: Of the corpus.
    """

    chosen: str
    cells: str
    folder: str
    output: str
    judge: Judge

    def expand(self, groups: PCollection[Group]) -> PCollection[dict[str, Any]]:
        everything = AsList(groups)
        resolved = (
            groups
            | "WriteIds" >> beam.FlatMap(self.write_ids, everything)
            | "ByBucket" >> beam.GroupByKey()
            | "Share" >> beam.MapTuple(self.find_groups)
            | "All" >> beam.CombineGlobally(sum)
            | "Resolve" >> beam.Map(self.resolve, everything)
        )
        verdicts = groups | "Judge" >> beam.Map(self.write_verdicts, AsSingleton(resolved))
        return (resolved, verdicts) | beam.Flatten()

    def rows(self, group: Group) -> tuple[pa.Table, pa.Table]:
        """(schema.Choice, choices) of a group."""
        rows, choices = (
            runs.get_table(storage.join(self.chosen, dataset, f"{group.name}.arrow"))
            for dataset in ("rows", "choices")
        )
        return rows, choices

    def write_ids(self, group: Group, everything: list[Group]) -> Iterator[tuple[str, runs.Ref]]:
        """Writes the ids of a group as a run over the buckets, unless it is there."""
        folder = storage.join(self.folder, IDS)
        if not storage.exists(runs.run_path(folder, group.name)):
            rows, choices = self.rows(group)
            kept = pc.equal(choices["reason"], "").to_numpy()
            buckets = ids.buckets_of(sum(one.size for one in everything))
            ids.write_ids(folder, group.name, rows, kept, group.first, buckets)
        yield from runs.references(folder, group.name)

    def find_groups(self, bucket: str, refs: Iterable[runs.Ref]) -> int:
        """Writes what the rows of a bucket share, unless it is there; rows that share an id."""
        path = storage.join(self.folder, SHARED, f"{bucket}.arrow")
        if not storage.exists(path):
            table = runs.read_batches(storage.join(self.folder, IDS), refs)
            shared, common = ids.find_groups(table)
            runs.put_table(
                storage.join(self.folder, COMMON, f"{bucket}.arrow"), pa.table({"id": common})
            )
            runs.put_table(path, shared)
        return runs.get_table(path).num_rows

    def resolve(self, _: int, everything: list[Group]) -> dict[str, Any]:
        """Writes `resolved.arrow` and the edges; what they came to."""
        evidence = resolve.collect(
            _read_all(storage.join(self.cells, LINKED), LINKS),
            _read_all(storage.join(self.folder, SHARED), GROUPS),
            _read_all(storage.join(self.folder, COMMON), pa.schema({"id": pa.int64()}))[
                "id"
            ].to_numpy(),
        )
        rows = np.unique(evidence.row)
        quality, packed = self.look_up(rows, everything)
        found = resolve.resolve(evidence, rows, quality, packed)
        edges = edges_of(found, evidence, packed)
        for part, start in enumerate(range(0, max(1, edges.num_rows), _EDGES_PER_PART)):
            shards.write_part(
                self.output, EDGES, f"{part:05d}", edges.slice(start, _EDGES_PER_PART)
            )
        runs.put_table(self.resolved_path, table_of(found, evidence, rows, packed))
        return {"edges": edges.num_rows}

    @property
    def resolved_path(self) -> str:
        return storage.join(self.folder, "resolved.arrow")

    def look_up(
        self, rows: vectors.Ints, groups: list[Group]
    ) -> tuple[vectors.Floats, vectors.Bytes]:
        """(quality, keys) of some rows of the corpus, ascending."""
        quality, packed = np.empty(len(rows), np.float32), np.empty((len(rows), 32), np.uint8)
        for group in groups:
            start, end = np.searchsorted(rows, (group.first, group.first + group.size))
            if start < end:
                path = storage.join(self.chosen, "rows", f"{group.name}.arrow")
                index = pa.array(rows[start:end] - group.first)
                table = runs.get_table(path, ["quality", "key"]).take(index)
                quality[start:end] = table["quality"].to_numpy()
                packed[start:end] = vectors.bytes_of(table["key"])
        return quality, packed

    def write_verdicts(self, group: Group, _: dict[str, Any]) -> dict[str, Any]:
        """Writes the verdict parts of a group that are not there; what its rows came to."""
        rows, choices = self.rows(group)
        resolved = runs.get_table(self.resolved_path)
        start, end = np.searchsorted(
            resolved["row"].to_numpy(), (group.first, group.first + group.size)
        )
        table = self.judge.verdicts(rows, choices, resolved.slice(start, end - start), group.first)
        for part, first, last in group.slices():
            if not storage.exists(shards.part_path(self.output, VERDICTS, part)):
                shards.write_part(self.output, VERDICTS, part, table.slice(first, last - first))
        reasons = {
            one["values"]: one["counts"] for one in table["reason"].value_counts().to_pylist()
        }
        Metrics.counter("duplicates", "kept").inc(reasons.get("", 0))
        Metrics.counter("duplicates", "duplicate").inc(reasons.get("duplicate", 0))
        return {"rows_in": group.size, "reasons": reasons}


def _read_all(folder: str, wanted: pa.Schema) -> pa.Table:
    files = storage.list_files(folder)
    tables = [runs.get_table(one.path) for one in files if one.name.endswith(".arrow")]
    return pa.concat_tables([wanted.empty_table(), *tables]).combine_chunks()
