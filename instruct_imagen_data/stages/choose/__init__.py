"""Choose the rows worth mining: good enough, of an accepted domain, described by their caption.

Quality is cut at an exact quantile of each source (FACTS 69: the absolute scale of a quality
network shifts with backbone and compression; a share does not) and at the model set's floor.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsDict, PCollection

from instruct_imagen_data import runs, storage, vectors
from instruct_imagen_data.runs import Group
from instruct_imagen_data.stages.choose import quantile
from instruct_imagen_data.stages.choose.quantile import Cut, Histogram, Sample
from instruct_imagen_data.stages.choose.rows import read_rows

ROWS = "rows"  # what rows are judged by: schema.Choice
CHOICES = "choices"  # the same rows in the same order: SCHEMA
SCHEMA = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False),
        pa.field("low_quantile", pa.bool_(), nullable=False),
        pa.field("low_floor", pa.bool_(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
    ]
)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a row must reach.

    Attributes:
      quantile: Share of each source's rows, from the lowest quality up, that is dropped; in [0, 1).
      floor: Quality below which a row is dropped whatever its source.
      similarity: Cosine of image and caption below which a pair is dropped.
    """

    quantile: float
    floor: float
    similarity: float


def choose(rows: pa.Table, first: int, cuts: Mapping[str, Cut], limits: Limits) -> pa.Table:
    """The verdict on each row (SCHEMA): '' or the first reason that holds, in a fixed order.

    Args:
      rows: schema.Choice.
      first: number of the first row in the corpus.
    """
    quality, similarity = rows["quality"].to_numpy(), rows["similarity"].to_numpy()
    low_quantile, threshold = _below_cuts(rows, first, cuts)
    low_floor = quality < limits.floor
    threshold[low_floor] = limits.floor
    accepted = rows["domain_accepted"].to_numpy(zero_copy_only=False)
    rules = (  # (reason, rows it holds for, what was measured, the limit)
        ("low_quality", low_quantile | low_floor, quality, threshold),
        ("domain", ~accepted, rows["domain_probability"].to_numpy(), np.nan),
        ("low_similarity", similarity < limits.similarity, similarity, limits.similarity),
    )
    names, held, values, thresholds = zip(*rules, strict=True)
    columns = [
        pa.array(["", *names]).take(pa.array(np.select(held, range(1, len(names) + 1), 0))),
        pa.array(low_quantile),
        pa.array(low_floor),
        pa.array(np.select(held, values, np.nan), pa.float64(), from_pandas=True),  # NaN is null
        pa.array(np.select(held, thresholds, np.nan), pa.float64(), from_pandas=True),
    ]
    return pa.table(columns, schema=SCHEMA)


def _below_cuts(
    rows: pa.Table, first: int, cuts: Mapping[str, Cut]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """([n] rows below their source's cut, [n] the quality at that cut)."""
    bits, keys, numbers = _sample(rows, first)
    low, at_cut = np.zeros(len(bits), bool), np.empty(len(bits))
    for source, index in _by_source(rows["source"]):
        sample = (bits[index], keys[index], numbers[index])
        low[index] = quantile.below(sample, cuts[source])
        at_cut[index] = quantile.quality_of(cuts[source][0])
    return low, at_cut


def _sample(rows: pa.Table, first: int) -> Sample:
    bits = quantile.order_bits(rows["quality"].to_numpy())
    return bits, vectors.bytes_of(rows["key"]), np.arange(first, first + len(bits))


def _by_source(column: pa.ChunkedArray) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    """(source, its rows) for each source of a column."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    for code, source in enumerate(encoded.dictionary.to_pylist()):
        yield source, np.flatnonzero(codes == code)


@dataclasses.dataclass(eq=False)
class ChooseRows(beam.PTransform):
    """Groups in; a count of what was decided for each out. Counters: choose/{kept,REASON}.

    Writes `rows/` and `choices/` of the phase's folder, a file a group.

    Attributes:
      corpus: Directory of a finished corpus.
      folder: The phase's directory.
      limits: What a row must reach.
      source_column: Where a row's source is written; '' where all rows are of one.
    """

    corpus: str
    folder: str
    limits: Limits
    source_column: str = ""

    def expand(self, groups: PCollection[Group]) -> PCollection[dict[str, Any]]:
        bins = (
            groups
            | "Read" >> beam.FlatMap(self.read)
            | "Count" >> beam.CombinePerKey(quantile.add)
            | "Bins" >> beam.MapTuple(lambda s, h: (s, quantile.find_bin(h, self.limits.quantile)))
        )
        cuts = (
            groups
            | "InBin" >> beam.FlatMap(self.in_bins, AsDict(bins))
            | "Gather" >> beam.GroupByKey()
            | "Cuts" >> beam.Map(self.cut, AsDict(bins))
        )
        return groups | "Choose" >> beam.Map(self.choose, AsDict(cuts))

    def place(self, dataset: str, group: Group) -> str:
        """Where a group's file of a dataset is."""
        return storage.join(self.folder, dataset, f"{group.name}.arrow")

    def read(self, group: Group) -> Iterator[tuple[str, Histogram]]:
        """Writes the rows of a group, unless they are there; their histogram for each source."""
        path = self.place(ROWS, group)
        if not storage.exists(path):
            runs.put_table(path, read_rows(self.corpus, group, self.source_column))
        rows = runs.get_table(path, ["source", "quality"])
        bits = quantile.order_bits(rows["quality"].to_numpy())
        for source, index in _by_source(rows["source"]):
            yield source, quantile.histogram(bits[index])

    def in_bins(
        self, group: Group, bins: Mapping[str, tuple[int, int]]
    ) -> Iterator[tuple[str, Sample]]:
        """The rows of a group that are in their source's bin of the cut."""
        rows = runs.get_table(self.place(ROWS, group), ["source", "quality", "key"])
        bits, keys, numbers = _sample(rows, group.first)
        for source, index in _by_source(rows["source"]):
            inside = index[quantile.bin_of(bits[index]) == bins[source][0]]
            yield source, (bits[inside], keys[inside], numbers[inside])

    def cut(
        self, gathered: tuple[str, Iterable[Sample]], bins: Mapping[str, tuple[int, int]]
    ) -> tuple[str, Cut]:
        """The cut of a source, from the rows of all groups in its bin."""
        source, several = gathered[0], list(gathered[1])
        bits, keys, rows = (np.concatenate([one[i] for one in several]) for i in range(3))
        return source, quantile.find_cut((bits, keys, rows), bins[source][1])

    def choose(self, group: Group, cuts: Mapping[str, Cut]) -> dict[str, Any]:
        """Writes the choices of a group, unless they are there; what they came to."""
        path, rows = self.place(CHOICES, group), runs.get_table(self.place(ROWS, group))
        if not storage.exists(path):
            runs.put_table(path, choose(rows, group.first, cuts, self.limits))
        choices = runs.get_table(path, ["reason"])
        reasons = _count(choices["reason"])
        for reason, count in reasons.items():
            Metrics.counter("choose", reason or "kept").inc(count)
        kept = rows["domain"].filter(pc.equal(choices["reason"], ""))
        return {"rows_in": group.size, "reasons": reasons, "domains": _count(kept)}


def _count(column: pa.ChunkedArray) -> dict[str, int]:
    return {one["values"]: one["counts"] for one in column.value_counts().to_pylist()}
