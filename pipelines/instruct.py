"""Derived examples in, and templates; instruction datasets and the mixture of them out."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import apache_beam as beam

from instruct_imagen_data import (
    card,
    command_line,
    mixture,
    schema,
    shards,
    storage,
    tasks,
    templates,
)
from instruct_imagen_data.errors import TooManyRejects, UsageError
from instruct_imagen_data.stages.finish import FinishDatasets
from instruct_imagen_data.stages.instruct import STAGE, InstructExamples, Source, open_examples
from pipelines import job

if TYPE_CHECKING:
    from pipelines.against import Against

VERB = STAGE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Turns derived examples into instructions, by reviewed templates: OUTPUT/DATASET.

    Rows of the validation split get templates of that split. OUTPUT/mixture.toml says how often
    each dataset is drawn: Table 1's ratios, where datasets that are not there leave their share to
    their category.

    Attributes:
        examples: Directory that `instruct-imagen derive` filled.
        output: Directory that holds a folder a dataset.
        templates: Folder of DATASET.toml; those that come with the project by default.
        against: Evaluation sets, as folders of pictures, tars or Parquet: training rows that hold a
            near-duplicate of one of their pictures are rejected.
        models: Model set whose image-text network compares pictures with them; that of the examples
            by default.
        device: cpu or cuda, for that network.
        only: Datasets to make, with commas between; all that are there by default.
        total_examples: Draws of a training run, for which replay is told and capped.
        max_replay: Most times that a row may be drawn in --total-examples: what a dataset has
            above that goes to the others of its category, then to all.
        max_reject_rate: Share of rejects of a dataset above which the job fails, at its end.
        overwrite: Replace outputs of other options.
        plan: Print what would be done, and stop.
    """

    examples: str
    output: str
    templates: str = ""
    against: tuple[str, ...] = ()
    models: str = ""
    device: str = "cpu"
    only: str = ""
    total_examples: int | None = None
    max_replay: float | None = None
    max_reject_rate: float = 0.1
    overwrite: bool = False
    plan: bool = False


def _check(options: Options) -> None:
    """Raises UsageError for a value that makes no sense."""
    if not 0 <= options.max_reject_rate <= 1:
        raise UsageError(f"--max-reject-rate {options.max_reject_rate}: from 0 to 1")
    if options.total_examples is not None and options.total_examples < 1:
        raise UsageError(f"--total-examples {options.total_examples}: at least 1")
    if options.max_replay is not None:
        if options.max_replay <= 0:
            raise UsageError(f"--max-replay {options.max_replay}: above 0")
        if options.total_examples is None:
            raise UsageError("--max-replay needs --total-examples: of how many draws?")
    if options.models and not options.against:
        raise UsageError("--models compares pictures with those of --against: name both")
    if storage.open_place(options.examples) == storage.open_place(options.output):
        raise UsageError(f"--output {options.output} is --examples: choose another")


def _wanted(options: Options) -> list[str]:
    return command_line.chosen("only", options.only, tasks.DATASETS)


def _templates_of(names: Sequence[str], folder: str) -> dict[str, templates.Templates]:
    """The templates of each dataset.

    Raises:
      UsageError: a file is not there, or holds what nobody reviewed.
    """
    found = {}
    for name in names:
        path = templates.path_of(name, folder)
        if not path.exists():
            raise UsageError(
                f"no templates for {name} at {path}: write and review some, or leave it out by "
                "--only"
            )
        found[name] = templates.read(path)
    return found


def _folders(options: Options, names: Sequence[str]) -> dict[str, str]:
    """Dataset -> its folder in the output.

    Raises:
      UsageError: one holds what another job wrote.
    """
    folders = {name: storage.join(options.output, name) for name in names}
    for folder in folders.values():
        former = shards.read_job(folder)
        if former is not None and former["job"] != VERB:  # examples must not be overwritten
            raise UsageError(
                f"{folder} was written by {former['job']!r}, not by {VERB!r}: choose another "
                "--output"
            )
    return folders


def _judged(options: Options, names: Sequence[str]) -> "Against | None":
    """Who looks at the pictures; None where nobody does."""
    if not options.against:
        return None
    from pipelines import against  # it imports torch

    models = options.models or against.models_of(options.examples, names)
    return against.plan(options.against, options.output, models, options.device)


