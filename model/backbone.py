"""What a network begins from: a diffusers pipeline's folder, a folder of ours, or a preset.

A backbone is more than weights: its schedule, what it predicts, its text encoder and text length
and its VAE come from the folder together. Stable Diffusion read with another text encoder, or
trained towards v where it predicted noise, would lose what it knows.
"""

import dataclasses
import inspect
import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError
from model import text as texts
from model.context import Position
from model.diffusion import PREDICTIONS, Frozen
from model.sampling import Sampling, check
from model.space import Latents, Pixels
from model.text import TextConfig
from model.unet import CONFIG, InstructUNet, UNetConfig

PRESETS = ("tiny", "small", "paper")
IF_LENGTH = 77  # tokens that DeepFloyd IF was trained on; its tokenizer names another number
FILE = "backbone.json"  # in a folder of ours, beside the network
# As diffusers' own pipelines draw by default: DeepFloyd IF stage I, Stable Diffusion.
OF_PIXELS = Sampling("ddpm", 100, "joint", 7.0, threshold="dynamic")
OF_LATENTS = Sampling("ddim", 50, "joint", 7.5, threshold="none")


@dataclasses.dataclass(frozen=True, slots=True)
class Backbone:
    """A network's size and what belongs to it; all that is needed to build it again.

    Attributes:
      unet: The network.
      schedule: Arguments of diffusers' DDPMScheduler, with the prediction type.
      text: The text encoder.
      weights: Folder of the weights to begin from; "" begins at random.
      vae: Folder of the VAE; "" denoises pixels.
      sampling: How its pictures are drawn, where nothing else is asked for.
    """

    unet: UNetConfig
    schedule: Mapping[str, Any]
    text: TextConfig
    weights: str = ""
    vae: str = ""
    sampling: Sampling = dataclasses.field(default_factory=Sampling)

    @property
    def prediction_type(self) -> str:
        return str(self.schedule["prediction_type"])


def tables(name: str) -> dict[str, Any]:
    """The tables of one of PRESETS, or of a TOML file of that form.

    Raises:
      UsageError: no such preset, or no TOML.
    """
    if name in PRESETS:
        written = (resources.files("model") / "presets" / f"{name}.toml").read_text()
    elif name.endswith(".toml") and storage.find(name) is not None:
        written = storage.read_bytes(name).decode()
    else:
        raise UsageError(f"no preset {name!r}: {', '.join(PRESETS)}, or a TOML file")
    try:
        return tomllib.loads(written)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: {error}") from error


def preset(name: str, text_path: str = "") -> Backbone:
    """The network of one of PRESETS, or of a TOML file; `text_path` is the folder of its T5.

    Raises:
      UsageError: see `tables` and `from_tables`.
    """
    return from_tables(tables(name), text_path)


def from_tables(tables: Mapping[str, Any], text_path: str = "") -> Backbone:
    """The backbone of a preset's tables `unet`, `context`, `text`, `schedule` and, where it does
    not draw as the paper does, `sampling`.

    Raises:
      UsageError: a table or a name that is missing or not known; ways of drawing that do not fit.
    """
    try:
        text = TextConfig(**tables["text"])
        unet = UNetConfig(tables["unet"], **tables["context"])
        schedule = tables["schedule"]
        sampling = Sampling(**tables.get("sampling", {}))
    except (KeyError, TypeError) as error:
        told = "unet, context, text, schedule, sampling"
        raise UsageError(f"a preset's tables {told}: {error}") from error
    check(sampling, int(schedule.get("num_train_timesteps", 1000)))
    if text_path:
        text = dataclasses.replace(text, path=text_path)
    return Backbone(unet, schedule, text, sampling=sampling)


def shipped(name: str, preset: Backbone) -> Backbone:
    """A preset's backbone with the weights of that name that come with the project.

    Raises:
      UsageError: there are none, or they are of another network than the preset's.
    """
    folder = Path(str(resources.files("model") / "presets" / name))
    if not (folder / FILE).is_file():
        raise UsageError(f'train.begin = {name!r} does not come with the project; leave it ""')
    found = load(str(folder))
    if (found.unet, found.schedule, found.text) != (preset.unet, preset.schedule, preset.text):
        raise UsageError(
            f"train.begin = {name!r} has another network than this config: leave its tables as "
            'they are, or say --train.begin "" for new weights'
        )
    return dataclasses.replace(preset, weights=found.weights)


def from_folder(
    folder: str,
    at: Literal["bottleneck", "level"] = "bottleneck",
    position: Position = "none",
    prediction_type: str | None = None,
    *,
    retarget: bool = False,
) -> Backbone:
    """The backbone of a folder: a diffusers pipeline (DeepFloyd IF stage I, Stable Diffusion 1 or
    2), or one that `save` wrote, which keeps its own `at` and `position`.

    Args:
      prediction_type: What to train it towards; None: what it predicts.
      retarget: Whether it may be trained towards another type than it predicts.

    Raises:
      UsageError: no pipeline; one that is not known; parts that do not fit together; another
        prediction type without `retarget`.
    """
    if storage.find(storage.join(folder, FILE)) is not None:
        found = load(folder)
    else:
        found = _pipeline(folder, at, position)
    if prediction_type in (None, found.prediction_type):
        return found
    if not retarget:
        raise UsageError(
            f"{folder} predicts {found.prediction_type} and the config asks for {prediction_type}: "
            "its weights would be of no use at the start; leave the type out, or say --retarget"
        )
    return dataclasses.replace(
        found, schedule={**found.schedule, "prediction_type": prediction_type}
    )


