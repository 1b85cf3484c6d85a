"""CLIP's text tower as Stable Diffusion uses it: all 77 states, padding too, and no mask."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoTokenizer, CLIPTextModel

from model.text import tokens
from model.text.encoder import Text, TextConfig


class ClipText:
    """The tower's last states, after its last norm. It has no sentinels: markers are letters."""

    def __init__(self, encoder: Any, tokenizer: tokens.Tokenizer) -> None:
        self.width = int(encoder.config.hidden_size)
        self._encoder = encoder.eval().requires_grad_(False)
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, config: TextConfig, device: torch.device | str = "cpu") -> "ClipText":
        """The tower of `config.path`. Raises UsageError where there is none."""
        encoder_folder, tokenizer_folder = tokens.folders(config.path)
        encoder = CLIPTextModel.from_pretrained(
            encoder_folder, local_files_only=True, dtype=torch.float32
        ).to(device)
        inner = AutoTokenizer.from_pretrained(tokenizer_folder, local_files_only=True)
        tokenizer = tokens.Tokenizer(inner, lowercase=config.lowercase, start=True)
        return cls(encoder, tokenizer)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], length: int) -> Text:
        ids, mask = (one.to(self._encoder.device) for one in self._tokenizer(texts, length))
        if not len(ids):
            return Text(torch.zeros(0, length, self.width, device=ids.device), mask)
        return Text(self._encoder(input_ids=ids).last_hidden_state.float(), mask)