def plan(options: Options) -> job.Plan:
    """Fill the templates, part by part, for all datasets; finish them.

    Where there are evaluation sets, their fingerprints are taken first.

    Raises:
      UsageError: examples that are not finished, templates that are missing or not reviewed, an
        output that holds something else, or an evaluation set that cannot be read.
    """
    _check(options)
    sources = open_examples(options.examples, _wanted(options))
    given = _templates_of(list(sources), options.templates)
    folders = _folders(options, list(sources))
    judged = _judged(options, list(sources))

    def build(root: beam.Pipeline) -> None:
        judge = judged.judge if judged else None
        steps = InstructExamples(options.examples, options.output, sources, given, judge)
        root | steps | FinishDatasets(options.output, VERB, tuple(sources))

    parts = {
        f"{one.dataset}/{part}": n for one in sources.values() for part, n in one.parts.items()
    }
    phase = job.Phase(
        VERB, list(folders.values()), build, parts=len(parts), rows=sum(parts.values()), apart=True
    )
    records = schema.versions(schema.Example, schema.RejectRow)
    settings = {"records": records, **(judged.settings if judged else {})}
    return job.Plan(
        settings=settings,
        inputs=parts,
        paths={},
        phases=[judged.phase, phase] if judged else [phase],
        size=sum(one.size for one in sources.values()),
        outputs={
            folder: _depends_on(sources[name], given[name]) for name, folder in folders.items()
        },
        inputs_of={folder: sources[name].parts for name, folder in folders.items()},
    )


def _depends_on(source: Source, given: templates.Templates) -> dict[str, Any]:
    """What a dataset is made of, beside the options; the card tells of it."""
    return {
        "dataset": source.dataset,
        "examples": source.digest,
        "derived": {"job": source.job, "settings": source.settings},
        "templates": {
            "sha256": given.sha256,
            "count": len(given.templates),
            "generators": sorted({one.generator for one in given.templates}),
            "reviewers": sorted(
                {f"{one.reviewed_by} ({one.reviewer_kind})" for one in given.templates}
            ),
        },
    }


def open_outputs(output: str) -> dict[str, int]:
    """Dataset to its training rows, for those in a folder that are finished, of former runs too."""
    found = {}
    for name in tasks.DATASETS:
        manifest = shards.read_json(storage.join(output, name), shards.MANIFEST)
        if manifest is not None and manifest["job"] == VERB:
            found[name] = int(manifest["splits"].get("train", 0))
    return found


def mix(options: Options) -> None:
    """Writes the mixture and the card of what is there, and prints the mixture.

    Raises:
      UsageError: there is no training row.
    """
    rows, draws, most = open_outputs(options.output), options.total_examples, options.max_replay
    found = mixture.of_rows(rows)
    if draws is not None and most is not None:
        found = mixture.capped(found, draws, most)
    place = storage.join(options.output, mixture.FILE)
    storage.write_bytes(place, mixture.write(found).encode())
    wanted = _wanted(options)
    left = {
        name: f"not in {options.examples}" if name in wanted else "not in --only"
        for name in tasks.DATASETS
    } | dict.fromkeys(rows, "no training row")
    card.write(options.output)
    print(f"{place}:")
    print("\n".join(mixture.table(found, left, draws)))
    for line in mixture.warnings(found, draws, most):
        print(f"{VERB}: {line}", file=sys.stderr)


def execute(options: Options, flags: Sequence[str]) -> None:
    """Makes the datasets, and then the mixture of them.

    Raises:
      UsageError: what the plan says, or outputs that hold another job.
      TooManyRejects: all is written, but a share of rejects is above the limit.
    """
    excess = None
    made = plan(options)
    try:
        job.carry_out(VERB, options, made, flags)
    except TooManyRejects as error:
        excess = error
    if not options.plan:
        if options.against:
            from pipelines import against

            print(against.told(options.output, made.settings["evaluation"]))
        mix(options)
    if excess is not None:
        raise excess


def main(argv: Sequence[str] | None = None) -> int:
    """The verb `instruct`."""
    return job.run(VERB, Options, execute, argv)


if __name__ == "__main__":
    sys.exit(main())
