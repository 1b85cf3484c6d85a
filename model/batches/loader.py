"""Endless batches from any sample on, made by this process or by loader processes.

Rank r of w takes the samples n with n mod w = r, and its worker k of v every v-th of these; as both
divide the lanes, a lane's rows are read by one process. Which samples there are does not depend on
it, and to start at sample n is to start counting there.

Memory of a process: 4 bytes a row of the split, `cache_mb` of row groups and one group, and in this
one 2 batches of samples that wait (size * size * 3 bytes a picture), besides the one that is made.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from instruct_imagen_data.errors import UsageError
from model.batches import collate
from model.batches.plan import Plan, make_plan
from model.batches.records import BadRow, Batch, DataConfig, Sample
from model.batches.samples import Samples, too_many

_AHEAD = 2  # batches that loader processes make in advance


def stream(
    config: DataConfig, *, start: int = 0, rank: int = 0, world: int = 1, made: Plan | None = None
) -> Iterator[Batch]:
    """Batches of this rank, without end, from a global sample on.

    In each round the ranks' batches together are the next world * batch_size samples; of those of
    a rank, each batch is in ascending order.

    Args:
      start: Samples before it were seen.
      made: A plan of the same rows and order, where one is at hand.

    Raises:
      UsageError: see `make_plan`; ranks and workers that do not divide the lanes; at a batch: a
        part that is damaged, or too many bad rows.
    """
    if not 0 <= rank < world or start < 0:
        raise ValueError(f"rank {rank} of {world} from {start}")
    readers = world * max(1, config.workers)
    if config.lanes % readers:
        raise UsageError(
            f"{world} processes with {max(1, config.workers)} loaders each do not divide "
            f"{config.lanes} lanes: choose numbers whose product does (or lanes, for a new run)"
        )
    plan = make_plan(config) if made is None else made.of(config)
    return _batches(_EverySample(plan, start, rank, world), config)


def _batches(every: "_EverySample", config: DataConfig) -> Iterator[Batch]:
    # Spawned: clients of object stores do not survive a fork. Samples, not batches, come from the
    # loader processes, in turn: so their number changes nothing.
    workers = config.workers
    loader: DataLoader[Sample | str] = DataLoader(
        every,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=max(2, -(-_AHEAD * config.batch_size // workers)) if workers else None,
    )
    bad: dict[tuple[str, int], BadRow] = {}
    samples: list[Sample] = []
    for one in loader:
        if isinstance(one, str):
            raise UsageError(one)
        bad.update({(row.path, row.row): row for row in one.bad})
        if len(bad) > config.max_bad_rows:
            raise too_many([*bad.values()], config.max_bad_rows)
        samples.append(one)
        if len(samples) == config.batch_size:
            yield collate.batch_of(samples, config, len(bad))
            samples = []


class _EverySample(IterableDataset[Sample | str]):
    """The samples of a rank; in a loader process, those that are its turn.

    An error that the caller can put right comes as its text: an exception would arrive wrapped in
    the traceback of another process.
    """

    def __init__(self, made: Plan, start: int, rank: int, world: int) -> None:
        self._plan, self._start, self._rank, self._world = made, start, rank, world

    def __iter__(self) -> Iterator[Sample | str]:
        info = get_worker_info()
        return self.of_worker(info.id, info.num_workers) if info else self.of_worker(0, 1)

    def of_worker(self, worker: int, workers: int) -> Iterator[Sample | str]:
        """Every `workers`-th sample of the rank from its number `worker` on."""
        samples = Samples(self._plan)
        first = self._start + (self._rank - self._start) % self._world
        for index in itertools.count(first + worker * self._world, workers * self._world):
            try:
                yield samples.sample(index)
            except UsageError as error:
                yield str(error)
                return


def _as_it_is(sample: Any) -> Any:
    return sample
