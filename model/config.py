"""What a run is: one frozen TrainConfig, of a TOML file and what the command line changes in it.

A file has the tables of a network (`unet`, `context`, `text`, `schedule`, `sampling`: see
`model.backbone`) and of its training (`train`, `optimizer`, `data`, `compute`, `output`: the fields
of the dataclasses here). What differs between the stages is in `train.stage1`, `train.stage2` and
`train.finetune`, and in such tables of the optimizer.
"""

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from instruct_imagen_data.errors import UsageError
from model import backbone
from model.batches import FINETUNE, DataConfig

Part = TypeVar("Part")

NETWORK = ("unet", "context", "text", "schedule", "sampling")  # read by `model.backbone`
_STAGES: dict[int | str, str] = {1: "stage1", 2: "stage2", FINETUNE: FINETUNE}


@dataclasses.dataclass(frozen=True, slots=True)
class RunConfig:
    """How much is learnt from.

    Attributes:
      total_examples: Examples until the end, counted from the start of this run.
      batch_size: Examples of a step, of all processes.
      seed: Of new weights, of the order of the data and of all draws.
      ema_decay: Of the moving average of weights; it begins lower (see `model.ema`).
      late_share: Share of times drawn in the noisiest third (`diffusion.lean_late`); the paper: 0.
      begin: A trained network that comes with the project, such as tiny_backbone, which a run
        without --init begins with; "" for new weights.
    """

    total_examples: int
    batch_size: int
    seed: int = 0
    ema_decay: float = 0.9999
    late_share: float = 0.0
    begin: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """How the weights move; see `model.optimizers`.

    Attributes:
      kind: adafactor, or adamw, which can be sharded.
      learning_rate: After the warm-up.
      context_factor: The rate of the layers that read references is so many times that.
      warmup_examples: Examples over which the rate grows.
      decay_share: Share of the run, at its end, over which the rate falls.
      clip: Norm that gradients are cut to; 0 leaves them.
      weight_decay: As AdamW has it.
    """

    kind: Literal["adafactor", "adamw"] = "adafactor"
    learning_rate: float = 1e-4
    context_factor: float = 1.0
    warmup_examples: int = 0
    decay_share: float = 0.0
    clip: float = 1.0
    weight_decay: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class ComputeConfig:
    """How it is computed; what is learnt is the same but for rounding.

    Attributes:
      micro_batch: Examples that a process takes at once; 0: its whole share of a batch. Gradients
        of several are added up.
      bf16: Autocast to bfloat16, where there is a GPU.
      checkpointing: Activations are computed again in the backward pass: less memory, more time.
      compile: By torch.compile.
      sharded: FSDP2 instead of DDP; adamw alone.
    """

    micro_batch: int = 0
    bf16: bool = True
    checkpointing: bool = False
    compile: bool = False
    sharded: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class OutputConfig:
    """What is written, and how often, in examples. Each is also done at the end.

    Attributes:
      save_every: Checkpoints.
      log_every: Lines of metrics.
      gap_every: Measurements of the context gap; 0: none.
      gap_rows: Rows that it is measured on, of each dataset, at most.
      samples_every: Grids of samples for a few validation rows (`model.grids`); 0: none.
      keep: Checkpoints that are kept.
      wandb: Project at Weights & Biases that metrics go to as well; "" for none.
    """

    save_every: int
    log_every: int
    gap_every: int = 0
    gap_rows: int = 16
    samples_every: int = 0
    keep: int = 2
    wandb: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class TrainConfig:
    """A run.

    Attributes:
      run_dir: Where checkpoints and metrics go.
      network: The tables of NETWORK.
      data: Which samples; a `size` of 0 is the network's.
      backbone: Folder of a pipeline whose weights it begins with; "" for none.
      retarget: Whether a backbone may learn to predict something else than it does.
      init: Another run, whose averaged weights it begins with; "" for none.
    """

    run_dir: str
    network: Mapping[str, Any]
    data: DataConfig
    train: RunConfig
    optimizer: OptimizerConfig
    compute: ComputeConfig
    output: OutputConfig
    backbone: str = ""
    retarget: bool = False
    init: str = ""

    def options(self) -> dict[str, Any]:
        """All of it, flat: "optimizer.learning_rate" to its value."""
        return dict(_flat(dataclasses.asdict(self)))


# What a run that goes on may change: how long and how it is computed, and what is written.
FREE = (
    "run_dir", "train.total_examples", "output.", "compute.micro_batch", "compute.checkpointing",
    "compute.compile", "compute.sharded", "data.workers", "data.cache_mb", "data.max_bad_rows",
    "data.seed",  # that of `train`, which is not free
)  # fmt: skip


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises UsageError where an option is another one than the run was begun with."""
    changed = [
        f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name) and not name.startswith(FREE)
    ]
    if changed:
        raise UsageError(
            f"this run was begun with other options: {'; '.join(changed)}. Give those again, or "
            "name another --run-dir (and this one as its --init)"
        )


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", [*value] if isinstance(value, tuple) else value


def tables(name: str, changes: Mapping[str, Any], stage: int | str) -> dict[str, dict[str, Any]]:
    """The tables of a preset or a TOML file, with changes ("optimizer.kind": "adamw") put in.

    Raises:
      UsageError: no such file, or a table that is not known.
    """
    found = {table: dict(values) for table, values in backbone.tables(name).items()}
    parts = ("train", "optimizer", "data", "compute", "output")
    for table in found:
        known_or_nearest(table, (*NETWORK, *parts), f"{name}: table")
    for table in ("train", "optimizer"):
        values = found.setdefault(table, {})
        stages = {one: values.pop(one, {}) for one in _STAGES.values()}
        values.update(stages[_STAGES[stage]])
    for key, value in changes.items():
        table, _, field = key.partition(".")
        known_or_nearest(table, (*NETWORK, *parts), "table")
        found.setdefault(table, {})[field] = value
    return found


def part_of(kind: type[Part], values: Mapping[str, Any], where: str, **given: Any) -> Part:
    """A dataclass of a table's values, and of what is `given` by other means.

    Raises:
      UsageError: a name that is not known (naming the nearest), one that is missing, or a value of
        another type.
    """
    hints = typing.get_type_hints(kind)
    fields = {one.name: one for one in dataclasses.fields(typing.cast(Any, kind))}
    for name, value in values.items():
        known_or_nearest(name, [one for one in fields if one not in given], where)
        if not _fits(value, hints[name]):
            raise UsageError(f"{where}.{name} = {value!r}: {_told(hints[name])} is wanted")
    missing = [
        name
        for name, one in fields.items()
        if one.default is dataclasses.MISSING and name not in {*values, *given}
    ]
    if missing:
        raise UsageError(f"{where}.{missing[0]} is missing")
    taken = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
    return kind(**taken, **given)


def known_or_nearest(name: str, known: Sequence[str], where: str) -> None:
    """Raises UsageError where a name is not among those known, with the nearest."""
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise UsageError(f"{where} {name} is not known: {hint}")


def _fits(value: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list) and all(_fits(one, int) for one in value)
    if isinstance(value, bool) or hint is bool:
        return isinstance(value, bool) and hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _told(hint: Any) -> str:
    """A type, to a user."""
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(hint, "a list of whole numbers")
