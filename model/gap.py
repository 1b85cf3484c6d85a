"""The context gap: how much worse the network does with another row's references, or with none.

A falling loss proves nothing about the use of references: text and noisy picture alone bring most
of it. Here the same rows, noises and times are measured with their own references, with those of
another row of the same dataset and roles, and without. An average would hide a task that was not
learnt, so each dataset has its own numbers.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import nn

from instruct_imagen_data import instructions
from instruct_imagen_data.errors import UsageError
from model import diffusion
from model.batches import Batch, DataConfig, Sample, collate, validation
from model.diffusion import Frozen

TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
KINDS = ("right", "shuffled", "none")

Losses: TypeAlias = dict[str, float]  # of each of KINDS


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """Rows of one dataset, with their own references and with each other's."""

    dataset: str
    right: Batch
    shuffled: Batch


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """Mean losses of a dataset: over all times, and at each of TIMES."""

    losses: Losses
    by_time: Mapping[str, Losses]


def probes(config: DataConfig, rows: int, size: int = 16) -> list[Probe]:
    """What the gap is measured on: the validation split, nothing dropped.

    Args:
      config: Of the training data.
      rows: Rows of each dataset, at most.
      size: Rows of a batch, at most.

    Raises:
      UsageError: no validation rows, or none with references that another row could lend.
    """
    plan = validation.plan_of(config)
    found = []
    for group in _alike(validation.first(plan, rows)):
        for first in range(0, len(group), size):
            own = [group[place] for place in range(first, min(first + size, len(group)))]
            lent = [_lender(group, place) for place in range(first, first + len(own))]
            swapped = [
                dataclasses.replace(one, references=other.references, texts=other.texts)
                for one, other in zip(own, lent, strict=True)
            ]
            batches = (collate.batch_of(some, plan.config) for some in (own, swapped))
            found.append(Probe(own[0].dataset, *batches))
    if not found:
        raise UsageError(
            f"{config.data}: no two rows of the validation split have references of the same "
            "roles, so the context gap cannot be measured; --output.gap-every 0 leaves it out"
        )
    return found


def _alike(samples: Iterator[Sample]) -> list[list[Sample]]:
    """Groups of at least two whose references can stand for each other: one dataset, the same
    roles under the same markers."""
    groups: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for one in samples:
        if one.references:
            markers = [str(sorted(instructions.markers(text))) for text in one.texts]
            groups[one.dataset, *one.roles, *markers].append(one)
    return [group for _, group in sorted(groups.items()) if len(group) > 1]


def _lender(group: Sequence[Sample], place: int) -> Sample:
    """The next that has no picture in common with the one at a place, as two of one subject have;
    the next, where all have."""
    others = (*group[place + 1 :], *group[:place])
    own = {*group[place].sources}
    return next((one for one in others if own.isdisjoint(one.sources)), others[0])


@torch.no_grad()
def measure(network: nn.Module, probed: Sequence[Probe], around: Frozen) -> dict[str, Gap]:
    """Dataset to its gap; the weights are those that the network has now (see `Ema.worn`)."""
    sums: dict[str, dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    rows: dict[str, int] = defaultdict(int)
    for probe in probed:
        alone = dataclasses.replace(
            probe.right, keep_context=torch.zeros_like(probe.right.keep_context)
        )
        rows[probe.dataset] += len(probe.right.keys)
        for kind, batch in zip(KINDS, (probe.right, probe.shuffled, alone), strict=True):
            for time in TIMES:
                at = dataclasses.replace(batch, time=torch.full_like(batch.time, time))
                losses = diffusion.loss(network, at, around)
                sums[probe.dataset][kind, str(time)] += float(losses.double().sum())
    return {dataset: _gap(found, rows[dataset]) for dataset, found in sorted(sums.items())}


def _gap(sums: Mapping[tuple[str, str], float], rows: int) -> Gap:
    by_time = {str(time): {kind: sums[kind, str(time)] / rows for kind in KINDS} for time in TIMES}
    means = {kind: sum(one[kind] for one in by_time.values()) / len(TIMES) for kind in KINDS}
    return Gap(means, by_time)
