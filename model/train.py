"""Trains the network, in any stage: read `train` from top to bottom.

instruct-imagen train --config tiny --stage 1 --data neighbourhoods --run-dir runs/one
torchrun --nproc-per-node 8 -m model.train --config paper --stage 2 --data train ...

Everything random is drawn from (seed, global sample index), never from a process or a step; so a
run that was stopped goes on as if it had not been, and more processes see the same samples.
"""

import contextlib
import dataclasses
import functools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from instruct_imagen_data import command_line
from instruct_imagen_data.errors import UsageError
from model import backbone as backbones
from model import batches, checkpoint, diffusion, ema, gap, grids, logs, optimizers, processes
from model.backbone import Backbone
from model.batches import Batch, DataConfig, Sample
from model.checkpoint import Learner, TrainState
from model.config import TrainConfig
from model.diffusion import Frozen
from model.options import Options, config_of, split_dotted
from model.processes import Ranks


def train(config: TrainConfig) -> TrainState:
    """Runs until the last example, or until SIGTERM; how far it came.

    Raises:
      UsageError: options or data that cannot be used, a changed option, a loss that is no number.
    """
    with processes.join() as ranks, processes.terminable() as asked:
        # Build, then continue from the latest checkpoint, if there is one.
        found = checkpoint.latest(config.run_dir)
        learner, around = build(config, ranks, found)
        state = checkpoint.restore(found, learner, config.options()) if found else TrainState()
        network, forward = learner.network, spread(learner.network, config, ranks)

        # The same samples in the same order, however many processes take them.
        data, pieces = data_of(config, learner.backbone, around, ranks)
        plan = batches.make_plan(data)
        place = {"start": state.examples, "rank": ranks.rank, "world": ranks.world}
        stream = batches.stream(data, **place, made=plan)
        probed = gap.probes(data, config.output.gap_rows) if config.output.gap_every else []
        shown = pictured(data, learner, around, ranks) if config.output.samples_every else []

        with logs.Log(config, ranks, state, plan) as log:
            while state.examples < config.train.total_examples:
                # Noise, times and what is dropped come with a batch, drawn from its samples.
                with log.waiting():
                    batch = [next(stream) for _ in range(pieces)]
                losses = backward(forward, batch, around, config, ranks)
                norm = optimizers.cut(network, config.optimizer.clip)

                # A loss that is no number ends the run before it can spoil the weights.
                stop = agreed(ranks, asked.to_stop, batch, losses, norm)
                rate = optimizers.learning_rate(config.optimizer, config.train, state.examples)
                optimizers.step(learner.optimizer, rate)
                learner.ema.update(network, ema.decay_at(state.steps, config.train.ema_decay))
                state.examples += config.train.batch_size
                state.steps += 1
                log.advanced(state, batch, losses)

                # What is due is told and kept.
                gaps = {}
                if due(state, config, config.output.gap_every):
                    with log.paused(), autocast(config, ranks), learner.ema.worn(network):
                        gaps = gap.measure(network, probed, around)
                if gaps or due(state, config, config.output.log_every):
                    log.line(state, gaps, gradient_norm=norm, learning_rate=rate)
                if shown and due(state, config, config.output.samples_every):
                    with log.paused(), learner.ema.worn(network):
                        how, seed = learner.backbone.sampling, config.train.seed
                        log.grid(state, grids.draw(network, shown, around, how, seed))
                if stop or due(state, config, config.output.save_every):
                    with log.paused():
                        checkpoint.save(config, state, learner, ranks)
                if stop:
                    break
    return state


def build(config: TrainConfig, ranks: Ranks, found: str | None) -> tuple[Learner, Frozen]:
    """(what is trained, what stands around it), on this process's device.

    Args:
      found: The checkpoint that the run goes on from; its network is built again then.
    """
    if found:
        # Its weights come from the checkpoint; what they began with may be gone.
        saved = backbones.load(checkpoint.model_folder(found))
        backbone = dataclasses.replace(saved, weights="")
    else:
        backbone = begin(config)
    network = backbones.network(backbone, config.train.seed).to(ranks.device)
    network.checkpointing = config.compute.checkpointing
    if config.compute.sharded and ranks.world > 1:
        for module in network.shards():
            fully_shard(module)
        # The root, too, after a forward: none stays whole where no backward follows (the gap).
        fully_shard(network, reshard_after_forward=True)
    average = ema.Ema(network)
    optimizer = optimizers.make(network, config.optimizer)
    return Learner(backbone, network, average, optimizer), backbones.frozen(backbone, ranks.device)


def begin(config: TrainConfig) -> Backbone:
    """What a new run begins with: another run's network, a backbone, or a preset's, whose weights
    come with the project or are drawn."""
    if config.init:
        return backbones.load(checkpoint.model_folder(config.init))
    if config.backbone:
        context, schedule = config.network["context"], config.network["schedule"]
        return backbones.from_folder(
            config.backbone,
            context.get("at", "bottleneck"),
            context.get("position", "none"),
            schedule.get("prediction_type"),
            retarget=config.retarget,
        )
    preset = backbones.from_tables(config.network)
    return backbones.shipped(config.train.begin, preset) if config.train.begin else preset


