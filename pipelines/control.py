"""Depth, mask and edge examples of a corpus' kept pictures, in one pass over them."""

import dataclasses
import functools
import sys

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data.stages import control
from instruct_imagen_data.stages.control import STAGE, control_block
from instruct_imagen_data.stages.derived import DeriveBlocks, DerivedBlock, load
from instruct_imagen_data.stages.kept import ReadKept, open_corpus
from pipelines import derivation, job

VERB = "control"
DATASETS = ("depth_webli", "mask_webli", "edge_webli")
ROLES = {name: control.ROLES[name] for name in DATASETS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(derivation.Options):
    """Makes control examples: a picture, its caption, and its depth map, object mask or edges.

    Each lands in OUTPUT/depth_webli, OUTPUT/mask_webli and OUTPUT/edge_webli, with _rejects/ of its
    own. Only rows that `instruct-imagen neighbours` kept are used.

    Attributes:
        corpus: Directory that `instruct-imagen corpus` filled.
        neighbourhoods: What `instruct-imagen neighbours` made of the corpus; found beside it.
        only: Datasets to make, with commas between; all three by default.
        min_check: Agreement of the target with its condition, 0 to 1, below which a row is
            rejected.
    """

    corpus: str
    neighbourhoods: str = ""
    only: str = ""
    min_check: float = 0.5


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs."""
    return ROLES


def plan(options: Options) -> job.Plan:
    """One phase: read what was kept, look at it, write the datasets, finish them.

    Raises:
      UsageError: no finished corpus or verdicts, or a value that makes no sense.
    """
    corpus = open_corpus(options.corpus, options.neighbourhoods)
    wanted = derivation.chosen(options.only, ROLES)
    made = derivation.resolve(VERB, options, wanted, corpus.models)
    function = functools.partial(control_block, terms=made.terms, side=options.size)

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        kept = root | ReadKept(corpus, options.output, made.datasets, STAGE)
        return kept | DeriveBlocks(STAGE, functools.partial(load, made.setup), function)

    return made.plan(build, corpus.parts, corpus.settings())


def main(argv: list[str] | None = None) -> int:
    """The verb `control`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
