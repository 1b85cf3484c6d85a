"""Styled generation examples: a caption painted in the style of a picture."""

import dataclasses
import sys

from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.stages.restyle import ROLES, STYLED, roles_of
from pipelines import derivation, job, restyled

VERB = "styled"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(restyled.Options):
    """Makes styled generation examples, OUTPUT/styled: a style, and a caption painted in it.

    The picture is the caption's own, restyled: a departure from the paper, which tunes a StyleDrop
    model for each style. Where the model set has a styler, that paints the caption instead. Results
    that no longer show their caption, or repeat the painting, are rejected.

    Attributes:
        per_style: Contents that each style is put on, drawn by hash; half will be dropped.
        style_share: Share of each style's results that is kept: those most like the style.
    """

    per_style: int = 24
    style_share: float = 0.5


def roles(options: Options) -> derivation.Roles:
    """Dataset to the networks it needs."""
    if not options.models:  # the corpus' own are not known yet
        return {STYLED: ROLES}
    return {STYLED: roles_of(STYLED, model_set.load_set(options.models).roles)}


def plan(options: Options) -> job.Plan:
    """See `restyled.plan`."""
    return restyled.plan(options, VERB, STYLED)


def main(argv: list[str] | None = None) -> int:
    """The verb `styled`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
