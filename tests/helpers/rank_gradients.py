"""Gradients of one batch, as a process of several computes them; the first one writes them.

python rank_gradients.py CONFIG.toml DATA FOLDER ddp|fsdp, in an environment as torchrun makes it.
"""

import sys
from pathlib import Path

import torch

import pipelines  # noqa: F401  (one thread)
from model import batches, processes, tensors, train
from model.options import Options, config_of


def main(toml: str, data: str, folder: str, kind: str) -> None:
    changes = {"data.drop_context": 0.4, "compute.sharded": kind == "fsdp"}
    config = config_of(Options(toml, data, folder, 1, batch_size=2), changes)
    with processes.join() as ranks:
        learner, around = train.build(config, ranks, None)
        forward = train.spread(learner.network, config, ranks)
        given, pieces = train.data_of(config, learner.backbone, around, ranks)
        stream = batches.stream(given, start=4, rank=ranks.rank, world=ranks.world)
        batch = [next(stream) for _ in range(pieces)]
        train.backward(forward, batch, around, config, ranks)
        kept = ranks.gather([bool(one) for piece in batch for one in piece.keep_context])
        gradients = {}
        for name, weight in learner.network.named_parameters():
            assert weight.grad is not None, name
            gradients[name] = weight.grad
        place = Path(folder) / f"{kind}-{ranks.world}"
        tensors.write(f"{place}.safetensors", gradients, here=ranks.first)
        if ranks.first:
            torch.save(kept, f"{place}.kept")


if __name__ == "__main__":
    main(*sys.argv[1:])
