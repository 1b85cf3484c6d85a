"""A part of derived rows becomes a part of examples, under the same name."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import schema, shards, storage
from instruct_imagen_data.encoding import ROWS_PER_GROUP_DRAWN
from instruct_imagen_data.errors import ConservationError, UsageError
from instruct_imagen_data.schema import Derived, Example, RejectRow
from instruct_imagen_data.stages.blocks import Reject, sift
from instruct_imagen_data.stages.instruct.sources import STAGE, Source
from instruct_imagen_data.stages.instruct.wording import Worded, Wording, Words, words_of
from instruct_imagen_data.templates import Templates


@dataclasses.dataclass(frozen=True)
class Instructed:
    """What a part comes to."""

    rows: pa.Table  # schema.Example
    rejects: pa.Table  # schema.RejectRow


Judge = Callable[[pa.Table], Mapping[int, Reject]]  # which rows must not be trained on, and why


def instruct(
    table: pa.Table, part: str, given: Templates, refused: Mapping[int, Reject] | None = None
) -> Instructed:
    """A part of schema.Derived as schema.Example, in the same order, and its rejects.

    Args:
      refused: Row number -> why the row is rejected, whatever its words are.
    """
    wording = Wording(given)

    def word(row: Words) -> Worded:
        if refused and row.number in refused:
            raise refused[row.number]
        return wording(row)

    def describe(row: Words, reject: Reject) -> RejectRow:
        origin = f"part-{part}.parquet#{row.number}"
        told = (reject.reason, reject.detail, "", "", reject.value, reject.limit)
        return RejectRow(row.key, origin, "", STAGE, *told)

    rows, rejected = sift(words_of(table), word, describe)
    if rejected:  # else nothing is copied
        table = table.take(pa.array([one.number for one in rows], pa.int64()))
    wanted = schema.schema_of(Example)
    columns = {name: table[name] for name in wanted.names if name in table.column_names}
    columns["instruction"] = pa.array([one.instruction for one in rows], pa.string())
    columns["template_id"] = pa.array([one.template_id for one in rows], pa.string())
    whole = pa.table({name: columns[name] for name in wanted.names}, schema=wanted)
    return Instructed(whole, schema.table_of(RejectRow, rejected))


def check_conservation(before: pa.Table, after: Instructed, where: str) -> None:
    """Raises ConservationError unless each row is kept, or has one reject."""
    had = Counter(before["key"].to_pylist())
    has = Counter(after.rows["key"].to_pylist() + after.rejects["key"].to_pylist())
    if had != has:
        odd = sorted({*(had - has), *(has - had)})[:3]
        raise ConservationError(f"{where}: rows lost or invented, e.g. {odd}")


@dataclasses.dataclass(frozen=True, slots=True)
class Todo:
    """A part of a dataset that has no instructions yet."""

    dataset: str
    part: str
    rows: int


def todo(output: str, sources: Mapping[str, Source]) -> list[Todo]:
    """The parts that are not committed, dataset by dataset, in order."""
    return [
        Todo(name, part, rows)
        for name, source in sources.items()
        for done in [set(shards.list_parts(storage.join(output, name), shards.REJECTS))]
        for part, rows in source.parts.items()
        if part not in done
    ]


def instruct_part(
    one: Todo,
    judge: Judge | None = None,
    *,
    examples: str,
    output: str,
    given: Mapping[str, Templates],
) -> str:
    """Reads a part, writes it with instructions, then its rejects: the commit. Its name.

    Args:
      judge: Looks at the pictures too; without it, none is decoded.

    Raises:
      UsageError: the part has other rows than its manifest says.
    """
    where = shards.part_path(examples, one.dataset, one.part)
    table = shards.read_part(examples, one.dataset, one.part, Derived)
    if table.num_rows != one.rows:
        raise UsageError(f"{where} has {table.num_rows} rows, its manifest says {one.rows}")
    made = instruct(table, one.part, given[one.dataset], judge(table) if judge else None)
    check_conservation(table, made, where)
    _commit(one, made, output)
    return f"{one.dataset}/{one.part}"


def _commit(one: Todo, made: Instructed, output: str) -> None:
    name = one.dataset
    sha256 = shards.write_part(output, name, one.part, made.rows, ROWS_PER_GROUP_DRAWN)
    rows = {name: made.rows.num_rows, shards.REJECTS: made.rejects.num_rows}
    reasons = shards.reasons_of(made.rejects)
    splits = dict(sorted(Counter(made.rows["split"].to_pylist()).items()))
    commit = shards.Commit(
        one.part, one.rows, rows, {name: sha256}, reasons, last=True, splits=splits
    )
    shards.write_commit(storage.join(output, name), commit, made.rejects)
    for reason, count in {"rows": made.rows.num_rows, **reasons}.items():
        Metrics.counter(name, reason).inc(count)


@dataclasses.dataclass(eq=False)
class InstructExamples(beam.PTransform):
    """Names of the parts that were written out. Counters: DATASET/{rows, REASON}.

    Attributes:
      examples: Folder with a folder of schema.Derived a dataset.
      output: Folder to hold a folder of schema.Example a dataset.
      sources: Dataset to its parts.
      given: Dataset to its templates.
      judge: Makes what looks at the pictures; runs once a worker process.
    """

    examples: str
    output: str
    sources: Mapping[str, Source]
    given: Mapping[str, Templates]
    judge: Callable[[], Any] | None = None

    def expand(self, root: PBegin) -> PCollection[str]:
        function: Any = functools.partial(
            instruct_part, examples=self.examples, output=self.output, given=self.given
        )
        parts = root | "Parts" >> beam.Create(todo(self.output, self.sources))
        spread = parts | "Spread" >> beam.Reshuffle()  # names, not pictures
        if self.judge is None:
            return spread | "Instruct" >> beam.Map(function)
        # Here, since it imports torch: a sixth of the memory and two seconds where none is needed.
        from instruct_imagen_data.stages.annotate import Annotate

        return spread | Annotate("Instruct", self.judge, function)
