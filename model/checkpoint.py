"""Checkpoints: all that a run needs to go on, as tensors and JSON.

RUN/checkpoints/000000014400/         named by the examples seen
    denoiser.safetensors              the weights
    ema/                              the trained network: what `backbone.from_folder` opens
    optimizer.safetensors
    state.json                        counters, plain numbers of the optimiser, options
    _MANIFEST.json                    written last: without it there is no checkpoint
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError
from model import backbone as backbones
from model import optimizers, tensors
from model.backbone import Backbone
from model.config import TrainConfig, refuse_changes
from model.ema import Ema
from model.processes import Ranks
from model.unet import WEIGHTS, InstructUNet

FOLDER, MANIFEST, STATE = "checkpoints", "_MANIFEST.json", "state.json"
DENOISER, OPTIMIZER, EMA = "denoiser.safetensors", "optimizer.safetensors", "ema"


@dataclasses.dataclass(slots=True)
class TrainState:
    """How far a run is.

    Attributes:
      examples: Seen so far, of all processes.
      steps: Of the optimiser.
    """

    examples: int = 0
    steps: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Learner:
    """What a run changes, and what its network begins with.

    Attributes:
      backbone: The network's size and what belongs to it.
      network: The weights, bare: neither DDP nor compiled.
      ema: Their average.
      optimizer: What moves them.
    """

    backbone: Backbone
    network: InstructUNet
    ema: Ema
    optimizer: Optimizer


def latest(run_dir: str) -> str | None:
    """The folder of a run's latest whole checkpoint; None where there is none."""
    whole = [folder for folder in _all(run_dir) if _whole(folder)]
    return whole[-1] if whole else None


def model_folder(place: str) -> str:
    """The folder of the trained network of a run's latest checkpoint; of such a folder, itself.

    Raises:
      UsageError: it is neither.
    """
    if storage.find(storage.join(place, backbones.FILE)) is not None:
        return place
    found = latest(place) or (place if _whole(place) else None)
    if found is None:
        raise UsageError(f"{place} holds no trained network: name the --run-dir of a run")
    return storage.join(found, EMA)


def save(config: TrainConfig, state: TrainState, learner: Learner, ranks: Ranks) -> None:
    """Writes a checkpoint and removes the oldest but `output.keep`; all ranks call it together.

    Shards are gathered, a tensor at a time, to rank 0, which writes.
    """
    folder = storage.join(config.run_dir, FOLDER, f"{state.examples:012d}")
    if ranks.first:
        _remove(folder)  # what a killed run left
    remembered, numbers = optimizers.state(learner.network, learner.optimizer)
    parts: dict[str, Mapping[str, Tensor]] = {
        DENOISER: dict(learner.network.named_parameters()),
        f"{EMA}/{WEIGHTS}": learner.ema.weights,
        OPTIMIZER: remembered,
    }
    for name, part in parts.items():
        tensors.write(storage.join(folder, name), part, here=ranks.first)
    if ranks.first:
        backbones.describe(learner.backbone, storage.join(folder, EMA))
        told = {**dataclasses.asdict(state), "optimizer": numbers, "options": config.options()}
        _write(storage.join(folder, STATE), told)
        sizes = {storage.below(folder, one): one.size for one in storage.list_files(folder, True)}
        _write(storage.join(folder, MANIFEST), {"files": sizes})
        _prune(config.run_dir, config.output.keep)
    ranks.wait()


def restore(folder: str, learner: Learner, options: Mapping[str, Any]) -> TrainState:
    """Puts a checkpoint into a learner that has not learnt yet; how far it was.

    Raises:
      UsageError: an option was changed, or a file of the checkpoint is damaged.
    """
    told = json.loads(storage.read_bytes(storage.join(folder, STATE)))
    refuse_changes(told["options"], options)
    _check_sizes(folder)
    weights = dict(learner.network.named_parameters())
    for part, into in (
        (DENOISER, weights),
        (f"{EMA}/{WEIGHTS}", learner.ema.weights),
    ):
        with torch.no_grad():
            for name, tensor in tensors.read(storage.join(folder, part)):
                into[name].copy_(tensors.like(tensor, into[name]))
    remembered = tensors.read(storage.join(folder, OPTIMIZER))
    optimizers.put_back(learner.network, learner.optimizer, remembered)
    optimizers.put_back(learner.network, learner.optimizer, told["optimizer"].items())
    return TrainState(told["examples"], told["steps"])


def _all(run_dir: str) -> list[str]:
    return storage.list_folders(storage.join(run_dir, FOLDER))


def _whole(folder: str) -> bool:
    return storage.find(storage.join(folder, MANIFEST)) is not None


def _write(place: str, told: Mapping[str, Any]) -> None:
    storage.write_bytes(place, json.dumps(told, indent=2).encode())


def _check_sizes(folder: str) -> None:
    """Raises UsageError where a file is not as long as it was written."""
    told = json.loads(storage.read_bytes(storage.join(folder, MANIFEST)))
    for name, size in told["files"].items():
        found = storage.find(storage.join(folder, name))
        if found is None or found.size != size:
            raise UsageError(
                f"{folder} is damaged ({name} is {'gone' if found is None else 'cut'}): remove it, "
                "and the run goes on from the checkpoint before it"
            )


def _prune(run_dir: str, keep: int) -> None:
    """Removes all checkpoints but the last so many, and what killed runs left."""
    folders = _all(run_dir)
    kept = [folder for folder in folders if _whole(folder)][-keep:]
    for folder in folders:
        if folder not in kept:
            _remove(folder)


def _remove(folder: str) -> None:
    # The manifest first: what a kill leaves of the rest is no checkpoint.
    for place in (MANIFEST, EMA, ""):  # some object stores delete no folder that holds another
        storage.delete(storage.join(folder, place) if place else folder)
