"""A mixture as people read it: a table, and what to do where a dataset is replayed too often."""

from collections.abc import Mapping

from instruct_imagen_data import tasks
from instruct_imagen_data.mixture.cycle import CYCLE, cycle_of
from instruct_imagen_data.mixture.shares import Mixture, too_few

MAX_REPLAY = 50.0  # above it, a dataset is learnt by heart (the paper's own go up to 270)


def table(found: Mixture, left: Mapping[str, str], draws: int | None) -> list[str]:
    """Lines that say of each dataset what it has of the mixture, or why it is not in it.

    Args:
      left: Dataset to reason of those that are not.
      draws: Those of a training run, where told.
    """
    shares = {one.dataset: one for one in found}
    replay = f"   replayed in {draws:,} draws" if draws else ""
    lines = [f"  {'dataset':<16}{'training rows':>14}   ratio{replay}"]
    for name in tasks.DATASETS:
        if name in shares:
            one = shares[name]
            times = f"{one.replay(draws):>11,.1f} times" if draws else ""
            lines.append(f"  {name:<16}{one.rows:>14,}  {one.ratio:.4f}{times}")
        elif name in left:
            lines.append(f"  {name:<16}  left out: {left[name]}")
    return lines


def warnings(found: Mixture, draws: int | None, most: float | None) -> list[str]:
    """Lines that say what is wrong with a mixture, and what to do.

    Args:
      draws: Those of a training run, where told.
      most: The cap on replay that was asked for.
    """
    cycle = cycle_of(found)
    never = [name for name in cycle.datasets if not cycle.count(name, CYCLE)]
    lines = []
    if never:
        lines.append(f"{', '.join(never)}: less than one of {CYCLE:,} draws, so never drawn")
    if draws is None:
        return lines
    if most is not None and too_few(found, draws, most):
        rows = sum(one.rows for one in found)
        lines.append(
            f"{rows:,} rows in all are too few for {draws:,} draws at --max-replay {most:g}: each "
            f"is replayed {draws / rows:,.1f} times; derive more, or lower --total-examples"
        )
        return lines
    often = [one.dataset for one in found if one.replay(draws) > MAX_REPLAY * (1 + 1e-9)]
    if often:
        lines.append(
            f"{', '.join(often)}: replayed more than {MAX_REPLAY:g} times in {draws:,} draws, so "
            "that rows may be learnt by heart: derive more, lower --total-examples, or give their "
            f"share to others by --max-replay {MAX_REPLAY:g}"
        )
    return lines
