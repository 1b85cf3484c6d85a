"""Samples as one batch, with what is drawn for each: noise, time, what is dropped."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.batches.draws import Draws
from model.batches.dropout import kept
from model.batches.records import Batch, DataConfig, Pixels, Sample


def batch_of(samples: Sequence[Sample], config: DataConfig, bad_rows: int = 0) -> Batch:
    """The batch of some samples, in their order."""
    draws = [Draws(config.seed, one.index) for one in samples]
    keep = [kept(config, one, of.dataset) for one, of in zip(draws, samples, strict=True)]
    index = [(row, slot) for row, one in enumerate(samples) for slot in one.slots]
    mask = torch.zeros(len(samples), 1 + max((slot for _, slot in index), default=0)).bool()
    mask[[row for row, _ in index], [slot for _, slot in index]] = True
    shape = config.noise_shape or (3, config.size, config.size)
    noise = [one.generator("noise").standard_normal(shape, dtype=np.float32) for one in draws]
    return Batch(
        indices=_ready(torch.tensor([one.index for one in samples])),
        keys=tuple(one.key for one in samples),
        datasets=tuple(one.dataset for one in samples),
        instructions=tuple(one.instruction for one in samples),
        target=_images([one.target for one in samples], config.size),
        context_images=_images([r for one in samples for r in one.references], config.size),
        context_index=_ready(torch.tensor(index, dtype=torch.int64).reshape(-1, 2)),
        context_texts=tuple(text for one in samples for text in one.texts),
        context_roles=tuple(role for one in samples for role in one.roles),
        context_mask=_ready(mask),
        noise=_ready(torch.from_numpy(np.stack(noise))),
        time=_ready(torch.tensor([one.unit("time") for one in draws])),
        keep_text=_ready(torch.tensor([text for text, _ in keep])),
        keep_context=_ready(torch.tensor([context for _, context in keep])),
        bad_rows=bad_rows,
    )


def _images(pictures: Sequence[Pixels], size: int) -> Tensor:
    """float32 [n, 3, size, size], -1 to 1."""
    stacked = np.stack(pictures) if pictures else np.empty((0, size, size, 3), np.uint8)
    first = torch.from_numpy(stacked).permute(0, 3, 1, 2)
    return _ready(first.to(torch.float32, memory_format=torch.contiguous_format) / 127.5 - 1)


def _ready(tensor: Tensor) -> Tensor:
    """Pinned where there is a GPU to copy to."""
    return tensor.pin_memory() if torch.cuda.is_available() else tensor
