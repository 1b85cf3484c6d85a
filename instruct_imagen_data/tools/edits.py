"""`instruct-imagen edits`: MagicBrush's files -> examples to fine-tune a trained network on."""

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from instruct_imagen_data import command_line, schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Example, RejectRow
from instruct_imagen_data.sources import magicbrush
from instruct_imagen_data.sources.magicbrush import COLUMNS, DATASET, EditFile, Unfit

ROWS = 32  # of a part: three pictures each, of up to a megabyte as they come


@dataclasses.dataclass(frozen=True)
class Options:
    """Makes examples of mask-guided editing of MagicBrush's files (train and dev).

    Attributes:
        input: Folder with train-*.parquet and dev-*.parquet.
        output: Directory to fill.
        side: Shorter side of the pictures, in pixels, at most.
    """

    input: str
    output: str
    side: int = 256


def examples(
    rows: Sequence[Mapping[str, Any]], file: EditFile, side: int
) -> tuple[list[Example], list[RejectRow]]:
    """(the examples of some rows, a reject for each that gives none)."""
    made: list[Example] = []
    rejects: list[RejectRow] = []
    for row in rows:
        try:
            made.append(magicbrush.example(row, file.split, side))
        except Unfit as unfit:
            rejects.append(magicbrush.reject(row, file, unfit))
    return made, rejects


def _blocks(file: EditFile) -> Iterator[list[dict[str, Any]]]:
    """The rows of a file, some at a time. Raises UsageError where it is no such file."""
    try:
        with storage.open_random(file.path) as source:
            opened = pq.ParquetFile(source)
            if missing := [name for name in COLUMNS if name not in opened.schema_arrow.names]:
                raise UsageError(f"{file.path} has no column {missing[0]}: is it MagicBrush's?")
            for batch in opened.iter_batches(ROWS, columns=[*COLUMNS], use_threads=False):
                yield batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{file.path} cannot be read: {' '.join(str(error).split())}") from error


def execute(options: Options) -> int:
    """Writes the parts, then the manifest; prints what became of the rows."""
    if options.side < 1:
        raise UsageError(f"--side {options.side}: at least 1")
    files = magicbrush.files(options.input)
    folder = storage.join(options.output, DATASET)
    if shards.read_json(folder, shards.MANIFEST) is not None:
        raise UsageError(f"--output {options.output} holds {DATASET} already: name another")
    parts: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    total = 0
    for file in tqdm(files, unit="file", disable=not sys.stderr.isatty()):
        for number, rows in enumerate(_blocks(file)):
            made, rejects = examples(rows, file, options.side)
            part = shards.block_part(file.stem, number)
            tables = {
                (options.output, DATASET): schema.table_of(Example, made),
                (folder, shards.REJECTS): schema.table_of(RejectRow, rejects),
            }
            sums = {
                name: shards.write_part(place, name, part, table)
                for (place, name), table in tables.items()
            }
            counts = {name: table.num_rows for (_, name), table in tables.items()}
            parts.append({"part": part, "rows": counts, "sha256": sums})
            reasons.update(one.reason for one in rejects)
            total += len(rows)
    kept = sum(one["rows"][DATASET] for one in parts)
    manifest = {
        "job": "edits",
        "dataset": DATASET,
        "rows_in": total,
        "rows": {DATASET: kept, shards.REJECTS: total - kept},
        "reasons": dict(sorted(reasons.items())),
        "parts": parts,
    }
    shards.write_json(folder, shards.MANIFEST, manifest)
    told = "".join(f", {rows} {reason}" for reason, rows in sorted(reasons.items()))
    print(f"{kept} of {total} edits became examples{told}: {folder}")
    return 0


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("edits", Options, execute, argv)
