"""Blocks of source rows become parts of one dataset, or of several at once."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection

from instruct_imagen_data import schema, shards, storage
from instruct_imagen_data.errors import ConservationError
from instruct_imagen_data.schema import Derived, RejectRow
from instruct_imagen_data.stages.annotate import Annotate


@dataclasses.dataclass(frozen=True, slots=True)
class Todo:
    """A part, and the datasets that lack it."""

    part: str
    datasets: tuple[str, ...]


def todo(output: str, datasets: Sequence[str], parts: Iterable[str]) -> list[Todo]:
    """The parts, in order, that are not committed in all of the datasets."""
    folders = {name: storage.join(output, name) for name in datasets}
    done = {
        name: frozenset(shards.list_parts(folder, shards.REJECTS))
        for name, folder in folders.items()
    }
    lacking = (
        Todo(part, tuple(name for name in datasets if part not in done[name])) for part in parts
    )
    return [one for one in lacking if one.datasets]


@dataclasses.dataclass(frozen=True)
class SourceBlock:
    """Rows to derive from, under a part name.

    Attributes:
      part: Name such as `00012-003`.
      datasets: Those to make.
      keys: Key of each source row read for the block, rejected ones included.
      rows: The rows that may be used; what they are is the stage's business.
      rejects: schema.RejectRow of those that may not.
    """

    part: str
    datasets: tuple[str, ...]
    keys: tuple[str, ...]
    rows: Sequence[Any]
    rejects: pa.Table


@dataclasses.dataclass(frozen=True)
class Made:
    """What one dataset gets of a block."""

    rows: pa.Table  # schema.Derived
    rejects: pa.Table  # schema.RejectRow


@dataclasses.dataclass(frozen=True)
class DerivedBlock:
    """A block as each dataset gets it.

    Attributes:
      part: Its name.
      rows_in: Source rows that were read for it, rejects included.
      datasets: Dataset to what it gets.
    """

    part: str
    rows_in: int
    datasets: Mapping[str, Made]


def made(rows: Sequence[Derived], rejects: Sequence[RejectRow]) -> Made:
    """Records as what a dataset gets."""
    return Made(schema.table_of(Derived, rows), schema.table_of(RejectRow, rejects))


def check_conservation(block: SourceBlock, dataset: str, found: Made) -> None:
    """Raises ConservationError unless each source row is cited or has one reject row.

    Rows of one key are copies, of which at most one is used: the others have a reject row each.
    Where sources are pairs, a pair has the key of the row that it gives.
    """
    cited = {key for row in found.rows["sources"].to_pylist() for key in row}
    cited.update(found.rows["key"].to_pylist())
    rejected = Counter(found.rejects["key"].to_pylist())
    lost = [
        key
        for key, count in Counter(block.keys).items()
        if not (rejected[key] < count if key in cited else rejected[key] == count)
    ]
    invented = rejected.keys() - set(block.keys)
    if lost or invented:
        names = sorted({*lost, *invented})[:3]
        raise ConservationError(
            f"{dataset}, part {block.part}: source rows lost or invented, e.g. {names}"
        )


Function = Callable[[SourceBlock, Any], Mapping[str, Made]]


def derive(block: SourceBlock, networks: Any, function: Function) -> DerivedBlock:
    """What a function makes of a block, with the block's own rejects first; conserved, counted."""
    datasets = {}
    for name, found in function(block, networks).items():
        whole = Made(found.rows, pa.concat_tables([block.rejects, found.rejects]))
        check_conservation(block, name, whole)
        Metrics.counter(name, "rows").inc(whole.rows.num_rows)
        for reason, count in shards.reasons_of(whole.rejects).items():
            Metrics.counter(name, reason).inc(count)
        datasets[name] = whole
    if set(datasets) != set(block.datasets):
        raise ConservationError(f"part {block.part}: {block.datasets} wanted, {[*datasets]} made")
    return DerivedBlock(block.part, len(block.keys), datasets)


@dataclasses.dataclass(eq=False)
class DeriveBlocks(beam.PTransform):
    """SourceBlocks in; DerivedBlocks out. Counters: DATASET/{rows, REASON}.

    Attributes:
      stage: Name of the step.
      load: Makes the networks; runs once a worker process.
      function: (SourceBlock, networks) -> dataset to Made, for the block's datasets.
    """

    stage: str
    load: Callable[[], Any]
    function: Function

    def expand(self, blocks: PCollection[SourceBlock]) -> PCollection[DerivedBlock]:
        return blocks | Annotate(
            self.stage, self.load, functools.partial(derive, function=self.function)
        )


def commit(block: DerivedBlock, output: str) -> str:
    """Writes what each dataset gets of a block, the rejects last; the part's name."""
    for name, found in block.datasets.items():
        sha256 = shards.write_part(output, name, block.part, found.rows)
        rows = {name: found.rows.num_rows, shards.REJECTS: found.rejects.num_rows}
        reasons = shards.reasons_of(found.rejects)
        done = shards.Commit(block.part, block.rows_in, rows, {name: sha256}, reasons, last=True)
        shards.write_commit(storage.join(output, name), done, found.rejects)
    return block.part


@dataclasses.dataclass(eq=False)
class WriteDerived(beam.PTransform):
    """DerivedBlocks in; the names of the parts written out.

    Attributes:
      output: Directory that holds a folder a dataset.
    """

    output: str

    def expand(self, blocks: PCollection[DerivedBlock]) -> PCollection[str]:
        return blocks | "Write" >> beam.Map(commit, self.output)
