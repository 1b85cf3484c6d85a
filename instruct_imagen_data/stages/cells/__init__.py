"""Bring the chosen rows of a domain that are near each other together, and cluster them.

Two levels (see `coarse` and `fine`) of spherical k-means, exact on every CPU. Vectors go to their
cell by runs: nothing of a row but its place is shuffled.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsDict, PCollection

from instruct_imagen_data import cell, runs, schema, shards, storage, vectors
from instruct_imagen_data.cell import Cell
from instruct_imagen_data.runs import Group
from instruct_imagen_data.stages.cells import band, coarse, fine

_COLUMNS = ["key", "quality", "domain", "phash", "caption_id", "file_id"]


def read_vectors(corpus: str, group: Group, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int16]:
    """Integer vectors [len(rows), d] of some rows of a group, ascending."""
    found = []
    for part, first, end in group.slices():
        inside = rows[np.searchsorted(rows, first) : np.searchsorted(rows, end)]
        if len(inside):
            table = shards.read_part(corpus, "embeddings", part, schema.Embedding, ["image_vector"])
            halves = schema.vectors_of(table["image_vector"])
            found.append(vectors.quantise(halves[inside - first].astype(np.float16, copy=False)))
    return np.concatenate(found) if found else np.empty((0, 0), np.int16)


@dataclasses.dataclass(eq=False)
class ClusterCells(beam.PTransform):
    """Groups in; Cells out. Counters: cells/{rows,guests,cells,clusters,cut}.

    Writes `samples/`, `runs/` (vectors) and `clusters/` of the folder; what is there is kept.

    Attributes:
      corpus: Directory of a finished corpus.
      chosen: Directory of the phase `choose`, with `rows/` and `choices/`.
      folder: The phase's directory.
      cell_rows: Rows a cell should have at most.
    """

    corpus: str
    chosen: str
    folder: str
    cell_rows: int = coarse.CELL_ROWS

    def expand(self, groups: PCollection[Group]) -> PCollection[Cell]:
        regions = (
            groups
            | "Sample" >> beam.FlatMap(self.sample)
            | "ByDomain" >> beam.GroupByKey()
            | "Regions" >> beam.MapTuple(self.regions)
        )
        return (
            groups
            | "WriteRuns" >> beam.FlatMap(self.write_run, AsDict(regions))
            | "ByCell" >> beam.GroupByKey()
            | "Cluster" >> beam.FlatMapTuple(self.cluster)
        )

    def domain_rows(self) -> dict[str, int]:
        """Chosen rows of each domain."""
        return shards.require_finished(self.chosen, "choose")["domains"]

    def rows(self, group: Group) -> tuple[pa.Table, npt.NDArray[np.intp]]:
        """(rows of a group that are chosen, where in the group they are)."""
        files = (storage.join(self.chosen, d, f"{group.name}.arrow") for d in ("rows", "choices"))
        rows, choices = map(runs.get_table, files)
        index = np.flatnonzero(pa.compute.equal(choices["reason"], "").to_numpy())
        return rows.select(_COLUMNS).take(pa.array(index)).combine_chunks(), index

    def sample(self, group: Group) -> Iterator[tuple[str, runs.Ref]]:
        """Writes a group's rows in the samples of the domains that need several cells, as a run."""
        folder = storage.join(self.folder, cell.SAMPLES)
        counts = self.domain_rows()
        rates = {domain: coarse.sample_rate(n, self.cell_rows) for domain, n in counts.items()}
        if not any(rates.values()):
            return
        if not storage.exists(runs.run_path(folder, group.name)):
            table, index = self.rows(group)
            keys, domains = vectors.bytes_of(table["key"]), table["domain"].to_numpy(False)
            codes = np.full(len(keys), -1)
            for number, (domain, rate) in enumerate(rates.items()):
                codes[(domains == domain) & coarse.in_sample(keys, rate)] = number
            inside = np.flatnonzero(codes >= 0)
            flat = read_vectors(self.corpus, group, index[inside]).view(np.uint8)
            drawn = {"key": vectors.column_of(keys[inside]), "vector": vectors.column_of(flat)}
            runs.write_run(folder, group.name, pa.table(drawn), codes[inside], list(rates))
        yield from runs.references(folder, group.name)

    def regions(self, domain: str, refs: Iterable[runs.Ref]) -> tuple[str, coarse.Regions]:
        """The cells of a domain."""
        table = runs.read_batches(storage.join(self.folder, cell.SAMPLES), refs)
        keys, flat = vectors.bytes_of(table["key"]), vectors.bytes_of(table["vector"])
        rows = self.domain_rows()[domain]
        return domain, coarse.find_regions(keys, flat.view(np.int16), rows, self.cell_rows)

    def write_run(
        self, group: Group, regions: Mapping[str, coarse.Regions]
    ) -> Iterator[tuple[str, runs.Ref]]:
        """Writes the chosen rows of a group as a run over the cells, unless it is there."""
        folder = storage.join(self.folder, cell.RUNS)
        if not storage.exists(runs.run_path(folder, group.name)):
            table, index = self.rows(group)
            points = read_vectors(self.corpus, group, index)
            codes, names = assign(table, points, regions)
            flat = np.ascontiguousarray(points).view(np.uint8)
            columns = table.drop(["domain"]).append_column("row", pa.array(group.first + index))
            columns = columns.append_column("vector", vectors.column_of(flat))
            guests = np.flatnonzero(codes[:, 1] >= 0)
            runs.write_run(folder, group.name, *_invite(columns, codes, guests), names)
        yield from runs.references(folder, group.name)

    def cluster(self, name: str, refs: Iterable[runs.Ref]) -> Iterator[Cell]:
        """A cell in clusters: as a former run saved it, or else made and saved."""
        if storage.exists(cell.cluster_path(self.folder, name)):
            yield cell.load(self.folder, name)
            return
        several = sorted(refs)
        table, points = cell.load_rows(self.folder, several)
        if table["guest"].to_numpy().all():
            return
        domain = coarse.domain_of(name)
        shape = fine.shape_of(self.domain_rows()[domain])
        made, cut = fine.cluster_rows(name, domain, table, points, shape)
        cell.save(self.folder, made, several)
        Metrics.counter("cells", "cut").inc(cut)
        yield made


