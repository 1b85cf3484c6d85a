"""What a text encoder gives, and how one is described."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor


@dataclasses.dataclass
class Text:
    """Encoded texts.

    Attributes:
      states: float [n, length, width], a vector a token.
      mask: bool [n, length], true where there is a token; the rest is padding.
    """

    states: Tensor
    mask: Tensor

    def to(self, device: torch.device | str) -> "Text":
        return Text(self.states.to(device), self.mask.to(device))


class TextEncoder(Protocol):
    """A frozen encoder: the same text gives the same states, whatever stands beside it."""

    width: int

    def __call__(self, texts: Sequence[str], length: int) -> Text:
        """Stored texts (`instructions.parse`) as states, cut or padded to `length` tokens."""


@dataclasses.dataclass(frozen=True, slots=True)
class TextConfig:
    """Which encoder, and how much it reads.

    Attributes:
      kind: words (frozen hashes, no file), t5 or clip.
      width: Numbers a token.
      path: Folder of a t5 or clip; its own, or a pipeline's with text_encoder and tokenizer.
      length: Tokens of an instruction.
      context_length: Tokens of the text of a reference.
      lowercase: Whether the backbone was trained on lower case alone (DeepFloyd IF).
    """

    kind: Literal["words", "t5", "clip"]
    width: int
    path: str = ""
    length: int = 128
    context_length: int = 32
    lowercase: bool = False
