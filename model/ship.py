"""Puts a trained backbone among the presets: `python -m model.ship --run-dir RUN --data FOLDER`.

Its averaged weights go to model/presets/tiny_backbone as fp16, with what belongs to them and
TRAINING.json: how they were made and what they score on pictures that were held out.
"""

import dataclasses
import json
import logging
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from instruct_imagen_data import command_line, storage
from instruct_imagen_data.errors import UsageError
from model import backbone, checkpoint, diffusion, gap, trained
from model.batches import Batch, DataConfig, collate, make_plan
from model.batches.samples import Samples
from model.logs import METRICS
from model.trained import Trained
from model.unet import WEIGHTS

_LOG = logging.getLogger(__name__)

NAME = "tiny_backbone"
RECORD = "TRAINING.json"
_ROWS = 128  # held out pictures that it is measured on
_MOST = 4 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class Options:
    """Puts a trained backbone among the presets, and measures it.

    Attributes:
        run_dir: Run directory of `train`; the run must have seen no reference.
        data: What it was trained on.
        command: Command that made all of it, for the record.
    """

    run_dir: str
    data: str
    command: str = "make backbone"


def pack(weights: bytes) -> bytes:
    """The weights of a network, in fp16.

    Raises:
      UsageError: the network has learnt to read references, or is too large to be shipped.
    """
    tensors = load_tensors(weights)
    moved = [name for name, one in tensors.items() if name.endswith(".to_out.weight")
             and name.startswith("context_") and one.any()]  # fmt: skip
    if moved:
        raise UsageError(f"{moved[0]} is not zero: this network has seen references")
    packed = save_tensors({name: one.half() for name, one in tensors.items()})
    if len(packed) > _MOST:
        raise UsageError(f"{len(packed) / 2**20:.1f} MB of weights: at most {_MOST >> 20}")
    return packed


def held_out(data: str, model: Trained) -> Batch:
    """Rows of the validation split, each once, nothing dropped."""
    asked = DataConfig(
        data, split="validation", size=model.side, lanes=1, drop_both=0.0, drop_context=0.0
    )
    plan = make_plan(asked)
    rows = min(_ROWS, sum(one.order.rows for one in plan.sources.values()))
    samples = Samples(plan)
    return collate.batch_of([samples.sample(index) for index in range(rows)], asked)


@torch.no_grad()
def text_gap(model: Trained, batch: Batch) -> dict[str, float]:
    """Mean losses over gap.TIMES with the right texts, with each other's, and without."""
    lent = (*batch.instructions[1:], batch.instructions[0])
    kinds: Mapping[str, Batch] = {
        "right": batch,
        "swapped": dataclasses.replace(batch, instructions=lent),
        "none": dataclasses.replace(batch, keep_text=torch.zeros_like(batch.keep_text)),
    }
    return {kind: round(_mean(model, one), 4) for kind, one in kinds.items()}


def _mean(model: Trained, batch: Batch) -> float:
    losses: list[Tensor] = []
    for time in gap.TIMES:
        at = dataclasses.replace(batch, time=torch.full_like(batch.time, time))
        losses.append(diffusion.loss(model.unet, at, model.around))
    return float(torch.stack(losses).mean())


def record(options: Options, model: Trained, scores: Mapping[str, float]) -> dict[str, Any]:
    """How the network was made: its options, examples, minutes and scores."""
    found = checkpoint.latest(options.run_dir)
    assert found is not None  # its network is loaded
    state = json.loads(storage.read_bytes(storage.join(found, checkpoint.STATE)))
    text = storage.read_bytes(storage.join(options.run_dir, METRICS)).decode()
    lines = [json.loads(line) for line in text.splitlines()]
    before = [0, *(line["examples"] for line in lines)]
    seconds = sum(
        (line["examples"] - last) / line["samples_per_second"]
        for line, last in zip(lines, before, strict=False)
    )
    return {
        "command": options.command,
        "options": {
            name: value
            for name, value in state["options"].items()
            if name.startswith(("train.", "optimizer.")) or name == "data.max_references"
        },
        "examples": lines[-1]["examples"],
        "minutes": round(seconds / 60, 1),
        "parameters": sum(one.numel() for one in model.unet.parameters()),
        "torch": torch.__version__,
        "loss of held out pictures, by text": scores,
        "context gap": 1.0,  # its layer for references adds exactly nothing, see `pack`
    }


def execute(options: Options) -> int:
    """Measures, writes; 0."""
    torch.set_num_threads(1)
    model = trained.load(options.run_dir)
    packed = pack(storage.read_bytes(storage.join(model.folder, WEIGHTS)))
    scores = text_gap(model, held_out(options.data, model))
    folder = Path(str(resources.files("model") / "presets" / NAME))
    folder.mkdir(exist_ok=True)
    backbone.describe(dataclasses.replace(backbone.load(model.folder), weights=""), str(folder))
    (folder / WEIGHTS).write_bytes(packed)
    text = json.dumps(record(options, model, scores), indent=2) + "\n"
    (folder / RECORD).write_text(text)
    _LOG.info("%s", text)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(command_line.run("ship", Options, execute, sys.argv[1:]))
