"""Photos with drawings of them: from a folder that has both, or drawn from a corpus' pictures."""

import dataclasses
import functools
import sys

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data import images
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.stages import control, sketch
from instruct_imagen_data.stages.derived import DeriveBlocks, DerivedBlock, load
from instruct_imagen_data.stages.kept import ReadKept, open_corpus
from instruct_imagen_data.stages.opened import ReadGroups, parts_of
from pipelines import derivation, job

VERB = "sketch"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(derivation.FolderOptions):
    """Makes examples of a drawing, and the photo that it was drawn from: OUTPUT/sketch2image.

    With --sketches the drawings are those of a folder, made by people. Without it, and with
    --corpus, the model set's contour network draws what `instruct-imagen neighbours` kept.

    Attributes:
        sketches: Folder as the Photo-Sketching release has it: image/ID.jpg, with a caption in
            image/ID.txt or of the model set's captioner, sketch-rendered/width-5/ID_01.png, and
            list/train.txt, val.txt, test.txt.
        corpus: Directory that `instruct-imagen corpus` filled.
        neighbourhoods: What `instruct-imagen neighbours` made of the corpus; found beside it.
        sketches_licence: Licence of the folder's pictures, where it states none.
        min_check: Agreement of the drawing with the target's edges, or of the network's drawing of
            the target with the one that is stored, 0 to 1, below which a row is rejected.
    """

    sketches: str = ""
    corpus: str = ""
    neighbourhoods: str = ""
    sketches_licence: str = ""
    min_check: float = 0.1


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs: to look at drawings, or to draw."""
    return sketch.ROLES if options.sketches else {sketch.DATASET: control.ROLES[sketch.DATASET]}


def plan(options: Options) -> job.Plan:
    """One phase: read photos and drawings, or photos to draw; write the dataset, finish it.

    Raises:
      UsageError: neither a folder nor a corpus, or a value that makes no sense.
    """
    if options.sketches:
        return _of_folder(options)
    if options.corpus:
        return _of_corpus(options)
    raise UsageError("name a folder of photos and drawings by --sketches, or photos by --corpus")


def _of_folder(options: Options) -> job.Plan:
    source = Source("sketches", options.sketches, options.sketches_licence)
    made = derivation.resolve(VERB, options, roles(options), captions=True)
    limits = images.Limits(min_side=options.min_side)
    function = functools.partial(
        sketch.sketch_block, terms=made.terms, limits=limits, side=options.size
    )

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        share = options.validation_share
        opened = root | ReadGroups(source, options.output, made.datasets, VERB, share)
        return opened | DeriveBlocks(VERB, functools.partial(load, made.setup), function)

    return made.plan(build, parts_of(source), source.settings())


def _of_corpus(options: Options) -> job.Plan:
    corpus = open_corpus(options.corpus, options.neighbourhoods)
    made = derivation.resolve(VERB, options, roles(options), corpus.models)
    function = functools.partial(
        control.control_block, terms=made.terms, side=options.size, stage=VERB
    )

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        kept = root | ReadKept(corpus, options.output, made.datasets, VERB)
        return kept | DeriveBlocks(VERB, functools.partial(load, made.setup), function)

    return made.plan(build, corpus.parts, corpus.settings())


def main(argv: list[str] | None = None) -> int:
    """The verb `sketch`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
