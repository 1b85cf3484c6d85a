"""Pictures out of a trained network: noise, diffusers' schedulers, guidance and thresholding.

A picture is a function of its instruction, its references, the settings and (seed, index): which
pictures are drawn beside it changes nothing but the order of sums in the network.
"""

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from instruct_imagen_data import keys
from instruct_imagen_data.errors import UsageError
from model import guidance
from model.batches.records import Pixels
from model.context import Context, Features
from model.diffusion import Frozen
from model.guidance import FULL, NULL, TEXT, Kind
from model.text import Text
from model.unet import InstructUNet

Method = Literal["ddpm", "ddim", "dpm"]
Threshold = Literal["dynamic", "clip", "none"]
PERCENTILE, MOST = 0.995, 100.0  # of dynamic thresholding; with MOST = 1 it would only clip
_SCHEDULERS: dict[str, Any] = {
    "ddpm": DDPMScheduler,
    "ddim": DDIMScheduler,
    "dpm": DPMSolverMultistepScheduler,
}
_MULTISTEP = ("dpm",)
_LAST_LAMBDA = -5.1  # a cosine schedule ends in pure noise, where DPM-Solver's steps are infinite


@dataclasses.dataclass(frozen=True, slots=True)
class Sampling:
    """How pictures are drawn. A preset has its own; these are the paper's (appendix A.2.2).

    Attributes:
      method: ddpm (ancestral), ddim (no noise but the first) or dpm (DPM-Solver++ of order 2).
      steps: How often the network is asked.
      guidance: none, joint, nested or oscillating; see `guidance`.
      scale: Of the guidance; of nested guidance that of the text.
      context_scale: Of nested guidance that of the references.
      threshold: dynamic (Imagen, section 2.3: at p = .995), clip (to -1 .. 1) or none (latents).
    """

    method: Method = "ddpm"
    steps: int = 256
    guidance: Kind = "oscillating"
    scale: float = 25.0
    context_scale: float = 0.0
    threshold: Threshold = "dynamic"


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    """A picture to draw.

    Attributes:
      index: Of the picture: its noise is drawn from (seed, index).
      instruction: Stored text (instructions.parse).
      references: Pictures of the context.
      texts: Stored text of each: "[ref#1] depth map".
    """

    index: int
    instruction: str
    references: tuple[Pixels, ...] = ()
    texts: tuple[str, ...] = ()


def check(how: Sampling, most_steps: int = 1000) -> None:
    """Raises UsageError for settings that make no sense together."""
    for name, kinds in (("method", Method), ("threshold", Threshold), ("guidance", Kind)):
        if getattr(how, name) not in get_args(kinds):
            raise UsageError(f"{name} {getattr(how, name)!r}: {', '.join(get_args(kinds))}")
    if not 1 <= how.steps <= most_steps:
        raise UsageError(f"{how.steps} steps: from 1 to the {most_steps} of the schedule")
    if how.method == "ddim" and most_steps % how.steps:
        raise UsageError(
            f"{how.steps} steps of ddim: its steps are of one length, so that their number divides "
            f"{most_steps}; take another number, or ddpm"
        )
    if how.guidance == "oscillating" and how.method in _MULTISTEP:
        raise UsageError(
            f"oscillating guidance with {how.method}: a multistep solver extrapolates from the "
            "last steps, which were not guided alike; take ddpm or ddim, or joint guidance"
        )
    if how.context_scale and how.guidance != "nested":
        raise UsageError(f"context scale {how.context_scale:g}: only nested guidance has one")


def scheduler_of(schedule: DDPMScheduler, how: Sampling) -> Any:
    """diffusers' scheduler for a method, on the schedule that the network was trained with.

    Raises:
      UsageError: see `check`.
    """
    given = schedule.config
    check(how, int(given.num_train_timesteps))
    made = _SCHEDULERS[how.method]
    known = inspect.signature(made.__init__).parameters
    config = {name: one for name, one in given.items() if name in known}
    config["thresholding"] = how.threshold != "none"
    if "clip_sample" in known:
        config["clip_sample"] = False  # thresholding at MOST = 1 does it for all methods
    own = how.threshold == "dynamic" and given.thresholding  # DeepFloyd IF has its own numbers
    if not own:
        most = MOST if how.threshold == "dynamic" else 1.0
        config |= {"dynamic_thresholding_ratio": PERCENTILE, "sample_max_value": most}
    if given.beta_schedule == "squaredcos_cap_v2":
        # "leading" would begin a step early, where there is still something of a picture.
        config["timestep_spacing"] = "trailing"
        if how.method == "dpm":
            config |= {"timestep_spacing": "linspace", "lambda_min_clipped": _LAST_LAMBDA}
    scheduler = made(**config)
    with warnings.catch_warnings():  # DPM-Solver's turns tensors into arrays the old way
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler.set_timesteps(how.steps)
    return scheduler


