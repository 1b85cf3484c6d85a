"""Rows of the validation split that are looked at again and again, always in one wording."""

import dataclasses
from collections.abc import Iterator

from model.batches.plan import Plan, make_plan
from model.batches.records import DataConfig, Sample
from model.batches.samples import Samples


def plan_of(config: DataConfig) -> Plan:
    """The plan of the validation split of what is trained on; nothing is dropped.

    Raises:
      UsageError: see `make_plan`.
    """
    return make_plan(
        dataclasses.replace(config, split="validation", drop_both=0.0, drop_context=0.0, workers=0)
    )


def first(plan: Plan, rows: int) -> Iterator[Sample]:
    """The first rows of each dataset in its drawn order, at most so many of each; each key once."""
    samples, seen = Samples(plan), set[tuple[str, str]]()
    left = {name: min(rows, one.order.rows) for name, one in plan.sources.items()}
    index = 0
    while any(left.values()):
        dataset = plan.lanes.dataset_at(index)
        if left[dataset]:
            left[dataset] -= 1
            one = samples.sample(index)
            if (dataset, one.key) not in seen:
                seen.add((dataset, one.key))
                yield one
        index += 1
