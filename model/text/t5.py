"""T5 and ByT5 as a frozen text encoder, from a folder; markers are its sentinels."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoTokenizer, T5EncoderModel

from model.text import tokens
from model.text.encoder import Text, TextConfig


class T5:
    """The encoder's last states; bf16 on CUDA (T5-XXL: 9.5 GB), fp32 on a CPU."""

    def __init__(self, encoder: Any, tokenizer: tokens.Tokenizer) -> None:
        self.width = int(encoder.config.d_model)
        self._encoder = encoder.eval().requires_grad_(False)
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, config: TextConfig, device: torch.device | str = "cpu") -> "T5":
        """The encoder of `config.path`. Raises UsageError where there is none."""
        encoder_folder, tokenizer_folder = tokens.folders(config.path)
        dtype = torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32
        encoder = T5EncoderModel.from_pretrained(
            encoder_folder, local_files_only=True, dtype=dtype
        ).to(device)
        inner = AutoTokenizer.from_pretrained(tokenizer_folder, local_files_only=True)
        tokenizer = tokens.Tokenizer(inner, lowercase=config.lowercase, start=False)
        return cls(encoder, tokenizer)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], length: int) -> Text:
        ids, mask = (one.to(self._encoder.device) for one in self._tokenizer(texts, length))
        if not len(ids):
            return Text(torch.zeros(0, length, self.width, device=ids.device), mask)
        states = self._encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return Text(states.float(), mask)
