"""The network: diffusers' UNet that also reads references. Composition, not a subclass.

`encode` and `decode` are the two halves of `UNet2DConditionModel.forward`, with the context's
cross-attention between or inside them; bit for bit the base where there is no context.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError
from model import blocks
from model.context import Context, ContextAttention, Features, Position, or_dummy
from model.text.encoder import Text

WEIGHTS, CONFIG = "model.safetensors", "config.json"


@dataclasses.dataclass(frozen=True, slots=True)
class UNetConfig:
    """A backbone and how it reads references.

    Attributes:
      backbone_config: Arguments of diffusers' UNet2DConditionModel.
      at: bottleneck: one layer after the middle block (main text); level: one after every block
        of the coarsest level (appendix, Table 5).
      position: sincos2d: a fixed code on queries and keys, a departure; none: as the paper.
      head_width: Channels a head of the new layers.
      text_mask: Whether padding of the text is masked; off for backbones trained without.
    """

    backbone_config: Mapping[str, Any]
    at: Literal["bottleneck", "level"] = "bottleneck"
    position: Position = "none"
    head_width: int = 64
    text_mask: bool = True

    @property
    def channels(self) -> int:
        """Channels of the coarsest level."""
        return int(self.backbone_config["block_out_channels"][-1])

    @property
    def text_width(self) -> int:
        """Numbers a token that the backbone reads."""
        given = self.backbone_config
        return int(given.get("encoder_hid_dim") or given["cross_attention_dim"])


@dataclasses.dataclass
class _Encoded:
    """Between the halves: the map [B, C, H, W], the skips, and what conditions both."""

    hidden: Tensor
    skips: tuple[Tensor, ...]
    condition: blocks.Condition


class InstructUNet(nn.Module):
    """A denoiser of pictures, told by a text and references."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        _check(config)
        self.config = config
        self.backbone: Any = UNet2DConditionModel.from_config(dict(config.backbone_config))
        level = config.at == "level"
        self.context_down = self._layers(self.backbone.down_blocks[-1] if level else None)
        self.context_mid = ContextAttention(config.channels, config.head_width, config.position)
        self.context_up = self._layers(self.backbone.up_blocks[0] if level else None)
        self.checkpointing = False

    def _layers(self, block: Any) -> nn.ModuleList:
        """A new layer for each of a block's."""
        config = self.config
        return nn.ModuleList(
            ContextAttention(config.channels, config.head_width, config.position)
            for _ in (block.resnets if block is not None else ())
        )

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | int,
        text: Text,
        context: Context | Features | None = None,
    ) -> Tensor:
        """What the backbone predicts of noisy samples, [B, C, H, W] as they are.

        Of a backbone that predicts variances as well (DeepFloyd IF: six channels), the first C.

        Args:
          sample: float [B, C, H, W].
          timestep: int64 [B], or one for all.
          text: B texts.
          context: References, or their features. While training always a Context, though empty.
        """
        features = self.features(context) if isinstance(context, Context) else context
        encoded = self.encode(sample, timestep, text, features)
        out = self.decode(encoded, features)
        # No view: FSDP2 warns of one, whose changes it would not see.
        return out if out.shape[1] == sample.shape[1] else out[:, : sample.shape[1]].clone()

    def features(self, context: Context) -> Features:
        """The references' maps at the bottleneck: clean (t = 0), each told by its own text."""
        context = or_dummy(context)
        hidden = self.encode(context.images, 0, context.text).hidden  # [N, channels, H, W]
        maps = hidden.flatten(2).transpose(1, 2)  # [N, H*W, channels]
        grid = (hidden.shape[2], hidden.shape[3])
        return Features(maps, grid, context.index, context.mask)

    def encode(
        self, sample: Tensor, timestep: Tensor | int, text: Text, features: Features | None = None
    ) -> _Encoded:
        """The first half: time and text, conv_in, down blocks and middle block."""
        unet, condition = self.backbone, self._condition(sample, timestep, text)
        if unet.config.center_input_sample:
            sample = 2 * sample - 1
        hidden = unet.conv_in(sample)
        skips: tuple[Tensor, ...] = (hidden,)
        for place, block in enumerate(unet.down_blocks):
            coarsest = place == len(unet.down_blocks) - 1
            after = _reading(self.context_down if coarsest else (), features)
            hidden, more = blocks.down(block, hidden, condition, after)
            skips += more
        hidden = blocks.middle(unet.mid_block, hidden, condition)
        for read in _reading((self.context_mid,), features):
            hidden = condition.run(read, hidden)
        return _Encoded(hidden, skips, condition)

    def decode(self, encoded: _Encoded, features: Features | None = None) -> Tensor:
        """The second half: up blocks, the last norm and conv_out; all channels it predicts."""
        unet, hidden, skips = self.backbone, encoded.hidden, encoded.skips
        for place, block in enumerate(unet.up_blocks):
            after = _reading(self.context_up if place == 0 else (), features)
            hidden = blocks.up(block, hidden, skips, encoded.condition, after)
            skips = skips[: -len(block.resnets)]
        if unet.conv_norm_out is not None:
            hidden = unet.conv_act(unet.conv_norm_out(hidden))
        out: Tensor = unet.conv_out(hidden)
        return out

    def _condition(self, sample: Tensor, timestep: Tensor | int, text: Text) -> blocks.Condition:
        """Time and text as all layers are told them."""
        unet, states = self.backbone, text.states.to(sample.dtype)
        time = unet.time_embedding(unet.get_time_embed(sample, timestep))
        if unet.config.class_embed_type == "projection":
            # The mean over tokens alone: diffusers' own pooling would count padding as text.
            weight = text.mask[..., None].to(states.dtype)
            mean = (states * weight).sum(1) / weight.sum(1).clamp(min=1)
            time = time + unet.get_class_embed(sample, mean)
        pooled = unet.get_aug_embed(time, states, {})
        time = time if pooled is None else time + pooled
        time = time if unet.time_embed_act is None else unet.time_embed_act(time)
        bias = None
        if self.config.text_mask:
            self._check_length(sample, text)
            bias = ((1 - text.mask.to(sample.dtype)) * -10_000.0)[:, None]  # [B, 1, length]
        states = unet.process_encoder_hidden_states(states, {})
        return blocks.Condition(time, states, bias, self._run)

    def _check_length(self, sample: Tensor, text: Text) -> None:
        """diffusers takes a mask as long as a level's pixels for one of pixels, and fails."""
        length, (height, width) = text.mask.shape[1], sample.shape[2:]
        for halvings in range(len(self.backbone.down_blocks)):
            if length == (height >> halvings) * (width >> halvings):
                raise UsageError(
                    f"a text of {length} tokens cannot be masked where a level has as many pixels "
                    f"({height >> halvings} x {width >> halvings}): set a text length one longer"
                )

    def _run(self, call: Callable[..., Any], *given: Any) -> Any:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(call, *given, use_reentrant=False)
        return call(*given)

    def shards(self) -> list[nn.Module]:
        """Modules whose `forward` is called once a pass each: what FSDP2 shards one by one."""
        unet = self.backbone
        found: list[nn.Module] = []
        for block in (*unet.down_blocks, *unet.up_blocks):
            found += block.resnets
            found += getattr(block, "attentions", ())
            found += getattr(block, "downsamplers", None) or ()
            found += getattr(block, "upsamplers", None) or ()
        found += [unet.mid_block] if unet.mid_block is not None else []
        return [*found, *self.context_down, self.context_mid, *self.context_up]

    def save_pretrained(self, folder: str) -> None:
        """Writes safetensors, then the JSON that says there are some; a path or a URI."""
        tensors = {name: one.contiguous() for name, one in self.state_dict().items()}
        storage.write_bytes(storage.join(folder, WEIGHTS), save_tensors(tensors))
        written = json.dumps(dataclasses.asdict(self.config), indent=2)
        storage.write_bytes(storage.join(folder, CONFIG), written.encode())

    @classmethod
    def from_pretrained(cls, folder: str) -> "InstructUNet":
        """The network of a folder, on the CPU. Raises UsageError where there is none."""
        unet = cls(read_config(folder))
        unet.load_state_dict(load_tensors(storage.read_bytes(storage.join(folder, WEIGHTS))))
        return unet