def spread(network: nn.Module, config: TrainConfig, ranks: Ranks) -> nn.Module:
    """The network as it is called: compiled, and in step with those of the other processes."""
    if config.compute.compile:
        network.compile()
    if ranks.world == 1 or isinstance(network, FSDPModule):
        return network
    on = [ranks.device] if ranks.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=on, gradient_as_bucket_view=True)


def data_of(
    config: TrainConfig, backbone: Backbone, around: Frozen, ranks: Ranks
) -> tuple[DataConfig, int]:
    """(what the loader of this process gives, pieces that its share of a batch is in)."""
    share, rest = divmod(config.train.batch_size, ranks.world)
    micro = config.compute.micro_batch or share
    if rest or not share or share % micro:
        raise UsageError(
            f"a batch of {config.train.batch_size} does not divide by {ranks.world} processes of "
            f"{micro} examples at once: choose other numbers"
        )
    side = int(backbone.unet.backbone_config["sample_size"]) * around.space.factor
    size = config.data.size or side
    shape = backbones.sample_shape(backbone, around, size)
    data = dataclasses.replace(config.data, size=size, batch_size=micro, noise_shape=shape)
    return data, share // micro


def pictured(data: DataConfig, learner: Learner, around: Frozen, ranks: Ranks) -> list[Sample]:
    """The rows that grids of samples are drawn for; none where another process draws them."""
    if not ranks.first:
        return []
    if isinstance(learner.network, FSDPModule):
        # References are encoded outside of `forward`, where shards are not put together.
        told = "no grids of samples: with compute.sharded none are drawn; see `generate`"
        print(told, file=sys.stderr)
        return []
    return grids.rows(data, learner.network, around)


def backward(
    forward: nn.Module,
    batch: Sequence[Batch],
    around: Frozen,
    config: TrainConfig,
    ranks: Ranks,
) -> list[Tensor]:
    """Gradients of a batch that comes in pieces of one size; the losses of each piece, [rows].

    They are those of the mean over all its examples, of all processes.
    """
    losses = []
    for number, piece in enumerate(batch, 1):
        with syncing(forward, number == len(batch)), autocast(config, ranks):
            rows = diffusion.loss(forward, piece, around, config.train.late_share)
            torch.autograd.backward(rows.mean() / len(batch))
        losses.append(rows.detach())
    return losses


@contextlib.contextmanager
def syncing(forward: nn.Module, last: bool) -> Iterator[None]:
    """Processes average their gradients after the last piece of a batch alone."""
    if isinstance(forward, FSDPModule):
        forward.set_requires_gradient_sync(last)
        yield
    elif isinstance(forward, DistributedDataParallel) and not last:
        with forward.no_sync():
            yield
    else:
        yield


def autocast(config: TrainConfig, ranks: Ranks) -> torch.autocast:
    """bfloat16 on a GPU alone: a CPU without its instructions is 16 times slower with it."""
    cuda = ranks.device.type == "cuda"
    return torch.autocast(ranks.device.type, torch.bfloat16, enabled=cuda and config.compute.bf16)


def agreed(
    ranks: Ranks, to_stop: bool, batch: Sequence[Batch], losses: Sequence[Tensor], norm: float
) -> bool:
    """Whether any process was asked to stop.

    Raises:
      UsageError: the loss or the norm of the gradients is no number, with the batch's keys.
    """
    bad = [one for one, rows in zip(batch, losses, strict=True) if not rows.isfinite().all()]
    spoilt, stop = ranks.any(bool(bad) or not math.isfinite(norm), to_stop)
    if not spoilt:
        return stop
    what = "the loss" if bad else "the gradient"
    keys = ", ".join(key for one in bad or batch for key in one.keys)
    raise UsageError(
        f"{what} is not finite; the weights were left as they were and the last checkpoint is "
        f"whole. Examples of the batch here: {keys}"
    )


def due(state: TrainState, config: TrainConfig, every: int) -> bool:
    """Whether a multiple of `every` examples was passed in this step, or the end; 0 is never."""
    if not every:
        return False
    before = state.examples - config.train.batch_size
    return before // every < state.examples // every or (
        state.examples >= config.train.total_examples
    )


def execute(options: Options, changes: Mapping[str, Any]) -> int:
    """Trains; 0, also after SIGTERM: the same command goes on."""
    config = config_of(options, changes)
    state = train(config)
    if state.examples < config.train.total_examples:
        print(f"stopped after {state.examples} examples; the same command goes on", file=sys.stderr)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the verb; its exit code."""
    try:
        arguments, changes = split_dotted(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        print(f"instruct-imagen train: {error}", file=sys.stderr)
        return error.exit_code
    return command_line.run(
        "train", Options, functools.partial(execute, changes=changes), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
