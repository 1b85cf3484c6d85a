"""Text-to-image examples: the kept, captioned pictures of a corpus."""

import dataclasses
import functools
import sys

import apache_beam as beam
from apache_beam.pvalue import PCollection

from instruct_imagen_data.stages.derived import DeriveBlocks, DerivedBlock, load
from instruct_imagen_data.stages.kept import ReadKept, open_corpus
from instruct_imagen_data.stages.natural import ROLES, STAGE, natural_block
from pipelines import derivation, job

VERB = "natural"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(derivation.Options):
    """Makes text-to-image examples of a corpus' kept pictures: OUTPUT/natural.

    Only rows that `instruct-imagen neighbours` kept are used: good, captioned, no copies.

    Attributes:
        corpus: Directory that `instruct-imagen corpus` filled.
        neighbourhoods: What `instruct-imagen neighbours` made of the corpus; found beside it.
        min_check: Cosine of the target and its caption below which a row is rejected; neighbours
            has already refused what does not match.
    """

    corpus: str
    neighbourhoods: str = ""
    min_check: float = 0.0


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs."""
    return ROLES


def plan(options: Options) -> job.Plan:
    """One phase: read what was kept, look at it, write the dataset, finish it.

    Raises:
      UsageError: no finished corpus or verdicts, or a value that makes no sense.
    """
    corpus = open_corpus(options.corpus, options.neighbourhoods)
    made = derivation.resolve(VERB, options, ROLES, corpus.models)
    function = functools.partial(natural_block, terms=made.terms, side=options.size)

    def build(root: beam.Pipeline) -> PCollection[DerivedBlock]:
        kept = root | ReadKept(corpus, options.output, made.datasets, STAGE)
        return kept | DeriveBlocks(STAGE, functools.partial(load, made.setup), function)

    return made.plan(build, corpus.parts, corpus.settings())


def main(argv: list[str] | None = None) -> int:
    """The verb `natural`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
