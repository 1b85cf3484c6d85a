"""Style transfer examples: a content picture in the style of a painting."""

import dataclasses
import sys

from instruct_imagen_data.stages.restyle import ROLES, TRANSFER
from pipelines import derivation, job, restyled

VERB = "style-transfer"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(restyled.Options):
    """Makes style transfer examples, OUTPUT/style_transfer: a content in the style of a painting.

    Only pictures that `instruct-imagen neighbours` kept are contents; their captions are not used.
    A result that repeats the painting is rejected.
    """


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs."""
    return {TRANSFER: ROLES}


def plan(options: Options) -> job.Plan:
    """See `restyled.plan`."""
    return restyled.plan(options, VERB, TRANSFER)


def main(argv: list[str] | None = None) -> int:
    """The verb `style-transfer`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
