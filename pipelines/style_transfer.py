"""Style transfer examples: a content picture in the style of a painting."""

import dataclasses
import sys

from instruct_imagen_data.stages.restyle import ROLES, TRANSFER
from pipelines import derivation, job, restyled

VERB = "style-transfer"


@dataclasses.dataclass(frozen=True)
class Options(restyled.Options):
    __doc__ = (restyled.Options.__doc__ or "").replace(
        "Options of both jobs.",
        "Makes style transfer examples, OUTPUT/style_transfer: a painting, a picture, and the "
        "picture in the painting's style.\n\n    Only pictures that `instruct-imagen neighbours` "
        "kept are used; their captions are not. A result that\n    repeats the painting is "
        "rejected.",
    )


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
