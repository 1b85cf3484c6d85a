"""What the jobs `style-transfer` and `styled` share: pairs of styles and contents, restyled."""

import dataclasses
import functools

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data import command_line, images, storage
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.stages import carried, pairs
from instruct_imagen_data.stages.derived import DeriveBlocks, DerivedBlock, load
from instruct_imagen_data.stages.kept import open_corpus
from instruct_imagen_data.stages.restyle import Recipe, restyle_block, roles_of
from pipelines import derivation, job


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(derivation.FolderOptions):
    """What both jobs are told.

    Attributes:
        corpus: Directory that `instruct-imagen corpus` filled; its pictures are the contents.
        art: Folder of paintings, the styles; see `instruct-imagen art --help`.
        neighbourhoods: What `instruct-imagen neighbours` made of the corpus; found beside it.
        art_licence: Licence of the paintings, where the folder states none.
        per_style: Contents that each style is put on, drawn by hash.
        strength: Of the style, 0 to 1: style codes are mixed with the content's own.
        style_share: Share of each style's results that is kept: those most like the style.
        validation_share: Share of the artists that are held out.
    """

    corpus: str
    art: str
    neighbourhoods: str = ""
    art_licence: str = ""
    per_style: int = 12
    strength: float = 1.0
    style_share: float = 1.0
    validation_share: float = 0.05


def plan(options: Options, verb: str, dataset: str) -> job.Plan:
    """Two phases: draw the pairs; carry the contents to their styles, restyle, write, finish.

    Raises:
      UsageError: no finished corpus or verdicts, no paintings, or a value that makes no sense.
    """
    if options.per_style < 1:
        raise UsageError(f"--per-style {options.per_style}: at least 1")
    for name in ("strength", "style_share"):
        if not 0 <= getattr(options, name) <= 1:
            raise UsageError(f"{command_line.flag(name)} {getattr(options, name)}: from 0 to 1")
    corpus = open_corpus(options.corpus, options.neighbourhoods)
    models = options.models or corpus.models
    roles = roles_of(dataset, model_set.load_set(models).roles)
    if "style_transfer" not in roles and options.strength != 1:
        raise UsageError(
            f"--strength {options.strength}: the styler of model set {models} has none"
        )
    made = derivation.resolve(verb, options, {dataset: roles}, corpus.models)
    share = ("validation_share", options.validation_share)
    source = Source("paintings", options.art, options.art_licence, (share,))
    folder = storage.join(options.output, dataset, "_phases", "pairs")
    pairing = pairs.Pairing(corpus, source, dataset, options.per_style, folder)
    limits = images.Limits(min_side=options.min_side)
    recipe = Recipe(
        dataset, verb, made.models.filters, options.style_share, options.strength, made.terms,
        limits, options.size,
    )  # fmt: skip
    function = functools.partial(restyle_block, recipe=recipe)

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        contents = root | pairs.CarryContents(pairing, options.output, verb, options.size)
        return contents | DeriveBlocks(verb, functools.partial(load, made.setup), function)

    drawn = job.Phase("pairs", [folder], lambda root: root | pairs.DrawPairs(pairing))
    inputs = {name: len(part) * options.per_style for name, part in pairing.blocks().items()}
    settings = {
        **corpus.settings(), **source.settings(), "filters": dataclasses.asdict(recipe.filters),
    }  # fmt: skip
    return made.plan(build, inputs, settings, [drawn], [carried.runs_of(folder)])
