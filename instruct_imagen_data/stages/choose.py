"""Choose the rows worth mining: good enough, of an accepted domain, described by their caption.

Quality is cut at an exact quantile of each source (FACTS 69: the absolute scale of a quality
network shifts with backbone and compression; a share does not) and at the model set's floor. The
quantile is found in two passes by the digits of its binary representation, so no step holds rows:
a histogram of the upper 24 bits, then only the rows of the one bin where the cut falls (about one
row in 10,000 on real scores; all rows of equal quality, where a network gives only a few values).
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsDict, PCollection

from instruct_imagen_data import runs, schema, shards, storage, vectors
from instruct_imagen_data.errors import ConservationError, UsageError
from instruct_imagen_data.runs import Group

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
_LOW_BITS = 8  # left to the second pass
_SCORES = tuple(field.name for field in dataclasses.fields(schema.Choice) if field.name != "source")

Bits = npt.NDArray[np.uint32]
Histogram = tuple[Bits, npt.NDArray[np.int64]]  # (bins, rows in each), bins ascending
Sample = tuple[Bits, vectors.Bytes, vectors.Ints]  # (bits, keys, row numbers) of rows
Cut = tuple[int, bytes, int]  # (bits, key, row number) of the first row that is good enough


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


def order_bits(quality: npt.NDArray[np.float32]) -> Bits:
    """uint32 that sort as the float32 do (sign bit flipped; all bits, where negative)."""
    bits = (quality + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def quality_of(bits: int) -> float:
    """The float32 that `order_bits` made these bits of."""
    plain = bits & 0x7FFFFFFF if bits >> 31 else ~bits & 0xFFFFFFFF
    return float(np.uint32(plain).view(np.float32))


def histogram(bits: Bits) -> Histogram:
    """Rows for each value of the upper 24 bits that occurs."""
    return np.unique(bits >> np.uint32(_LOW_BITS), return_counts=True)


def add(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of histograms."""
    several = list(histograms)
    bins, place = np.unique(np.concatenate([one[0] for one in several]), return_inverse=True)
    counts = np.zeros(len(bins), np.int64)
    np.add.at(counts, place, np.concatenate([one[1] for one in several]))
    return bins, counts


def find_bin(counted: Histogram, quantile: float) -> tuple[int, int]:
    """(bin, rank inside it) of the first row that is good enough: row floor(quantile * n)."""
    bins, counts = counted
    ends = np.cumsum(counts)
    rank = int(quantile * int(ends[-1]))
    index = int(np.searchsorted(ends, rank, side="right"))
    return int(bins[index]), rank - int(ends[index] - counts[index])


def find_cut(sample: Sample, rank: int) -> Cut:
    """The row of this rank among the rows of the bin; ties by key, then row."""
    bits, keys, rows = sample
    row = int(np.lexsort((rows, *vectors.words(keys).T[::-1], bits))[rank])
    return int(bits[row]), keys[row].tobytes(), int(rows[row])


def below(sample: Sample, cut: Cut) -> npt.NDArray[np.bool_]:
    """bool [n]: rows that come before the cut, by quality, then key, then row number."""
    bits, keys, rows = sample
    low = bits < cut[0]
    for row in np.flatnonzero(bits == cut[0]).tolist():
        low[row] = (keys[row].tobytes(), int(rows[row])) < cut[1:]
    return low


def choose(rows: pa.Table, first: int, cuts: Mapping[str, Cut], limits: Limits) -> pa.Table:
    """The verdict on each row (SCHEMA): '' or the first reason that holds, in a fixed order.

    Args:
      rows: schema.Choice.
      first: number of the first row in the corpus.
    """
    bits, keys, numbers = sample = _sample(rows, first)
    quality = rows["quality"].to_numpy()
    low_quantile = np.zeros(len(bits), bool)
    threshold = np.full(len(bits), np.nan)
    for source, index in _by_source(rows["source"]):
        cut = cuts[source]
        low_quantile[index] = below((bits[index], keys[index], numbers[index]), cut)
        threshold[index] = quality_of(cut[0])
    low_floor = quality < limits.floor
    threshold[low_floor] = limits.floor
    similarity = rows["similarity"].to_numpy()
    rules = {  # reason -> (rows it holds for, what was measured, its limit)
        "low_quality": (low_quantile | low_floor, quality, threshold),
        "domain": (
            ~rows["domain_accepted"].to_numpy(zero_copy_only=False),
            rows["domain_probability"].to_numpy(),
            np.full(len(sample[0]), np.nan),
        ),
        "low_similarity": (
            similarity < limits.similarity,
            similarity,
            np.full(len(bits), limits.similarity),
        ),
    }
    names = ["", *rules]
    which = np.select([held for held, _, _ in rules.values()], range(1, len(names)), 0)
    value = np.choose(which, [np.nan, *(value for _, value, _ in rules.values())])
    limit = np.choose(which, [np.nan, *(limit for _, _, limit in rules.values())])
    columns = [
        pa.array(names).take(pa.array(which)),
        pa.array(low_quantile),
        pa.array(low_floor),
        pa.array(value, pa.float64(), from_pandas=True),  # NaN is null
        pa.array(limit, pa.float64(), from_pandas=True),
    ]
    return pa.table(columns, schema=SCHEMA)