def _invite(
    table: pa.Table, codes: vectors.Ints, guests: npt.NDArray[np.intp]
) -> tuple[pa.Table, vectors.Ints]:
    """(rows with a column `guest`, their cells): guests are there a second time, for theirs."""
    away = np.arange(len(codes) + len(guests)) >= len(codes)
    rows = pa.concat_tables([table, table.take(pa.array(guests))])
    cells = np.concatenate([codes[:, 0], codes[guests, 1]])
    return rows.append_column("guest", pa.array(away.astype(np.uint8))), cells


def assign(
    table: pa.Table, points: npt.NDArray[np.int16], regions: Mapping[str, coarse.Regions]
) -> tuple[vectors.Ints, list[str]]:
    """([n, 2] cell of each row and where it is a guest, by number; names of the cells)."""
    keys, domains = vectors.bytes_of(table["key"]), table["domain"].to_numpy(False)
    codes = np.full((len(keys), 2), -1, np.int64)
    names: list[str] = []
    for domain in np.unique(domains).tolist():
        inside = np.flatnonzero(domains == domain)
        region = regions.get(domain, coarse.ONE)
        found = region.assign(keys[inside], points[inside])
        codes[inside] = np.where(found < 0, -1, len(names) + found)
        names += region.names(domain)
    return codes, names


@dataclasses.dataclass(eq=False)
class FindBands(beam.PTransform):
    """Cells in; a summary of each and the band of each domain out, for the phase's manifest."""

    chosen: str

    def expand(self, cells: PCollection[Cell]) -> PCollection[dict[str, Any]]:
        edges = (
            cells
            | "Rows" >> beam.Map(self.rows)
            | "Lowest" >> beam.CombinePerKey(band.lowest)
            | "Edge" >> beam.MapTuple(_edge)
        )
        return (edges, cells | "Describe" >> beam.Map(_describe)) | beam.Flatten()

    def rows(self, one: Cell) -> tuple[str, band.Rows]:
        """What a cell has of its domain's sample."""
        counts = shards.require_finished(self.chosen, "choose")["domains"]
        return one.domain, band.rows_of(one, counts[one.domain])


def _edge(domain: str, rows: band.Rows) -> dict[str, Any]:
    lower, pairs = band.lower_edge(rows)
    return {"bands": {domain: {"lower": lower, "pairs": pairs}}}


def _describe(one: Cell) -> dict[str, Any]:
    clusters = int(one.clusters[-1]) + 1
    Metrics.counter("cells", "cells").inc()
    rows = int(one.homes.sum())
    Metrics.counter("cells", "rows").inc(rows)
    Metrics.counter("cells", "guests").inc(one.size - rows)
    Metrics.counter("cells", "clusters").inc(clusters)
    return {"cells": [one.name], "rows": rows, "guests": one.size - rows, "clusters": clusters}
