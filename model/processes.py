"""The processes of a run: one a GPU under torchrun, or one alone, which is world size 1."""

import contextlib
import dataclasses
import datetime
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TypeVar

import torch
from torch import distributed

from instruct_imagen_data.errors import UsageError

T = TypeVar("T")
_PATIENCE = datetime.timedelta(hours=1)  # while rank 0 writes a large checkpoint, the others wait


@dataclasses.dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of the run.

    Attributes:
      rank: Its number, from 0.
      world: How many there are.
      device: What it computes on.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def any(self, *flags: bool) -> list[bool]:
        """Of each flag, whether it is set in any process."""
        if self.world == 1:
            return list(flags)
        told = torch.tensor(flags, dtype=torch.int32, device=self.device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return [bool(one) for one in told.tolist()]

    def gather(self, value: T) -> list[T]:
        """The value of each process, by rank."""
        if self.world == 1:
            return [value]
        found: list[T] = [value] * self.world
        distributed.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Returns when all processes are here."""
        if self.world > 1:
            self.any(False)


@contextlib.contextmanager
def join() -> Iterator[Ranks]:
    """The processes that torchrun started, or this one alone; they part when the body ends."""
    cuda = torch.cuda.is_available()
    if "LOCAL_RANK" not in os.environ:
        yield Ranks(0, 1, torch.device("cuda", 0) if cuda else torch.device("cpu"))
        return
    place = int(os.environ["LOCAL_RANK"])
    if cuda and place >= torch.cuda.device_count():
        raise UsageError(f"process {place} has no GPU: start {torch.cuda.device_count()} a machine")
    device = torch.device("cuda", place) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


@dataclasses.dataclass(slots=True)
class Asked:
    """Whether this process was asked to end."""

    to_stop: bool = False


@contextlib.contextmanager
def terminable() -> Iterator[Asked]:
    """SIGTERM is noted instead of obeyed while the body runs, which ends when it can."""
    asked = Asked()

    def note(number: int, frame: FrameType | None) -> None:
        asked.to_stop = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
