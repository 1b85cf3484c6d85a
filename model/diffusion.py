"""What the network is trained to do: times, noise, targets, conditions, and the loss.

L2 on what the backbone predicts (appendix A.2.2: v). Every draw comes in with the batch; nothing is
drawn here.
"""

import dataclasses

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from instruct_imagen_data.errors import UsageError
from model.batches.records import Batch
from model.context import Context
from model.space import Space
from model.text import Text, TextEncoder

PREDICTIONS = ("v_prediction", "epsilon")
LATE = 0.65  # from here to 1 the picture is mostly noise, and its layout is decided


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    """What stands around the network and is not trained.

    Attributes:
      scheduler: The noise schedule, with the prediction type.
      text: The text encoder.
      length: Tokens of an instruction.
      context_length: Tokens of the text of a reference.
      space: Pixels or latents.
    """

    scheduler: DDPMScheduler
    text: TextEncoder
    length: int
    context_length: int
    space: Space


def timesteps(scheduler: DDPMScheduler, time: Tensor) -> Tensor:
    """int64 [B], 0 .. steps - 1, of times [B] in [0, 1]."""
    steps = int(scheduler.config.num_train_timesteps)
    return (time * steps).long().clamp(0, steps - 1)


def lean_late(time: Tensor, share: float) -> Tensor:
    """Uniform draws [B] as times of which a share is drawn in [LATE, 1], the rest in [0, 1].

    References decide the layout, at late times; a short run learns their use sooner so.
    """
    late = LATE + (1 - LATE) * time / max(share, 1e-9)
    return torch.where(time < share, late, (time - share) / max(1 - share, 1e-9)).clamp(0, 1)


def noised(scheduler: DDPMScheduler, clean: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
    """sqrt(a) clean + sqrt(1 - a) noise, with a the schedule's cumulative product at each step."""
    found: Tensor = scheduler.add_noise(clean, noise, steps)
    return found


def target(scheduler: DDPMScheduler, clean: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
    """What is to be predicted: v = sqrt(a) noise - sqrt(1 - a) clean (progressive distillation),
    or the noise.

    Raises:
      UsageError: the schedule asks for another type.
    """
    kind = scheduler.config.prediction_type
    if kind not in PREDICTIONS:
        raise UsageError(f"a backbone that predicts {kind!r} is not known: {PREDICTIONS}")
    if kind == "epsilon":
        return noise
    velocity: Tensor = scheduler.get_velocity(clean, noise, steps)
    return velocity


def conditions(batch: Batch, around: Frozen, device: torch.device) -> tuple[Text, Context]:
    """(text, context) of a batch, encoded, without what its draws drop (`batches.collate.kept`).

    A text that is dropped is the encoded empty text; where the context alone is dropped, the text
    stands as it is, with its markers.
    """
    kept = zip(batch.instructions, batch.keep_text.tolist(), strict=True)
    text = around.text([stored if keep else "" for stored, keep in kept], around.length)
    # References of rows without context need no encoding: [N] -> those that are read.
    read = batch.keep_context[batch.context_index[:, 0]]
    texts = [one for one, keep in zip(batch.context_texts, read.tolist(), strict=True) if keep]
    context = Context(
        around.space.encode(batch.context_images[read].to(device)),
        batch.context_index[read].to(device),
        around.text(texts, around.context_length).to(device),
        (batch.context_mask & batch.keep_context[:, None]).to(device),
    )
    return text.to(device), context


def loss(unet: nn.Module, batch: Batch, around: Frozen, late_share: float = 0.0) -> Tensor:
    """float32 [B]: mean squared error of each row; the loss of a step is their mean.

    Args:
      unet: An InstructUNet, bare or wrapped by DDP or FSDP2.
      batch: On the CPU.
      late_share: See `lean_late`; 0 takes the times as they are.
    """
    device = next(unet.parameters()).device
    text, context = conditions(batch, around, device)
    clean = around.space.encode(batch.target.to(device))
    noise = batch.noise.to(device)
    time = lean_late(batch.time, late_share) if late_share else batch.time
    steps = timesteps(around.scheduler, time).to(device)
    predicted = unet(noised(around.scheduler, clean, noise, steps), steps, text, context)
    wanted = target(around.scheduler, clean, noise, steps)
    return (predicted.float() - wanted.float()).square().flatten(1).mean(1)
