"""Subject examples: several pictures of one thing, of which one is the target."""

import dataclasses
import functools
import sys

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data import images, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.stages import carried, pages, subject
from instruct_imagen_data.stages.derived import DeriveBlocks, DerivedBlock, load
from instruct_imagen_data.stages.kept import open_corpus
from instruct_imagen_data.stages.opened import ReadGroups, parts_of
from pipelines import derivation, job

VERB = "subject"
DATASET = "suti"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(derivation.FolderOptions):
    """Makes subject examples, OUTPUT/suti: pictures of one thing, of which one is the target.

    With --subjects the folder says which pictures show one thing. Without it, and with --corpus,
    they are pictures of one page, or of one folder of a site, that look alike but not the same:
    the model set says how much. Only pictures that `instruct-imagen neighbours` kept are used.

    Attributes:
        subjects: Folder with a folder per subject, as DreamBooth's data set. A metadata.jsonl may
            state file_name, class_noun and text (a caption); a .txt beside a picture is a caption.
            A picture without one gets the model set's captioner's, or "a photo of a NOUN".
        corpus: Directory that `instruct-imagen corpus` filled.
        neighbourhoods: What `instruct-imagen neighbours` made of the corpus; found beside it.
        page_column: Column of the corpus' input that names the page of a picture; by default the
            folder of its URL.
        subjects_licence: Licence of the folder's pictures, where it states none.
        min_group: Pictures that a subject must have, once near-copies are gone.
        max_group: Pictures that are used of a subject; a page of more is no page of one thing.
        targets: Examples of each subject, every one with another target.
        min_check: Cosine of the target and its references, or of the target and its caption, below
            which a row is rejected.
    """

    subjects: str = ""
    corpus: str = ""
    neighbourhoods: str = ""
    page_column: str = ""
    subjects_licence: str = ""
    min_group: int = 3
    max_group: int = 10
    targets: int = 1
    min_check: float = 0.0


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs."""
    return {DATASET: subject.ROLES}


def plan(options: Options) -> job.Plan:
    """The subjects of a folder in one phase; those of a corpus in two: find the pages, use them.

    Raises:
      UsageError: neither a folder nor a corpus, or a value that makes no sense.
    """
    if not 2 <= options.min_group <= options.max_group or options.targets < 1:
        raise UsageError(
            f"--min-group {options.min_group}, --max-group {options.max_group} and --targets "
            f"{options.targets}: at least 2 pictures, and one target"
        )
    if options.subjects:
        return _of_folder(options)
    if options.corpus:
        return _of_corpus(options)
    raise UsageError("name a folder of subjects by --subjects, or a corpus by --corpus")


def _recipe(options: Options, made: derivation.Derivation, *, mined: bool) -> subject.Recipe:
    filters = made.models.filters
    rules = subject.Rules(
        options.min_group,
        options.max_group,
        options.targets,
        made.models.duplicates,
        (filters.subject_low, filters.subject_high) if mined else None,
    )
    return subject.Recipe(DATASET, VERB, rules, made.terms, options.size)


def _of_folder(options: Options) -> job.Plan:
    source = Source("subjects", options.subjects, options.subjects_licence)
    made = derivation.resolve(VERB, options, roles(options), captions=True)
    limits = images.Limits(min_side=options.min_side)
    recipe = _recipe(options, made, mined=False)
    function = functools.partial(subject.folder_block, recipe=recipe, limits=limits)

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        share = options.validation_share
        opened = root | ReadGroups(source, options.output, made.datasets, VERB, share)
        return opened | DeriveBlocks(VERB, functools.partial(load, made.setup), function)

    settings = {**source.settings(), "rules": dataclasses.asdict(recipe.rules)}
    return made.plan(build, parts_of(source), settings)


def _of_corpus(options: Options) -> job.Plan:
    corpus = open_corpus(options.corpus, options.neighbourhoods)
    made = derivation.resolve(VERB, options, roles(options), corpus.models)
    recipe = _recipe(options, made, mined=True)
    function = functools.partial(subject.page_block, recipe=recipe)
    column, folder = options.page_column, storage.join(options.output, DATASET, "_phases", "pages")
    find = pages.FindPages(corpus, column, folder, options.min_group, options.max_group)

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        carry = pages.CarryPages(
            corpus, column, folder, options.output, made.datasets, VERB, options.size
        )
        return root | carry | DeriveBlocks(VERB, functools.partial(load, made.setup), function)

    rows = sum(corpus.parts.values())
    phase = job.Phase("pages", [folder], lambda root: root | find)
    inputs = {**corpus.parts, **dict.fromkeys(pages.block_names(rows), 0)}
    settings = {**corpus.settings(), "rules": dataclasses.asdict(recipe.rules)}
    return made.plan(build, inputs, settings, [phase], [carried.runs_of(folder)])


def main(argv: list[str] | None = None) -> int:
    """The verb `subject`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
