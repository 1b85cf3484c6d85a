"""Text-to-image examples of paintings: a WikiArt-like folder, or ArtGAN's lists of it."""

import dataclasses
import functools
import sys

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data import images
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.stages.art import ROLES, STAGE, art_block
from instruct_imagen_data.stages.derived import DeriveBlocks, DerivedBlock, load
from instruct_imagen_data.stages.opened import ReadGroups, parts_of
from pipelines import derivation, job

VERB = "art"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(derivation.FolderOptions):
    """Makes text-to-image examples of paintings, whose captions name style and artist.

    They land in OUTPUT/wikiart. Whole artists are held out as validation, before anything is made.

    Attributes:
        art: Folder of paintings: STYLE/ARTIST_TITLE.jpg as WikiArt has them, ArtGAN's style_*.csv
            lists of such files, or any folder whose metadata.jsonl states file_name, style, artist
            and title. A caption is its `text`, a .txt beside the picture, the
            model set's captioner's, or else the title.
        art_licence: Licence of the paintings, where the folder states none.
        validation_share: Share of the artists that are held out.
        min_check: Cosine of the target and its caption below which a row is rejected.
    """

    art: str
    art_licence: str = ""
    validation_share: float = 0.05
    min_check: float = 0.0


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs."""
    return ROLES


def plan(options: Options) -> job.Plan:
    """One phase: open the folder's pictures, look at them, write the dataset, finish it.

    Raises:
      UsageError: no such folder, or a value that makes no sense.
    """
    share = ("validation_share", options.validation_share)
    source = Source("paintings", options.art, options.art_licence, (share,))
    made = derivation.resolve(VERB, options, ROLES, captions=True)
    limits = images.Limits(min_side=options.min_side)
    function = functools.partial(art_block, terms=made.terms, limits=limits, side=options.size)

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        opened = root | ReadGroups(source, options.output, made.datasets, STAGE, 0.0)
        return opened | DeriveBlocks(STAGE, functools.partial(load, made.setup), function)

    return made.plan(build, parts_of(source), source.settings())


def main(argv: list[str] | None = None) -> int:
    """The verb `art`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