@torch.inference_mode()
def draw(
    unet: InstructUNet,
    around: Frozen,
    prompts: Sequence[Prompt],
    how: Sampling,
    *,
    seed: int,
    tick: Callable[[], object] = lambda: None,
) -> list[Pixels]:
    """A picture for each prompt, uint8 [S, S, 3], all at once.

    Args:
      unet: In evaluation mode.
      tick: Called after each step.

    Raises:
      UsageError: see `check`.
    """
    scheduler = scheduler_of(around.scheduler, how)
    device = next(unet.parameters()).device
    conditions = _Conditions(unet, around, prompts, device)
    # On the CPU, wherever the network is: the noise is that of (seed, index) on every machine.
    generators = [_generator(seed, one.index) for one in prompts]
    given = unet.config.backbone_config
    shape = (len(prompts), given["in_channels"], given["sample_size"], given["sample_size"])
    sample = randn_tensor(shape, generators, device) * scheduler.init_noise_sigma
    for step, timestep in enumerate(scheduler.timesteps):
        weights = guidance.at(how.guidance, step, how.scale, how.context_scale)
        predictions = conditions.predict(sample, timestep.to(device), weights.needed)
        guided = guidance.joined(weights, predictions)
        sample = scheduler.step(guided, timestep, sample, generator=generators).prev_sample
        tick()
    decoded = around.space.decode(sample).float().clamp(-1, 1)
    pixels = ((decoded + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)  # [B, S, S, 3]
    return list(pixels.cpu().numpy())


def _generator(seed: int, index: int) -> torch.Generator:
    """A generator of the noise of one picture. diffusers' ancestral steps draw from torch's."""
    generator = torch.Generator()
    generator.manual_seed(keys.draw64(f"{seed}/{index}", "sampling") >> 1)  # below 2**63
    return generator


class _Conditions:
    """What B prompts say to the network; encoded once, before the first step."""

    def __init__(
        self,
        unet: InstructUNet,
        around: Frozen,
        prompts: Sequence[Prompt],
        device: torch.device,
    ) -> None:
        self._unet, self._rows, self._device = unet, len(prompts), device
        texts = around.text([one.instruction for one in prompts], around.length).to(device)
        empty = around.text([""], around.length).to(device)
        nothing = Text(*(one.expand(self._rows, *one.shape[1:]) for one in _parts(empty)))
        self._texts = {FULL: texts, TEXT: texts, NULL: nothing}
        context = context_of(prompts, around, device)
        with self._precision():
            self._features = unet.features(context) if context is not None else None
        self._asked: dict[tuple[str, ...], tuple[Text, Features | None]] = {}

    def predict(self, sample: Tensor, step: Tensor, needed: tuple[str, ...]) -> dict[str, Tensor]:
        """float32 [B, C, H, W] of each kind of prediction, from one pass through the network."""
        if needed not in self._asked:
            self._asked[needed] = self._beside(needed)
        text, features = self._asked[needed]
        many = len(needed)
        with self._precision():
            found = self._unet(
                sample.repeat(many, 1, 1, 1), step.expand(many * self._rows), text, features
            )
        return dict(zip(needed, found.float().chunk(many), strict=True))

    def _beside(self, needed: tuple[str, ...]) -> tuple[Text, Features | None]:
        """Texts and features of all kinds, one kind's B rows after the other's; the references are
        read by the rows of FULL, which are the first, and by no other.
        """
        parts = zip(*(_parts(self._texts[name]) for name in needed), strict=True)
        text = Text(*(torch.cat(one) for one in parts))
        if self._features is None or FULL not in needed:
            return text, None
        off = torch.zeros_like(self._features.mask).repeat(len(needed) - 1, 1)
        mask = torch.cat([self._features.mask, off])  # [many * B, M]
        return text, dataclasses.replace(self._features, mask=mask)

    def _precision(self) -> torch.autocast:
        """bf16 on a GPU, as in training; a CPU computes in fp32."""
        return torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"
        )


def _parts(text: Text) -> tuple[Tensor, Tensor]:
    return text.states, text.mask


def context_of(
    prompts: Sequence[Prompt], around: Frozen, device: torch.device | str = "cpu"
) -> Context | None:
    """The references of prompts, in the space of the backbone; None where there is none."""
    index = [(row, slot) for row, one in enumerate(prompts) for slot in range(len(one.references))]
    if not index:
        return None
    stacked = np.stack([picture for one in prompts for picture in one.references])
    images = torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1  # [N, 3, S, S]
    texts = [text for one in prompts for text in one.texts]
    mask = torch.zeros(len(prompts), 1 + max(slot for _, slot in index), dtype=torch.bool)
    places = torch.tensor(index, dtype=torch.int64)
    mask[places[:, 0], places[:, 1]] = True
    return Context(
        around.space.encode(images.contiguous().to(device)),
        places.to(device),
        around.text(texts, around.context_length).to(device),
        mask.to(device),
    )
