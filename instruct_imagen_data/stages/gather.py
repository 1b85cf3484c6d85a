"""Gather the five pictures of each neighbourhood, and write why every other row is in none.

Pictures of a neighbourhood lie in up to five parts of the corpus. Each part's used pictures are
written once as a run over the neighbourhood parts; only references are shuffled.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection

from instruct_imagen_data import index, runs, schema, shards, storage, vectors
from instruct_imagen_data.errors import ConservationError
from instruct_imagen_data.runs import Group

STAGE = "neighbours"
NEIGHBOURHOODS = "neighbourhoods"
PER_PART = 50  # neighbourhoods a part, about
MEMBERS = 5


def destinations(ids: vectors.Bytes, parts: int) -> npt.NDArray[np.int64]:
    """[n] the part of each neighbourhood: ranges of keys, which are uniform, so even and sorted."""
    upper = vectors.words(ids)[:, 0] >> np.uint64(32)
    return ((upper * np.uint64(parts)) >> np.uint64(32)).astype(np.int64)


def reject_rows(verdicts: pa.Table, pictures: pa.Table, fates: pa.Table) -> pa.Table:
    """schema.RejectRow of the rows of a part that are in no neighbourhood.

    Args:
      verdicts: schema.Verdict of the part.
      pictures: url and sha256 of the same rows.
      fates: rows (numbered within the part), reason, value, threshold of all survivors.

    Raises:
      ConservationError: a survivor has no fate, or a row that is none has one.
    """
    kept = verdicts["kept"].to_numpy(zero_copy_only=False)
    rows = fates["row"].to_numpy()
    if not np.array_equal(np.unique(rows), np.flatnonzero(kept)):
        raise ConservationError("rows that were kept and rows that were mined are not the same")
    unused = fates.filter(pc.not_equal(fates["reason"], ""))
    mask = np.zeros(len(kept), bool)
    mask[unused["row"].to_numpy()] = True

    def put(column: str) -> pa.Array:
        values = unused[column].combine_chunks()
        return pc.replace_with_mask(verdicts[column].combine_chunks(), pa.array(mask), values)

    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        name: verdicts[name] for name in ("key", "origin", "detail", "survivor")
    }
    columns |= {name: pictures[name] for name in ("url", "sha256")}
    columns |= {name: put(name) for name in ("reason", "value", "threshold")}
    columns["stage"] = pa.repeat(STAGE, len(kept))
    wanted = schema.schema_of(schema.RejectRow)
    table = pa.table({name: columns[name] for name in wanted.names}, schema=wanted)
    return table.filter(pc.not_equal(table["reason"], ""))


def used_pictures(corpus: str, part: str, uses: pa.Table, splits: pa.Array) -> pa.Table:
    """The pictures of a part that are in neighbourhoods, a row for each use, beside that use.

    Only row groups that hold one are read.

    Args:
      uses: fates of the used rows, numbered within the part, ascending.
      splits: of all rows of the part.
    """
    rows = uses["row"].to_numpy()
    pictures = shards.take_rows(corpus, "images", part, rows, ("key", "caption", "image"))
    for name in ("id", "slot", "cluster", "domain", "similarities"):
        pictures = pictures.append_column(name, uses[name])
    return pictures.append_column("split", splits.take(pa.array(rows)))


def neighbourhoods(pictures: pa.Table) -> pa.Table:
    """schema.Neighbourhood of the pictures of some, by id.

    A neighbourhood is of the validation split if one of its pictures is: training never sees a
    picture of a component that is held out.

    Raises:
      ConservationError: one does not have five pictures.
    """
    ids, slots = vectors.bytes_of(pictures["id"]), pictures["slot"].to_numpy()
    pictures = pictures.take(pa.array(vectors.key_order(ids, slots))).combine_chunks()
    if pictures["slot"].to_pylist() != [*range(MEMBERS)] * (len(slots) // MEMBERS):
        raise ConservationError("a neighbourhood does not have its five pictures")
    wanted = schema.schema_of(schema.Neighbourhood)
    members = wanted.field("members").type
    fields = [pictures[field.name].combine_chunks() for field in members.value_type]
    structs = pa.StructArray.from_arrays(fields, fields=list(members.value_type))
    offsets = pa.array(np.arange(0, len(slots) + 1, MEMBERS, dtype=np.int32))
    held_out = pc.equal(pictures["split"], "validation").to_numpy().reshape(-1, MEMBERS).any(axis=1)
    seeds = pictures.filter(pc.equal(pictures["slot"], 0))
    columns = {
        "id": vectors.unpack_keys(vectors.bytes_of(seeds["id"])),
        "domain": seeds["domain"],
        "cluster": seeds["cluster"],
        "split": pa.array(np.where(held_out, "validation", "train").tolist(), pa.string()),
        "members": pa.ListArray.from_arrays(offsets, structs, type=members),
        "similarities": seeds["similarities"].cast(wanted.field("similarities").type),
    }
    return pa.table(columns, schema=wanted)


@dataclasses.dataclass(eq=False)
class GatherNeighbourhoods(beam.PTransform):
    """Groups in; summaries for the manifest out. Counters: gather/{used,neighbourhoods}.

    Writes `_rejects/` (a part for each of the corpus) and `neighbourhoods/`.

    Attributes:
      corpus: Directory of a finished corpus.
      mined: Directory of the phase `mine`, with `fates/`.
      folder: Directory for the runs of pictures.
      output: The job's directory, with `verdicts/`.
    """

    corpus: str
    mined: str
    folder: str
    output: str

    def expand(self, groups: PCollection[Group]) -> PCollection[dict[str, Any]]:
        refs = (
            groups.pipeline
            | beam.Create([storage.join(self.mined, "fates")])
            | "Fates" >> beam.FlatMap(_all_references)
        )
        named = groups | "Name" >> beam.Map(lambda group: (group.name, group))
        parts = (
            {"group": named, "refs": refs}
            | "ByGroup" >> beam.CoGroupByKey()
            | "Parts" >> beam.FlatMapTuple(self.parts)
        )
        rejects = parts | "WriteRejects" >> beam.MapTuple(self.write_rejects)
        written = (
            parts
            | "WriteRuns" >> beam.FlatMapTuple(self.write_run)
            | "ByPart" >> beam.GroupByKey()
            | "Assemble" >> beam.MapTuple(self.assemble)
        )
        return (rejects, written) | beam.Flatten()

    def parts(self, _: str, joined: Mapping[str, Iterable[Any]]) -> Iterator[tuple[str, pa.Table]]:
        """(part, fates of its survivors, rows numbered within it) of each part of a group."""
        (group,) = joined["group"]
        refs = list(joined["refs"])
        if refs:
            found = runs.read_batches(storage.join(self.mined, "fates"), refs)
        else:
            found = schema.schema_of(schema.Fate).empty_table()
        rows = found["row"].to_numpy() - group.first
        order = np.lexsort((*vectors.words(vectors.bytes_of(found["id"])).T[::-1], rows))
        found, rows = found.take(pa.array(order)), rows[order]
        for part, first, end in group.slices():
            start, stop = np.searchsorted(rows, (first, end))
            table = found.slice(start, stop - start)
            yield part, table.set_column(0, "row", pa.array(rows[start:stop] - first))

    def write_rejects(self, part: str, fates: pa.Table) -> dict[str, Any]:
        """Writes the rejects of a part, unless they are there; what its rows came to."""
        verdicts = shards.read_part(self.output, "verdicts", part, schema.Verdict)
        pictures = shards.read_part(self.corpus, "images", part, schema.Image, ["url", "sha256"])
        table = reject_rows(verdicts, pictures, fates)
        sha256 = _put(self.output, shards.REJECTS, part, table)
        used = verdicts.num_rows - table.num_rows
        Metrics.counter("gather", "used").inc(used)
        rows = {shards.REJECTS: table.num_rows, "verdicts": verdicts.num_rows}
        return {
            "rows_in": verdicts.num_rows,
            "used": used,
            "rows": rows,
            "reasons": {
                one["values"]: one["counts"] for one in table["reason"].value_counts().to_pylist()
            },
            "parts": [{"part": part, "rows": rows, "sha256": {shards.REJECTS: sha256}}],
        }

    def write_run(self, part: str, fates: pa.Table) -> Iterator[tuple[str, runs.Ref]]:
        """Writes the used pictures of a part as a run, unless it is there."""
        uses = fates.filter(pc.equal(fates["reason"], ""))
        if not uses.num_rows:
            return
        if not storage.exists(runs.run_path(self.folder, part)):
            verdicts = shards.read_part(self.output, "verdicts", part, schema.Verdict, ["split"])
            pictures = used_pictures(self.corpus, part, uses, verdicts["split"])
            total = shards.require_finished(self.mined, "mine")["neighbourhoods"]
            count = -(-total // PER_PART)
            codes = destinations(vectors.bytes_of(pictures["id"]), count)
            names = [f"{number:05d}" for number in range(count)]
            runs.write_run(self.folder, part, pictures, codes, names)
        yield from runs.references(self.folder, part)

    def assemble(self, part: str, refs: Iterable[runs.Ref]) -> dict[str, Any]:
        """Writes a part of neighbourhoods, unless it is there."""
        path = shards.part_path(self.output, NEIGHBOURHOODS, part)
        if not storage.exists(path):
            table = neighbourhoods(runs.read_batches(self.folder, refs))
            shards.write_part(self.output, NEIGHBOURHOODS, part, table)
        data = storage.read_bytes(path)
        rows = {NEIGHBOURHOODS: pq.read_metadata(pa.BufferReader(data)).num_rows}
        Metrics.counter("gather", NEIGHBOURHOODS).inc(rows[NEIGHBOURHOODS])
        sha256 = {NEIGHBOURHOODS: hashlib.sha256(data).hexdigest()}
        return {"rows": rows, "parts": [{"part": part, "rows": rows, "sha256": sha256}]}


def index_rows(output: str) -> Iterator[pa.Table]:
    """Where each key is in what `neighbours` wrote, but for verdicts/: they lie as the corpus."""
    for dataset, columns in (("candidates", ["key"]), ("duplicates", ["key", "other"])):
        for part in shards.list_parts(output, dataset):
            table = shards.read_part(output, dataset, part, None, columns)
            for column in columns:
                yield index.places(dataset, part, table[column])
    for part in shards.list_parts(output, NEIGHBOURHOODS):
        table = shards.read_part(output, NEIGHBOURHOODS, part, None, ["members.list.element.key"])
        keys = pc.struct_field(pc.list_flatten(table["members"]), "key")
        rows = np.repeat(np.arange(table.num_rows), MEMBERS)
        yield index.places(NEIGHBOURHOODS, part, keys, rows=rows)


def _all_references(folder: str) -> Iterator[tuple[str, runs.Ref]]:
    for file in storage.list_files(folder):
        if file.name.endswith(".arrow"):
            yield from runs.references(folder, file.name.removesuffix(".arrow"))


def _put(folder: str, dataset: str, part: str, table: pa.Table) -> str:
    """Writes a part unless it is there; the sha256 of what is there."""
    path = shards.part_path(folder, dataset, part)
    if not storage.exists(path):
        return shards.write_part(folder, dataset, part, table)
    return hashlib.sha256(storage.read_bytes(path)).hexdigest()
