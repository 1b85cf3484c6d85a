"""Gradients of two processes: what each rank of a spawned pair runs."""

import dataclasses
import itertools
from pathlib import Path

import torch
import torch.distributed as dist
from helpers import networks
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from model import backbone, diffusion
from model.batches.records import Batch
from model.unet import InstructUNet

WORLD, ROWS = 2, 4
# (how it is wrapped, where context is read, whether rank 1 has no reference, checkpointing)
CASES = [
    *itertools.product(("ddp", "fsdp2"), ("bottleneck", "level"), (False, True), (False,)),
    ("fsdp2", "level", True, True),
]


def network(at: str) -> InstructUNet:
    tiny = backbone.preset("tiny")
    unet = dataclasses.replace(tiny.unet, at=at)  # type: ignore[arg-type]
    return networks.awaken(backbone.network(dataclasses.replace(tiny, unet=unet)))


def rows(batch: Batch, start: int, stop: int) -> Batch:
    """Some rows of a batch of one reference a row."""
    given = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    cut = {name: one[start:stop] for name, one in given.items() if name != "bad_rows"}
    cut["context_index"] = cut["context_index"] - torch.tensor([start, 0])
    return Batch(**cut)


def whole(one_without: bool) -> Batch:
    """The batch of all ranks; `one_without`: the last rank's rows have no reference."""
    batch = networks.batch(ROWS, references=1)
    keep = torch.ones(ROWS, dtype=torch.bool)
    keep[ROWS // WORLD :] = not one_without
    return dataclasses.replace(batch, keep_context=keep)


def gradients(unet: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
    """Of the mean loss, by name, gathered where they are sharded."""
    diffusion.loss(unet, batch, networks.around()).mean().backward()
    found = {}
    for name, weights in unet.named_parameters():
        grad = weights.grad
        assert grad is not None, name
        full = grad.full_tensor() if hasattr(grad, "full_tensor") else grad
        found[name.removeprefix("module.")] = full.clone()
    return found


def run(rank: int, folder: str) -> None:
    """All cases, one after the other; rank 0 writes the gradients of each."""
    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(folder) / "store"), WORLD)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=WORLD)
    share = ROWS // WORLD
    for number, (kind, at, one_without, checkpointing) in enumerate(CASES):
        unet = network(at)
        unet.checkpointing = checkpointing
        wrapped: nn.Module = unet
        if kind == "ddp":
            wrapped = DistributedDataParallel(unet)
        else:
            mesh = init_device_mesh("cpu", (WORLD,))
            for module in unet.shards():
                fully_shard(module, mesh=mesh)
            fully_shard(unet, mesh=mesh)
        own = rows(whole(one_without), rank * share, (rank + 1) * share)
        found = gradients(wrapped, own)
        if rank == 0:
            torch.save(found, Path(folder) / f"{number}.pt")
    dist.destroy_process_group()