def _pipeline(folder: str, at: Literal["bottleneck", "level"], position: Position) -> Backbone:
    place = Path(folder)
    _check_layout(place)
    given = _plain(UNet2DConditionModel.load_config(place / "unet", local_files_only=True))
    text = _text(place)
    head = next(
        width for width in (64, 32, 16, 8, 4) if given["block_out_channels"][-1] % width == 0
    )
    # Both families were trained with padding in sight: a mask would be new to them (IF's fails).
    unet = UNetConfig(given, at, position, head, text_mask=False)
    if unet.text_width != text.width:
        raise UsageError(
            f"{folder}: its text encoder gives {text.width} numbers a token and its UNet reads "
            f"{unet.text_width}: they are not of one pipeline"
        )
    schedule = _schedule(place)
    if not (place / "vae" / "config.json").is_file():
        return Backbone(unet, schedule, text, folder, sampling=OF_PIXELS)
    # Latents have no bounds to clip to.
    schedule = {**schedule, "clip_sample": False}
    return Backbone(unet, schedule, text, folder, str(place / "vae"), OF_LATENTS)


def _check_layout(place: Path) -> None:
    missing = [
        name
        for name in ("unet", "scheduler", "text_encoder", "tokenizer")
        if not (place / name).is_dir()
    ]
    if missing:
        raise UsageError(
            f"{place}: there is no {' and no '.join(missing)}: give the folder of a diffusers "
            "pipeline; a UNet alone has no schedule, no text encoder and no VAE"
        )


def _text(place: Path) -> TextConfig:
    """The text encoder of a pipeline, and the length it was trained with."""
    encoder = json.loads((place / "text_encoder" / "config.json").read_text())
    kind = encoder.get("model_type", "")
    if kind == "t5":
        width, length = encoder["d_model"], IF_LENGTH
        return TextConfig("t5", width, str(place), length, length, lowercase=True)
    if kind == "clip_text_model":
        width, length = encoder["hidden_size"], encoder["max_position_embeddings"]
        return TextConfig("clip", width, str(place), length, length)
    raise UsageError(f"{place}: a text encoder of kind {kind!r} is not known: CLIP or T5")


def _schedule(place: Path) -> dict[str, Any]:
    """The arguments of DDPMScheduler that a pipeline's scheduler, of whatever kind, agrees to."""
    given = json.loads((place / "scheduler" / "scheduler_config.json").read_text())
    if "beta_schedule" not in given:
        raise UsageError(f"{place}: its scheduler ({given.get('_class_name')}) has no betas")
    known = inspect.signature(DDPMScheduler.__init__).parameters
    schedule = {name: one for name, one in given.items() if name in known}
    schedule.setdefault("prediction_type", "epsilon")
    if schedule["prediction_type"] not in PREDICTIONS:
        raise UsageError(
            f"{place} predicts {schedule['prediction_type']!r}, which is not known: {PREDICTIONS}"
        )
    # IF's learned variances are not trained on: three of its six channels are left unread.
    if str(schedule.get("variance_type", "")).startswith("learned"):
        schedule["variance_type"] = "fixed_small"
    return schedule


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """A diffusers config without diffusers' own notes."""
    return {name: one for name, one in config.items() if not name.startswith("_")}


def network(backbone: Backbone, seed: int = 0) -> InstructUNet:
    """The network, on the CPU: weights of the backbone, and new ones drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = InstructUNet(backbone.unet)
    if not backbone.weights:
        return unet
    if storage.find(storage.join(backbone.weights, FILE)) is not None:
        return InstructUNet.from_pretrained(backbone.weights)
    pretrained = UNet2DConditionModel.from_pretrained(
        Path(backbone.weights) / "unet", local_files_only=True, torch_dtype=torch.float32
    )
    unet.backbone.load_state_dict(pretrained.state_dict())
    return unet


def frozen(backbone: Backbone, device: torch.device | str = "cpu") -> Frozen:
    """What stands around the network, on a device. Raises UsageError where a path has nothing."""
    return Frozen(
        DDPMScheduler.from_config(dict(backbone.schedule)),
        texts.load(backbone.text, device),
        backbone.text.length,
        backbone.text.context_length,
        Latents.load(backbone.vae, device) if backbone.vae else Pixels(),
    )


def sample_shape(backbone: Backbone, around: Frozen, side: int) -> tuple[int, int, int]:
    """(C, H, W) of what is denoised for pictures of `side` pixels: the shape of a batch's noise."""
    factor = around.space.factor
    return int(backbone.unet.backbone_config["in_channels"]), side // factor, side // factor


def save(backbone: Backbone, unet: InstructUNet, folder: str) -> None:
    """Writes the network and, last, what belongs to it: a folder that `from_folder` opens."""
    unet.save_pretrained(folder)
    describe(backbone, folder)


def describe(backbone: Backbone, folder: str) -> None:
    """Writes what belongs to the weights of a folder, which are there already."""
    unet = json.dumps(dataclasses.asdict(backbone.unet), indent=2)
    storage.write_bytes(storage.join(folder, CONFIG), unet.encode())
    written = json.dumps(dataclasses.asdict(backbone), indent=2)
    storage.write_bytes(storage.join(folder, FILE), written.encode())


def load(folder: str) -> Backbone:
    """The backbone of a folder that `save` wrote; its weights are the folder's."""
    found = json.loads(storage.read_bytes(storage.join(folder, FILE)))
    text = TextConfig(**found["text"])
    unet = UNetConfig(**found["unet"])
    sampling = Sampling(**found.get("sampling", {}))
    return Backbone(unet, found["schedule"], text, folder, found["vae"], sampling)
