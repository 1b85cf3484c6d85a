"""What a loader yields and what the network is trained on."""

import dataclasses

import numpy as np
from torch import Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One row as read, decoded and drawn: numpy only, made in loader processes.

    Attributes:
      index: Global sample index: all draws are keyed by (seed, index, salt).
      dataset: Name in `tasks.DATASETS`, or "neighbourhoods" in stage 1.
      part: Where it came from, with `row`.
      instruction: Stored text (`instructions.parse`); in stage 1 the target's caption.
      target: uint8 [S, S, 3], sRGB.
      references: uint8 [S, S, 3] each.
      texts: Stored text of each reference: "[ref#1] depth map"; in stage 1 its caption.
      slots: Place of each reference in the row's context, 0 .. M-1.
    """

    index: int
    key: str
    dataset: str
    part: str
    row: int
    instruction: str
    target: np.ndarray
    references: tuple[np.ndarray, ...]
    texts: tuple[str, ...]
    slots: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Samples together, on the CPU, pinned where there is CUDA.

    Attributes:
      indices: int64 [B].
      target: float32 [B, 3, S, S], -1 .. 1.
      context_images: float32 [N, 3, S, S]: the references of all rows.
      context_index: int64 [N, 2]: (row, slot) of each.
      context_texts: N stored texts.
      context_mask: bool [B, M]: which slots are filled; M >= 1 always.
      noise: float32, of the shape of what is denoised, drawn from (seed, index).
      time: float32 [B] in (0, 1): uniform draws.
      keep_text: bool [B]; off: the encoded empty text.
      keep_context: bool [B]; off: no reference.
    """

    indices: Tensor
    keys: tuple[str, ...]
    datasets: tuple[str, ...]
    instructions: tuple[str, ...]
    target: Tensor
    context_images: Tensor
    context_index: Tensor
    context_texts: tuple[str, ...]
    context_mask: Tensor
    noise: Tensor
    time: Tensor
    keep_text: Tensor
    keep_context: Tensor
