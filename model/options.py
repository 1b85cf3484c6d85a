"""The command line of `train`: flags for what every run is asked, dotted ones for any other key."""

import dataclasses
import inspect
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from diffusers import DDPMScheduler, UNet2DConditionModel

from instruct_imagen_data.errors import UsageError
from model import config as configs
from model.batches import DataConfig
from model.config import (
    NETWORK,
    ComputeConfig,
    OptimizerConfig,
    OutputConfig,
    RunConfig,
    TrainConfig,
    known_or_nearest,
    part_of,
)
from model.sampling import Sampling
from model.text import TextConfig
from model.unet import UNetConfig


@dataclasses.dataclass(frozen=True)
class Options:
    """Trains the network: stage 1 on neighbourhoods, stage 2 on instructions.

    The same command again goes on from the latest checkpoint. Any key of a config's tables is a
    flag as well: --optimizer.learning-rate 1e-3. On several GPUs: torchrun -m model.train.

    Attributes:
        config: tiny, small, paper, or a TOML file of that form.
        data: Directory that `neighbours` (stage 1) or `instruct` (stage 2) filled.
        run_dir: Directory for checkpoints and metrics.
        stage: 1 or 2.
        init: Another run, or a trained network, whose averaged weights this one begins with.
        backbone: Folder of a diffusers pipeline to begin with: DeepFloyd IF stage I, Stable
            Diffusion 1 or 2.
        retarget: Let the backbone learn to predict something else than it does.
        text: Folder of the frozen T5 that small and paper read texts with.
        total_examples: Examples until the end.
        batch_size: Examples of a step, of all processes.
        seed: Of new weights, order and draws.
        max_bad_rows: Rows that may be unusable before the run gives up.
    """

    config: str
    data: str
    run_dir: str
    stage: int = 2
    init: str = ""
    backbone: str = ""
    retarget: bool = False
    text: str = ""
    total_examples: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    max_bad_rows: int | None = None


_KEYS = {  # flag to the key that it sets
    "text": "text.path",
    "total_examples": "train.total_examples",
    "batch_size": "train.batch_size",
    "seed": "train.seed",
    "max_bad_rows": "data.max_bad_rows",
}


def config_of(options: Options, changes: Mapping[str, Any]) -> TrainConfig:
    """The run that a command line asks for.

    Raises:
      UsageError: an option that is not known, of another type, or of no use beside another.
    """
    given = {key: getattr(options, name) for name, key in _KEYS.items()}
    changes = {**changes, **{key: one for key, one in given.items() if one not in (None, "")}}
    if options.stage not in (1, 2):
        raise UsageError(f"--stage {options.stage}: 1 (neighbourhoods) or 2 (instructions)")
    tables = configs.tables(options.config, changes, options.stage)
    train = part_of(RunConfig, tables["train"], "train")
    # What the flags say is no business of a file's table.
    told = {"data": options.data, "stage": options.stage, "split": "train", "seed": train.seed}
    data = {"size": 0, **tables.get("data", {})}
    return _checked(
        TrainConfig(
            run_dir=options.run_dir,
            network=_network(options, tables, changes),
            data=part_of(DataConfig, data, "data", **told, batch_size=0, noise_shape=()),
            train=train,
            optimizer=part_of(OptimizerConfig, tables.get("optimizer", {}), "optimizer"),
            compute=part_of(ComputeConfig, tables.get("compute", {}), "compute"),
            output=part_of(OutputConfig, tables.get("output", {}), "output"),
            backbone=options.backbone,
            retarget=options.retarget,
            init=options.init,
        )
    )


def _network(
    options: Options, tables: Mapping[str, dict[str, Any]], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """The network's tables; beside a backbone, only what is asked of it."""
    if options.init and options.backbone:
        raise UsageError("--init brings its own network: leave --backbone out")
    if options.retarget and not options.backbone:
        raise UsageError("--retarget is of use beside --backbone alone")
    asked = {key for key in changes if key.partition(".")[0] in NETWORK}
    allowed = {"context.at", "context.position", "schedule.prediction_type"}
    begun = options.init or options.backbone
    if begun and (other := sorted(asked - (set() if options.init else allowed))):
        raise UsageError(f"{begun} brings its own network: leave {', '.join(other)} out")
    if options.init:
        return {}
    for table, names in _names().items():
        for name in tables.get(table, {}):
            known_or_nearest(name, names, f"{options.config}: {table}.")
    if not options.backbone:
        return {table: tables[table] for table in NETWORK if table in tables}
    context = tables.get("context", {})
    kept = {name: one for name, one in context.items() if name in ("at", "position")}
    wanted = "schedule.prediction_type"
    schedule = {"prediction_type": changes[wanted]} if wanted in changes else {}
    return {"context": kept, "schedule": schedule}


def _names() -> dict[str, list[str]]:
    """The keys that the network's tables may have."""
    return {
        "unet": list(inspect.signature(UNet2DConditionModel.__init__).parameters)[1:],
        "context": [one.name for one in dataclasses.fields(UNetConfig)][1:],
        "text": [one.name for one in dataclasses.fields(TextConfig)],
        "sampling": [one.name for one in dataclasses.fields(Sampling)],
        "schedule": list(inspect.signature(DDPMScheduler.__init__).parameters)[1:],
    }


def _checked(config: TrainConfig) -> TrainConfig:
    """The config. Raises UsageError for numbers that make no sense."""
    train, output, optimizer = config.train, config.output, config.optimizer
    positive = {
        "train.total_examples": train.total_examples,
        "train.batch_size": train.batch_size,
        "optimizer.learning_rate": optimizer.learning_rate,
        "output.save_every": output.save_every,
        "output.log_every": output.log_every,
        "output.keep": output.keep,
    }
    for name, value in positive.items():
        if value <= 0:
            raise UsageError(f"{name} = {value}: above 0")
    shares = {
        "train.ema_decay": train.ema_decay,
        "train.late_share": train.late_share,
        "optimizer.decay_share": optimizer.decay_share,
    }
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise UsageError(f"{name} = {value}: from 0 to 1")
    if config.compute.sharded and optimizer.kind != "adamw":
        raise UsageError("compute.sharded: Adafactor does not work in shards; take adamw")
    return config


def split_dotted(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """(the other arguments, changes) of a command line.

    A change is a flag with a dot: `--optimizer.learning-rate 1e-3`; its value is TOML, or a text.

    Raises:
      UsageError: such a flag without a value.
    """
    rest, changes = [], {}
    given = iter(arguments)
    for one in given:
        name, separator, value = one.partition("=")
        if not name.startswith("--") or "." not in name:
            rest.append(one)
            continue
        if not separator:
            value = next(given, "--")
            if value.startswith("--"):
                raise UsageError(f"{name} has no value")
        try:
            read = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            read = value
        changes[name[2:].replace("-", "_")] = read
    return rest, changes
