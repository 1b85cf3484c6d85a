"""Web pairs in; measured, scored, embedded corpus out. Images never leave the fused stage."""

import dataclasses
import sys

import apache_beam as beam

from instruct_imagen_data import images, schema, shards
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.precision import check_device, resolve_precision
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages import formats
from instruct_imagen_data.stages.blocks import WriteBlocks
from instruct_imagen_data.stages.finish import Finish
from instruct_imagen_data.stages.measure import Measure, Setup
from instruct_imagen_data.stages.read import (
    Input,
    ReadBlocks,
    estimate,
    find_inputs,
    name_inputs,
)
from pipelines import job

VERB = "corpus"


@dataclasses.dataclass(frozen=True)
class Options:
    """Builds a corpus: decodes, normalises, identifies, scores and embeds web pairs.

    Rows that cannot be used go to _rejects/ with a reason; nothing is dropped for its quality.
    A job that was stopped continues where it was; input files may be added to a finished one.

    Attributes:
        input: What to read: a glob or folder of .tar (img2dataset) or .parquet, or a .csv or
            .jsonl that names picture files.
        output: Directory to fill.
        models: Model set: paper, embedded, or a TOML file.
        precision: auto, fp32, bf16 or fp16; auto takes what pays on this device.
        device: cpu or cuda.
        min_side: Shorter side, in pixels, below which a picture is rejected.
        max_side: Longer side, in pixels, to which larger pictures are shrunk.
        block_rows: Rows a block, the unit that a restart redoes at most; 2048 on a cluster.
        image_column: Column with the image bytes or file names, where its name is unusual.
        caption_column: Column with the caption, where its name is unusual.
        url_column: Column with the URL, where its name is unusual.
        max_reject_rate: Share of rejects above which the job fails, after all is written.
        overwrite: Replace an output of other options.
        plan: Print what would be done, and stop.
    """

    input: str
    output: str
    models: str = "paper"
    precision: str = "auto"
    device: str = "cpu"
    min_side: int = 64
    max_side: int = 1024
    block_rows: int = 256
    image_column: str = ""
    caption_column: str = ""
    url_column: str = ""
    max_reject_rate: float = 0.5
    overwrite: bool = False
    plan: bool = False


def _inputs(options: Options, columns: formats.Columns) -> list[Input]:
    """The input files, named as a former run of this output named them, with its blocks done."""
    former = None if options.overwrite else shards.read_job(options.output)
    names = {path: name for name, path in former["paths"].items()} if former else {}
    inputs = name_inputs(find_inputs(options.input), names)
    formats.check_columns([one.path for one in inputs], columns)
    done: dict[str, list[int]] = {}
    for part in shards.list_parts(options.output, shards.REJECTS) if former else ():
        stem, index = shards.stem_and_index(part)
        done.setdefault(stem, []).append(index)
    return [dataclasses.replace(one, done=tuple(sorted(done.get(one.stem, [])))) for one in inputs]


def _check(options: Options) -> None:
    """Raises UsageError for a value that makes no sense."""
    if options.block_rows < 1:
        raise UsageError(f"--block-rows {options.block_rows}: at least 1")
    if not 1 <= options.min_side <= options.max_side:
        raise UsageError(
            f"--min-side {options.min_side} and --max-side {options.max_side}: "
            "at least 1, and the first not above the second"
        )
    if not 0 <= options.max_reject_rate <= 1:
        raise UsageError(f"--max-reject-rate {options.max_reject_rate}: from 0 to 1")
    check_device(options.device)


def plan(options: Options) -> job.Plan:
    """One phase: read, measure, write, finish.

    Raises:
      UsageError: nothing to read, columns or weights that are not there, an unknown precision.
    """
    _check(options)
    columns = formats.Columns(options.image_column, options.caption_column, options.url_column)
    inputs = _inputs(options, columns)
    models = model_set.load_set(options.models)
    files = models.hashes()  # of the networks that measure a corpus; fetches what is missing
    precision = resolve_precision(options.precision, options.device)
    # The name of a shipped set, or a path that workers elsewhere in the tree find too.
    name = options.models if models.path.stem == options.models else str(models.path)
    setup = Setup(name, precision, options.device)
    parts, rows = estimate(inputs, options.block_rows)
    limits = images.Limits(min_side=options.min_side, max_side=options.max_side)

    def build(root: beam.Pipeline) -> None:
        pairs = root | ReadBlocks(inputs, options.output, columns, options.block_rows)
        measured = pairs | Measure(setup, limits)  # one decode: image, scores, vectors
        written = measured | WriteBlocks(options.output)
        written | Finish(options.output, VERB, ("images",))

    settings = job.settings_of(
        options,
        models=name,
        precision=precision,
        weights=files,
        records=schema.versions(schema.Image, schema.Score, schema.RejectRow),
    )
    return job.Plan(
        settings=settings,
        inputs={one.name: one.size for one in inputs},
        paths={one.name: one.path for one in inputs},
        phases=[job.Phase(VERB, [options.output], build, parts=parts, rows=rows)],
        grows=True,
        size=sum(one.size for one in inputs),
    )


def main(argv: list[str] | None = None) -> int:
    """The verb `corpus`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
