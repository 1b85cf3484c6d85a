"""Captions by a model of the transformers library, out of a folder on this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.captioner.captions import NoCaption, caption_of
from instruct_imagen_data.annotators.precision import BATCH, dtype_of
from instruct_imagen_data.errors import UsageError

_TOKENS = 60  # at most, of a caption


class TransformersCaptioner:
    """Captions by a model such as BLIP or GIT, always the most likely words."""

    def __init__(self, model: Any, processor: Any, prompt: str) -> None:
        self._model = model
        self._processor = processor
        self._prompt = prompt

    @classmethod
    def load(
        cls,
        weights: Path | None,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "TransformersCaptioner":
        """The model and its processor.

        `config`: `folder`, as `save_pretrained` writes it, with safetensors; and, where the model
        wants the beginning of the caption, `prompt`.

        Raises:
          UsageError: transformers is not installed.
          ValueError: the folder holds no such model.
        """
        maps.check_config(config, "folder", "prompt")
        if weights is not None:
            raise ValueError("the weights of a transformers model are in its 'folder'")
        try:
            import transformers
        except ModuleNotFoundError as error:
            raise UsageError(
                "captioner: transformers_captioner needs the package transformers:"
                " pip install transformers"
            ) from error
        folder, local = Path(config["folder"]), {"local_files_only": True}
        auto: Any = transformers.AutoModelForImageTextToText
        try:
            processor = transformers.AutoProcessor.from_pretrained(folder, **local)
            model = auto.from_pretrained(
                folder, dtype=dtype_of(precision), use_safetensors=True, **local
            )
        except (OSError, ValueError) as error:
            raise ValueError(f"no model in the folder {folder}: {error}") from error
        return cls(model.eval().to(device), processor, config.get("prompt", ""))

    def captions(self, pictures: Sequence[np.ndarray]) -> list[str | NoCaption]:
        """Captions of pictures uint8 [h, w, 3], one each, in order."""
        found: list[str | NoCaption] = []
        for start in range(0, len(pictures), BATCH):
            found.extend(caption_of(text) for text in self._texts(pictures[start : start + BATCH]))
        return found

    def _texts(self, pictures: Sequence[np.ndarray]) -> list[str]:
        import torch

        prompts = {"text": [self._prompt] * len(pictures)} if self._prompt else {}
        given = self._processor(images=list(pictures), return_tensors="pt", **prompts)
        given = given.to(self._model.device, self._model.dtype)
        with torch.inference_mode():
            ids = self._model.generate(**given, max_new_tokens=_TOKENS, do_sample=False)
        texts = self._processor.batch_decode(ids, skip_special_tokens=True)
        return [text.strip().removeprefix(self._prompt) for text in texts]
