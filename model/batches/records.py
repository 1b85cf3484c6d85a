"""What passes through the loader: its settings, one sample, one batch."""

import dataclasses

import numpy as np
import numpy.typing as npt
from torch import Tensor

Pixels = npt.NDArray[np.uint8]  # [size, size, 3], sRGB

NEIGHBOURHOODS = "neighbourhoods"  # stage 1's one dataset
FINETUNE = "finetune"  # the stage after the second: one dataset of a new task
STAGES: tuple[int | str, ...] = (1, 2, FINETUNE)


@dataclasses.dataclass(frozen=True, slots=True)
class DataConfig:
    """Which samples there are, in which order, and what is drawn for each.

    All but `batch_size`, `workers`, `cache_mb` and `max_bad_rows` decide what the samples are;
    these four, the number of ranks and where a run begins do not.

    Attributes:
        data: Directory of stage 1 (of `instruct-imagen neighbours`), of 2 (of `instruct`), or of
            one dataset to fine-tune on (of `edits`).
        stage: 1 for neighbourhoods, 2 for instructions, "finetune" for a new task.
        split: train, or validation: rows and templates of that split alone.
        seed: Of the order and of all draws.
        size: Side of the pictures, in pixels.
        batch_size: Samples of a batch of this process.
        lanes: Streams that the order is made of; ranks times workers must divide it.
        window: Rows that are shuffled among themselves while they are at hand.
        workers: Loader processes; 0 loads in this one.
        max_references: Reference pictures of a sample; every marker has one even so.
        drop_both: Share of samples without text and context.
        drop_context: Share of samples without context alone; none where nothing else says what
            is wanted (style transfer).
        max_bad_rows: Rows that may be unusable before a process gives up.
        templates: Folder of the template files; by default those of the project.
        cache_mb: Megabytes of row groups that a process keeps at hand.
        noise_shape: Of one sample's noise; (3, size, size) where it is empty.
    """

    data: str
    stage: int | str = 2
    split: str = "train"
    seed: int = 0
    size: int = 128
    batch_size: int = 16
    lanes: int = 32
    window: int = 128
    workers: int = 0
    max_references: int = 3
    drop_both: float = 0.1
    drop_context: float = 0.1
    max_bad_rows: int = 10
    templates: str = ""
    cache_mb: int = 1024
    noise_shape: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be used, and why."""

    path: str  # of its part
    row: int  # in the part, from 0
    key: str
    reason: str


class Unusable(Exception):
    """A row of which no sample can be made; its text is the reason."""


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What a row gives to a sample: see `Sample`; references are in the order of slots."""

    key: str
    instruction: str
    target: Pixels
    references: tuple[Pixels, ...]
    texts: tuple[str, ...]
    roles: tuple[str, ...]
    sources: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One training sample, before it is noised.

    Attributes:
      index: Global number: all draws are keyed by (seed, index, salt).
      key: Of the target's row; in stage 1 of the target's picture.
      dataset: A name in tasks.DATASETS; "neighbourhoods" in stage 1; of fine-tuning its own.
      part: Name of the part that it came from ...
      row: ... and the row in it.
      instruction: Stored text (instructions.parse); in stage 1 the target's caption.
      target: The picture to make.
      references: Pictures of the context; none where it is dropped.
      texts: Stored text of each: "[ref#1] depth map"; in stage 1 the neighbour's caption.
      roles: Of each, in tasks.ROLES; in stage 1 "neighbour".
      slots: Place of each in the row's context, from 0.
      sources: Keys of all pictures that the row was made of.
      bad: Rows that this one stands in for.
    """

    index: int
    key: str
    dataset: str
    part: str
    row: int
    instruction: str
    target: Pixels
    references: tuple[Pixels, ...]
    texts: tuple[str, ...]
    roles: tuple[str, ...]
    slots: tuple[int, ...]
    sources: tuple[str, ...] = ()
    bad: tuple[BadRow, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """B samples with N references in all, at most M a sample; on the CPU, pinned where CUDA is.

    Attributes:
      indices: int64 [B].
      keys, datasets, instructions: Of each sample; instructions are stored text.
      target: float32 [B, 3, S, S], -1 to 1.
      context_images: float32 [N, 3, S, S], -1 to 1: the references that are there; of a dropped
        context none.
      context_index: int64 [N, 2]: (row, slot) of each.
      context_texts, context_roles: Of each.
      context_mask: bool [B, M]: slots that are filled. M is at least 1.
      noise: float32 [B, ...], normal; of the shape of what is denoised.
      time: float32 [B], uniform in (0, 1).
      keep_text: bool [B]: False where the text is dropped.
      keep_context: bool [B].
      bad_rows: Distinct rows that this process could not use, since it began.
    """

    indices: Tensor
    keys: tuple[str, ...]
    datasets: tuple[str, ...]
    instructions: tuple[str, ...]
    target: Tensor
    context_images: Tensor
    context_index: Tensor
    context_texts: tuple[str, ...]
    context_roles: tuple[str, ...]
    context_mask: Tensor
    noise: Tensor
    time: Tensor
    keep_text: Tensor
    keep_context: Tensor
    bad_rows: int = 0
