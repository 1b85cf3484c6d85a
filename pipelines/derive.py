"""All datasets of stage 2 that the inputs allow, by one command: the jobs one after the other.

Each job is planned, and its outputs are compared with what is asked, before the first one runs.
"""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from instruct_imagen_data import command_line, shards, storage, tasks
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.errors import TooManyRejects
from instruct_imagen_data.stages.kept import open_corpus
from pipelines import (
    art,
    control,
    derivation,
    face,
    job,
    natural,
    sketch,
    style_transfer,
    styled,
    subject,
)

VERB = "derive"


@dataclasses.dataclass(frozen=True)
class Job:
    """A job that derives datasets.

    Attributes:
      module: With VERB, Options, plan, and `roles`, which gives dataset -> networks it needs for
        some options. Options that this verb has under the same name are handed on.
      needs: Options without which the job is skipped.
      datasets: Those of the module's that the job makes; all by default.
    """

    module: ModuleType
    needs: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    def roles(self, options: Any) -> derivation.Roles:
        """Dataset to the networks it needs."""
        found = self.module.roles(options)
        return {name: found[name] for name in self.datasets or found}


JOBS = (  # in the order of Table 1; a dataset is in one job
    Job(natural),
    Job(art, needs=("art",)),
    Job(control),
    Job(sketch),
    Job(subject),
    Job(face, needs=("celeba", "i_have_the_rights"), datasets=("celeba",)),
    Job(face, needs=("celeba_hq", "i_have_the_rights"), datasets=("celeba_hq",)),
    Job(styled, needs=("art",)),
    Job(style_transfer, needs=("art",)),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Makes every dataset of stage 2 that its inputs allow; says what it skips, and why.

    Each lands in OUTPUT/DATASET. Only rows that `instruct-imagen neighbours` kept are used.

    Attributes:
        corpus: Directory that `instruct-imagen corpus` filled.
        output: Directory that holds a folder a dataset.
        neighbourhoods: What `instruct-imagen neighbours` made of the corpus; found beside it.
        models: Model set; the corpus' own by default. What it has no network for is skipped.
        art: Folder of paintings, for wikiart, styled and style_transfer; see `instruct-imagen art
            --help`.
        per_style: Pictures that each painting's style is put on; by default each job's own.
        sketches: Folder of photos and drawings, for sketch2image; without it, the contour network
            draws the corpus' pictures.
        subjects: Folder of a folder per subject, for suti; without it, subjects are looked for on
            the corpus' pages.
        page_column: Column of the corpus' input that names the page of a picture.
        celeba: Folder of CelebA, for celeba;
        celeba_hq: and of CelebA-HQ, for celeba_hq.
        i_have_the_rights: State that you may use these pictures of people.
        targets: Examples of each subject and person, every one with another target; by default
            each job's own.
        art_licence: Licence of the paintings, where the folder states none;
        sketches_licence: of the photos and drawings;
        subjects_licence: of the subjects;
        celeba_licence: of the faces.
        only: Datasets to make, with commas between; all by default.
        size: Shorter side of targets, in pixels.
        validation_share: Share of a folder's groups (artists, subjects, persons) that is held out;
            by default each job's own. That of the corpus is `instruct-imagen neighbours`'.
        min_check: Least value of a row's worst check, 0 to 1; by default each job's own.
        licences: all, or commercial: reject rows not known to allow commercial use.
        precision: auto, fp32, bf16 or fp16; auto takes what pays on this device.
        device: cpu or cuda.
        max_reject_rate: Share of rejects of a dataset above which the job fails, at its end.
        overwrite: Replace outputs of other options.
        plan: Print what would be done, and stop.
    """

    corpus: str
    output: str
    neighbourhoods: str = ""
    models: str = ""
    art: str = ""
    per_style: int | None = None
    sketches: str = ""
    subjects: str = ""
    page_column: str = ""
    celeba: str = ""
    celeba_hq: str = ""
    i_have_the_rights: bool = False
    targets: int | None = None
    art_licence: str = ""
    sketches_licence: str = ""
    subjects_licence: str = ""
    celeba_licence: str = "CelebA, non-commercial research only"
    only: str = ""
    size: int = 256
    validation_share: float | None = None
    min_check: float | None = None
    licences: str = "all"
    precision: str = "auto"
    device: str = "cpu"
    max_reject_rate: float = 1.0
    overwrite: bool = False
    plan: bool = False


def skipped(options: Options, models: model_set.ModelSet) -> dict[str, str]:
    """Dataset -> why it is not made, for those that are not."""
    roles = {name: needed for one in JOBS for name, needed in one.roles(options).items()}
    wanted = derivation.chosen(options.only, roles)
    reasons = {}
    for one in JOBS:
        lacking = [name for name in one.needs if not getattr(options, name)]
        for name, needed in one.roles(options).items():
            if name not in wanted:
                reasons[name] = "not in --only"
            elif lacking:
                reasons[name] = f"no {command_line.flag(lacking[0])}"
            elif reason := derivation.hindrance(models, needed, options.licences):
                reasons[name] = reason
    return reasons


def options_of(one: Job, options: Options, datasets: Sequence[str]) -> Any:
    """The options of a job, handed on from those of this verb."""
    given = dataclasses.asdict(options) | {"only": ",".join(datasets)}
    names = [field.name for field in dataclasses.fields(one.module.Options)]
    return one.module.Options(
        **{name: given[name] for name in names if given.get(name) is not None}
    )


def table(output: str, done: Mapping[str, Mapping[str, Any]], left: Mapping[str, str]) -> list[str]:
    """Lines that say of each dataset what it holds, or why it is not made.

    Args:
      done: Directory to manifest of the datasets made by this run.
      left: Dataset to reason of the others.
    """
    lines = []
    for name in tasks.DATASETS:
        manifest = done.get(storage.join(output, name))
        if manifest is not None:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in manifest["reasons"].items())
            lines.append(
                f"  {name:<16}{manifest['rows'][name]:>10,} rows, rejected: {reasons or 0}"
            )
        elif name in left:
            there = storage.exists(storage.join(output, name, shards.MANIFEST))
            lines.append(f"  {name:<16}  skipped: {left[name]}{', is there' if there else ''}")
    return lines


def execute(options: Options, flags: Sequence[str]) -> None:
    """Plans all jobs, runs them, and prints the table.

    Raises:
      UsageError: what a job's plan says, or an output that holds another job.
      TooManyRejects: from the first job that has too many, once all have run.
    """
    corpus = open_corpus(options.corpus, options.neighbourhoods)
    options = dataclasses.replace(options, models=options.models or corpus.models)
    left = skipped(options, model_set.load_set(options.models))
    planned = []
    for one in JOBS:
        datasets = [name for name in one.roles(options) if name not in left]
        if datasets:
            own = options_of(one, options, datasets)
            plan = one.module.plan(own)
            job.check(one.module.VERB, own, plan)
            planned.append((one.module.VERB, own, plan))
    done: dict[str, dict[str, Any]] = {}
    excess: list[TooManyRejects] = []
    for verb, own, plan in planned:
        print(f"{verb}:")
        try:
            done |= job.carry_out(verb, own, plan, flags)
        except TooManyRejects as error:
            excess.append(error)
            done |= {folder: shards.require_finished(folder, verb) for folder in plan.outputs}
    print(f"{options.output}:")
    print("\n".join(table(options.output, done, left)))
    if excess:
        raise excess[0]


def main(argv: Sequence[str] | None = None) -> int:
    """The verb `derive`."""
    return job.run(VERB, Options, execute, argv)


if __name__ == "__main__":
    sys.exit(main())
