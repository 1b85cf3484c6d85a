"""References as context: what they are, their features, and the cross-attention that reads them.

Section 3.1: a reference goes through the down-sampling encoder of the target, conditioned on its
own text; its last feature map is keys and values of a new cross-attention after the text's. Any
number of references a row, in any slot; slots that are empty are masked.
"""

import dataclasses
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.text.encoder import Text

Position = Literal["sincos2d", "none"]


@dataclasses.dataclass
class Context:
    """The references of a batch of B rows, only those that are there.

    Attributes:
      images: float [N, C, H, W], clean, in the space of the backbone (pixels or latents).
      index: int64 [N, 2]: (row, slot) of each; no two are equal.
      text: Encoded texts of the N references.
      mask: bool [B, M]: which slots are filled; M >= 1. A slot that is off is not read, filled or
        not.
    """

    images: Tensor
    index: Tensor
    text: Text
    mask: Tensor


@dataclasses.dataclass
class Features:
    """Encoded references: what `InstructUNet.features` gives; computed once while sampling.

    Attributes:
      maps: float [N, T, channels], T = H*W positions of the coarsest level, row by row.
      grid: (H, W) of that level.
      index, mask: as in Context.
    """

    maps: Tensor
    grid: tuple[int, int]
    index: Tensor
    mask: Tensor


def or_dummy(context: Context) -> Context:
    """The context; where no row has a reference, one grey picture whose slot is off.

    The same modules then run on every rank, whatever its rows: DDP waits for a gradient of each
    weight, and FSDP2 gathers a module's weights on all ranks or on none.
    """
    if len(context.images):
        return context
    states, mask = context.text.states, context.text.mask
    return Context(
        context.images.new_zeros(1, *context.images.shape[1:]),
        context.index.new_zeros(1, 2),
        Text(states.new_zeros(1, *states.shape[1:]), mask.new_ones(1, *mask.shape[1:])),
        torch.zeros_like(context.mask),
    )


class ContextAttention(nn.Module):
    """Cross-attention from a feature map to the references' maps, added to the map.

    Its output projection begins at zero, so that a wrapped network begins as its base.
    """

    def __init__(self, channels: int, head_width: int, position: Position) -> None:
        super().__init__()
        self.heads = channels // head_width
        self.position = position
        self.norm_queries = nn.LayerNorm(channels)
        self.norm_context = nn.LayerNorm(channels)
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels, bias=False)
        nn.init.zeros_(self.to_out.weight)

    def forward(self, hidden: Tensor, features: Features) -> Tensor:
        """hidden [B, channels, H, W] plus what its positions read; exactly hidden where no slot is.

        A row without references attends to zeros and the result is multiplied by zero: a softmax
        over nothing would be NaN.
        """
        rows, channels, height, width = hidden.shape
        queries = self.norm_queries(hidden.flatten(2).transpose(1, 2))  # [B, H*W, channels]
        maps = self.norm_context(features.maps)  # [N, T, channels]
        keys, values = maps, maps
        if self.position == "sincos2d":
            queries = queries + _code(height, width, channels, hidden.device).to(queries.dtype)
            keys = keys + _code(*features.grid, channels, hidden.device).to(keys.dtype)
        # [B, M*T, channels]: of what is there, projected once, to the slots
        keys, values = _slots(self.to_k(keys), features), _slots(self.to_v(values), features)
        filled = features.mask.any(1)  # [B]
        readable = (features.mask | ~filled[:, None]).repeat_interleave(maps.shape[1], 1)
        read = functional.scaled_dot_product_attention(
            self._split(self.to_q(queries)),
            self._split(keys),
            self._split(values),
            attn_mask=readable[:, None, None],  # [B, 1, 1, M*T]
        )  # [B, heads, H*W, head_width]
        out = self.to_out(read.transpose(1, 2).flatten(2)) * filled[:, None, None]
        return hidden + out.transpose(1, 2).reshape(rows, channels, height, width)

    def _split(self, tokens: Tensor) -> Tensor:
        """[B, tokens, channels] -> [B, heads, tokens, head_width]."""
        rows, count, _ = tokens.shape
        return tokens.reshape(rows, count, self.heads, -1).transpose(1, 2)


def _slots(maps: Tensor, features: Features) -> Tensor:
    """Maps [N, T, channels] at their rows and slots: [B, M*T, channels], zeros elsewhere."""
    empty = maps.new_zeros(*features.mask.shape, *maps.shape[1:])
    return empty.index_put((features.index[:, 0], features.index[:, 1]), maps).flatten(1, 2)


def _code(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """A fixed position code, float32 [height*width, channels].

    Sines and cosines of row and of column, a quarter of the channels each, wave lengths from 2 pi
    to 20,000 pi positions (Vaswani et al. 2017, once for each axis). The paper says nothing of
    positions; without them spatial control was not learnt in 800 steps of `tiny`.
    """
    rates = 10_000.0 ** (-torch.arange(channels // 4, device=device) / (channels // 4))
    rows = torch.arange(height, device=device)[:, None] * rates  # [H, channels/4]
    columns = torch.arange(width, device=device)[:, None] * rates
    of_row = torch.cat([rows.sin(), rows.cos()], 1)[:, None].expand(-1, width, -1)
    of_column = torch.cat([columns.sin(), columns.cos()], 1)[None].expand(height, -1, -1)
    return torch.cat([of_row, of_column], 2).flatten(0, 1)
