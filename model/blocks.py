"""The blocks of diffusers' UNets, layer by layer, so that one of ours may follow each of theirs.

The loops say what `unet_2d_blocks.py` says (diffusers 0.42), for the block types of Stable
Diffusion and DeepFloyd IF; the tests compare them with the base bit for bit.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers import Transformer2DModel
from torch import Tensor, nn

DOWN = frozenset(
    {"DownBlock2D", "CrossAttnDownBlock2D", "ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"}
)
UP = frozenset(
    {"UpBlock2D", "CrossAttnUpBlock2D", "ResnetUpsampleBlock2D", "SimpleCrossAttnUpBlock2D"}
)
MIDDLE = frozenset({"UNetMidBlock2D", "UNetMidBlock2DCrossAttn", "UNetMidBlock2DSimpleCrossAttn"})

After = Callable[[Tensor], Tensor]  # of a map [B, C, H, W]: a layer of ours that reads references
Run = Callable[..., Tensor]  # calls its first argument with the others; may checkpoint


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """What every layer is told.

    Attributes:
      time: [B, width], the embedded time.
      text: [B, length, width], the text's states.
      bias: [B, 1, length], 0 at tokens and -10,000 at padding; None: no mask.
      run: How a layer is called: as it is, or checkpointed.
    """

    time: Tensor
    text: Tensor
    bias: Tensor | None
    run: Run


def down(
    block: Any, hidden: Tensor, condition: Condition, after: Sequence[After] = ()
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """(map, skips) after a down block; `after`, if any, has one layer for each of the block's."""
    skips: tuple[Tensor, ...] = ()
    for layer in _layers(block, after):
        hidden = condition.run(_through, layer, hidden, condition)
        skips += (hidden,)
    for sampler in block.downsamplers or ():
        told = (condition.time,) if isinstance(sampler, ResnetBlock2D) else ()
        hidden = sampler(hidden, *told)
        skips += (hidden,)
    return hidden, skips


def middle(block: Any, hidden: Tensor, condition: Condition) -> Tensor:
    """The map after the middle block."""
    if block is None:
        return hidden
    if not getattr(block, "has_cross_attention", False):
        return condition.run(block, hidden, condition.time)
    return condition.run(
        lambda x: block(
            x,
            condition.time,
            encoder_hidden_states=condition.text,
            encoder_attention_mask=condition.bias,
        ),
        hidden,
    )


def up(
    block: Any,
    hidden: Tensor,
    skips: Sequence[Tensor],
    condition: Condition,
    after: Sequence[After] = (),
) -> Tensor:
    """The map after an up block.

    Args:
      skips: One for each layer, used from the last; and before them the next block's last, whose
        side is the one to come up to: sides need not halve evenly.
    """
    count = len(block.resnets)
    for layer, skip in zip(_layers(block, after), reversed(skips[-count:]), strict=True):
        hidden = condition.run(_joined, layer, hidden, skip, condition)
    for sampler in block.upsamplers or ():
        told = condition.time if isinstance(sampler, ResnetBlock2D) else skips[-count - 1].shape[2:]
        hidden = sampler(hidden, told)
    return hidden


_Layer = tuple[nn.Module, nn.Module | None, After | None]


def _layers(block: Any, after: Sequence[After]) -> list[_Layer]:
    """(ResNet, attention if it has one, ours if there is one) of a block, in order."""
    none = [None] * len(block.resnets)
    attentions = getattr(block, "attentions", none)
    return list(zip(block.resnets, attentions, after or none, strict=True))


def _through(layer: _Layer, hidden: Tensor, condition: Condition) -> Tensor:
    resnet, attention, after = layer
    hidden = resnet(hidden, condition.time)
    if isinstance(attention, Transformer2DModel):
        hidden = attention(
            hidden,
            encoder_hidden_states=condition.text,
            encoder_attention_mask=condition.bias,
            return_dict=False,
        )[0]
    elif attention is not None:
        hidden = attention(
            hidden, encoder_hidden_states=condition.text, attention_mask=condition.bias
        )
    return hidden if after is None else after(hidden)


def _joined(layer: _Layer, hidden: Tensor, skip: Tensor, condition: Condition) -> Tensor:
    """A layer of an up block: the skip's channels are joined to the map's."""
    return _through(layer, torch.cat([hidden, skip], 1), condition)
