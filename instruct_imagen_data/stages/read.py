"""Input files in, blocks of raw pairs out; what a former run committed is left out."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.stages import formats
from instruct_imagen_data.stages.blocks import MAX_ROWS, Block, chunks
from instruct_imagen_data.stages.formats import Columns, Row


@dataclasses.dataclass(frozen=True)
class Input:
    """One input file.

    Attributes:
      path: Where it is.
      name: File name, with as many folders as tell it from the others: the head of each origin.
      size: Bytes.
      done: Indices of the blocks that a former run committed.
    """

    path: str
    name: str
    size: int
    done: tuple[int, ...] = ()

    @property
    def stem(self) -> str:
        """Head of its parts' names: the name without extension, folders joined by dots."""
        bare = self.name[: -len(formats.extension(self.name)) or None]
        return bare.replace("/", ".")


def find_inputs(pattern: str) -> list[storage.File]:
    """The files of a glob or folder that can be read, by path; of a folder, tars before the rest.

    Raises:
      UsageError: nothing is there, or nothing of it can be read.
    """
    found = storage.glob(pattern)
    if not found:
        raise UsageError(f"no input: {pattern!r} matches no file")
    files = [file for file in found if formats.extension(file.path)]
    if not files:
        known = ", ".join(formats.READERS)
        raise UsageError(
            f"{pattern!r} matches {len(found)} files but none that can be read ({known}); "
            "a folder of pictures needs a .csv or .jsonl that names them"
        )
    if not any(mark in pattern for mark in "*?[") and len(files) > 1:
        # img2dataset leaves a Parquet without pictures beside each tar.
        tars = [file for file in files if formats.is_tar(file.path)]
        files = tars or files
    return files


def name_inputs(files: list[storage.File], known: Mapping[str, str]) -> list[Input]:
    """Names for input files: the file name, or the shortest tail of the path that is unique.

    Names depend on the other files only where two are equal, and a name once given (`known`,
    path -> name, from `_JOB.json`) stays: an added file shifts nothing.
    """
    names = {file.path: known[file.path] for file in files if file.path in known}
    fresh = [file for file in files if file.path not in known]
    depth = {file.path: 1 for file in fresh}

    def tail(path: str) -> str:
        return "/".join(path.split("/")[-depth[path] :])

    while True:
        heads: dict[str, list[str]] = {}
        for path, name in names.items():
            heads.setdefault(Input(path, name, 0).stem, []).append(path)
        for file in fresh:
            heads.setdefault(Input(file.path, tail(file.path), 0).stem, []).append(file.path)
        clashes = [p for paths in heads.values() if len(paths) > 1 for p in paths if p in depth]
        if not clashes:
            break
        for path in clashes:
            if tail(path) == path:
                raise UsageError(f"input {path} cannot be told from another of the same name")
            depth[path] += 1
    names |= {file.path: tail(file.path) for file in fresh}
    return [Input(file.path, names[file.path], file.size) for file in files]


def estimate(inputs: list[Input], max_rows: int) -> tuple[int, int]:
    """About how many (blocks, rows) the inputs make, judged by the first file."""
    if not inputs:
        return 0, 0
    row = formats.bytes_per_row(inputs[0].path, inputs[0].size)
    rows = [max(1, round(one.size / row)) for one in inputs]
    return sum(math.ceil(count / max_rows) for count in rows), sum(rows)


def _weight(row: Row) -> int:
    return len(row.image) + len(row.caption) + len(row.metadata) if isinstance(row, RawPair) else 0


def _block(part: str, rows: list[Row], last: bool) -> Block:
    pairs = [row for row in rows if isinstance(row, RawPair)]
    rejects = [row for row in rows if isinstance(row, RejectRow)]
    tables = {
        "pairs": schema.table_of(RawPair, pairs),
        shards.REJECTS: schema.table_of(RejectRow, rejects),
    }
    return Block(part, len(rows), last, tables)


def _finished(source: Input, output: str) -> bool:
    """Whether a former run committed all blocks of a file: its last one says so."""
    if not source.done or source.done != tuple(range(len(source.done))):
        return False
    return shards.read_commit(output, shards.block_part(source.stem, source.done[-1])).last


def read_blocks(source: Input, *, output: str, columns: Columns, max_rows: int) -> Iterator[Block]:
    """The blocks of an input file that are not committed yet, in the file's order.

    A file without rows is one empty block: each input has a commit that says `last`.
    """
    if _finished(source, output):
        return
    reader = formats.READERS[formats.extension(source.path)]
    done = frozenset(source.done)
    former: list[Row] = []
    index = 0
    # One block behind, to know the last one as such when it is made.
    for rows in chunks(reader(source.path, source.name, columns), _weight, max_rows):
        if former and index not in done:
            yield _block(shards.block_part(source.stem, index), former, last=False)
        index += bool(former)
        former = rows
    if index not in done:
        yield _block(shards.block_part(source.stem, index), former, last=True)


@dataclasses.dataclass(eq=False)
class ReadBlocks(beam.PTransform):
    """Blocks with a table `pairs` (RawPair), and rejects for rows without a picture.

    Attributes:
      inputs: Files, with the blocks of each that are done.
      output: The job's directory, where the commits of done blocks are.
      columns: Names of the columns, where they are not the usual ones.
      max_rows: Rows a block.
    """

    inputs: list[Input]
    output: str
    columns: Columns
    max_rows: int = MAX_ROWS

    def expand(self, root: PBegin) -> PCollection[Block]:
        read = functools.partial(
            read_blocks, output=self.output, columns=self.columns, max_rows=self.max_rows
        )
        return (
            root
            | "Inputs" >> beam.Create(self.inputs)
            | "Spread" >> beam.Reshuffle()  # file names, not their contents
            | "Read" >> beam.FlatMap(read)
        )