def _sample(rows: pa.Table, first: int) -> Sample:
    bits = order_bits(rows["quality"].to_numpy())
    return bits, vectors.bytes_of(rows["key"]), np.arange(first, first + len(bits))


def _by_source(column: pa.ChunkedArray) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    """(source, its rows) for each source of a column."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    for code, source in enumerate(encoded.dictionary.to_pylist()):
        yield source, np.flatnonzero(codes == code)


def source_values(corpus: str, part: str, column: str) -> list[str]:
    """The source of each row of a part: a field of Image, or else a name inside its metadata.

    Raises:
      UsageError: no row of the part has it.
    """
    field = column if column in schema.schema_of(schema.Image).names else "metadata"
    values = shards.read_part(corpus, "images", part, schema.Image, [field])[field].to_pylist()
    if field == column:
        return [str(value) for value in values]
    objects = [json.loads(value or "{}") for value in values]
    if objects and not any(column in one for one in objects):
        known = ", ".join(sorted(objects[0]))
        raise UsageError(
            f"--source-column {column}: no field of the images and not in their metadata "
            f"({known or 'which is empty'})"
        )
    return [str(one.get(column, "")) for one in objects]


def read_rows(corpus: str, group: Group, source_column: str) -> pa.Table:
    """The rows of a group (schema.Choice), from its parts of `scores/`.

    Raises:
      ConservationError: a part does not hold the rows that the corpus' manifest says.
    """
    tables = [
        shards.read_part(corpus, "scores", part, schema.Score, _SCORES) for part in group.parts
    ]
    if tuple(table.num_rows for table in tables) != group.rows:
        raise ConservationError(f"{corpus}: parts of scores/ differ from the manifest")
    table = pa.concat_tables(tables).combine_chunks()
    sources: list[str] = []
    if source_column:
        sources = [s for part in group.parts for s in source_values(corpus, part, source_column)]
    columns = {name: table[name] for name in _SCORES} | {
        "key": vectors.column_of(vectors.pack_keys(table["key"])),
        "source": pa.array(sources) if sources else pa.repeat("", table.num_rows),
    }
    wanted = schema.schema_of(schema.Choice)
    return pa.table({name: columns[name] for name in wanted.names}, schema=wanted)


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
            | "Count" >> beam.CombinePerKey(add)
            | "Bins" >> beam.MapTuple(lambda s, h: (s, find_bin(h, self.limits.quantile)))
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
        bits = order_bits(rows["quality"].to_numpy())
        for source, index in _by_source(rows["source"]):
            yield source, histogram(bits[index])

    def in_bins(
        self, group: Group, bins: Mapping[str, tuple[int, int]]
    ) -> Iterator[tuple[str, Sample]]:
        """The rows of a group that are in their source's bin of the cut."""
        rows = runs.get_table(self.place(ROWS, group), ["source", "quality", "key"])
        bits, keys, numbers = _sample(rows, group.first)
        for source, index in _by_source(rows["source"]):
            inside = index[bits[index] >> np.uint32(_LOW_BITS) == bins[source][0]]
            yield source, (bits[inside], keys[inside], numbers[inside])

    def cut(
        self, gathered: tuple[str, Iterable[Sample]], bins: Mapping[str, tuple[int, int]]
    ) -> tuple[str, Cut]:
        """The cut of a source, from the rows of all groups in its bin."""
        source, several = gathered[0], list(gathered[1])
        bits, keys, rows = (np.concatenate([one[i] for one in several]) for i in range(3))
        return source, find_cut((bits, keys, rows), bins[source][1])

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
