"""Face examples: pictures of one person by CelebA's identities, of which one is the target."""

import dataclasses
import functools
import sys
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data import command_line, images
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.stages import subject
from instruct_imagen_data.stages.derived import DeriveBlocks, DerivedBlock, load
from instruct_imagen_data.stages.opened import ReadGroups, parts_of
from pipelines import derivation, job

VERB = "face"
DATASETS = ("celeba", "celeba_hq")  # each has an option of its name: its folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(derivation.FolderOptions):
    """Makes face examples, OUTPUT/celeba and OUTPUT/celeba_hq: pictures of one person.

    One picture is the target, the others are references. Off unless you state that you have the
    rights: the sets are for non-commercial research, and the people in them were not asked.

    Attributes:
        celeba: Folder with CelebA's pictures and identity_CelebA.txt. Captions come from a .txt
            beside a picture, are made of list_attr_celeba.txt, are the model set's captioner's, or
            "a photo of a person".
        celeba_hq: Folder with CelebA-HQ's pictures, CelebA-HQ-to-CelebA-mapping.txt and
            identity_CelebA.txt.
        i_have_the_rights: State that you may use these pictures of people.
        only: Datasets to make, with commas between; those with a folder by default.
        celeba_licence: Licence of the pictures of both folders.
        min_group: Pictures that an identity must have, once near-copies are gone.
        max_group: Pictures that are used of an identity.
        targets: Examples of each identity, every one with another target.
        min_check: Cosine of the target and its references, or of the target and its caption, below
            which a row is rejected.
    """

    celeba: str = ""
    celeba_hq: str = ""
    i_have_the_rights: bool = False
    only: str = ""
    celeba_licence: str = "CelebA, non-commercial research only"
    min_group: int = 2
    max_group: int = 10
    targets: int = 10
    min_check: float = 0.0


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs."""
    return dict.fromkeys(DATASETS, subject.ROLES)


def datasets(options: Options) -> list[str]:
    """The datasets that are wanted: those of --only, or else those whose folder is named."""
    wanted = derivation.chosen(options.only, roles(options))
    named = [name for name in wanted if getattr(options, name)]
    return list(wanted) if options.only.strip() else named


def plan(options: Options) -> job.Plan:
    """One phase for one dataset: open its folder's pictures, look at them, write, finish.

    Raises:
      UsageError: the rights are not stated, no folder, or a value that makes no sense.
    """
    (dataset,) = datasets(options)
    folder = getattr(options, dataset)
    if not options.i_have_the_rights:
        raise UsageError(
            "faces are personal data: state by --i-have-the-rights that you may use these pictures"
        )
    if not folder:
        raise UsageError(f"{dataset}: name its folder by {command_line.flag(dataset)}")
    if not 2 <= options.min_group <= options.max_group or options.targets < 1:
        raise UsageError(
            f"--min-group {options.min_group}, --max-group {options.max_group} and --targets "
            f"{options.targets}: at least 2 pictures, and one target"
        )
    source = Source(dataset, folder, options.celeba_licence)
    made = derivation.resolve(VERB, options, {dataset: subject.ROLES}, captions=True)
    limits = images.Limits(min_side=options.min_side)
    rules = subject.Rules(
        options.min_group, options.max_group, options.targets, made.models.duplicates
    )
    recipe = subject.Recipe(dataset, VERB, rules, made.terms, options.size)
    function = functools.partial(subject.folder_block, recipe=recipe, limits=limits)

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        share = options.validation_share
        opened = root | ReadGroups(source, options.output, made.datasets, VERB, share)
        return opened | DeriveBlocks(VERB, functools.partial(load, made.setup), function)

    settings = {**source.settings(), "rules": dataclasses.asdict(rules)}
    return made.plan(build, parts_of(source), settings)


def execute(options: Options, flags: Sequence[str]) -> None:
    """Makes each dataset that is wanted, one after the other.

    Raises:
      UsageError: none is wanted, or what a plan says.
    """
    wanted = datasets(options)
    if not wanted:
        raise UsageError("name a folder by --celeba, or by --celeba-hq")
    each = [dataclasses.replace(options, only=name) for name in wanted]
    plans = [plan(one) for one in each]  # all of them, before the first is carried out
    for one, made in zip(each, plans, strict=True):
        job.carry_out(VERB, one, made, flags)


def main(argv: list[str] | None = None) -> int:
    """The verb `face`."""
    return job.run(VERB, Options, execute, argv)


if __name__ == "__main__":
    sys.exit(main())
