"""A hook for a super-resolution model: any diffusers upscaler, by the path of its folder.

The paper's own, 128 to 1024 pixels told by text alone, is no part of its contribution; Stable
Diffusion's x4 upscaler and DeepFloyd IF's second stage serve as well.
"""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from instruct_imagen_data import instructions, keys
from instruct_imagen_data.errors import UsageError
from model.batches.records import Pixels

_NEEDED = ("prompt", "image")


class Upscaler:
    """Enlarges pictures by a pipeline that takes a prompt and an image."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        pipeline.set_progress_bar_config(disable=True)

    @classmethod
    def load(cls, folder: str, device: torch.device | str = "cpu") -> "Upscaler":
        """The pipeline of a folder.

        Raises:
          UsageError: there is none, or it is no upscaler.
        """
        if not (Path(folder) / "model_index.json").is_file():
            raise UsageError(f"--upscaler {folder}: no diffusers pipeline (no model_index.json)")
        pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
        taken = inspect.signature(pipeline.__call__).parameters
        if missing := [name for name in _NEEDED if name not in taken]:
            raise UsageError(
                f"--upscaler {folder}: {type(pipeline).__name__} takes no {missing[0]}: give an "
                "upscaler, such as StableDiffusionUpscalePipeline"
            )
        return cls(pipeline.to(device))

    def __call__(self, picture: Pixels, instruction: str, seed: int) -> Pixels:
        """The picture at the pipeline's size, uint8 [h, w, 3].

        Args:
          instruction: Stored text; the pipeline is told it without markers.
        """
        generator = torch.Generator()
        generator.manual_seed(keys.draw64(str(seed), "upscaler") >> 1)
        found = self._pipeline(
            prompt=without_markers(instruction),
            image=Image.fromarray(picture),
            generator=generator,
            output_type="pil",
        ).images[0]
        return np.asarray(found.convert("RGB"))


def without_markers(instruction: str) -> str:
    """The words of a stored text."""
    words = (one for one in instructions.parse(instruction) if isinstance(one, str))
    return " ".join(" ".join(words).split())