def read_config(folder: str) -> UNetConfig:
    """The config that `save_pretrained` wrote. Raises UsageError where there is none."""
    place = storage.join(folder, CONFIG)
    if storage.find(place) is None:
        raise UsageError(f"{folder}: there is no network (no {CONFIG})")
    found = json.loads(storage.read_bytes(place))
    if "backbone_config" not in found:
        raise UsageError(f"{place} is not of an InstructUNet: has it been trained by `train`?")
    return UNetConfig(**found)


def _reading(layers: Iterable[nn.Module], features: Features | None) -> list[blocks.After]:
    """The layers as functions of the map alone; none where there is nothing to read."""
    if features is None:
        return []
    return [functools.partial(layer, features=features) for layer in layers]


def _check(config: UNetConfig) -> None:
    """Raises UsageError for a backbone whose loops or conditions are not known here."""
    given = config.backbone_config
    for kind, known in (("down_block_types", blocks.DOWN), ("up_block_types", blocks.UP)):
        if odd := sorted(set(given[kind]) - known):
            raise UsageError(f"backbone: {kind} {odd} are not known; known: {sorted(known)}")
    wanted = {
        "addition_embed_type": (None, "text"),
        "class_embed_type": (None, "projection"),
        "encoder_hid_dim_type": (None, "text_proj"),
        "mid_block_type": (None, *sorted(blocks.MIDDLE)),
    }
    for name, allowed in wanted.items():
        if given.get(name) not in allowed:
            raise UsageError(
                f"backbone: {name} = {given[name]!r} asks for conditions that are not here; "
                "Stable Diffusion 1 and 2 and DeepFloyd IF stage I are known"
            )
    if given.get("projection_class_embeddings_input_dim") not in (None, config.text_width):
        raise UsageError("backbone: its class embedding is not of the text's mean, as ours is")
    if config.at not in ("bottleneck", "level") or config.position not in ("sincos2d", "none"):
        raise UsageError(
            f"context: at = {config.at!r}, position = {config.position!r}; "
            "at is bottleneck or level, position is sincos2d or none"
        )
    if config.channels % config.head_width or config.channels % 4:
        raise UsageError(f"{config.channels} channels do not divide by {config.head_width} a head")
