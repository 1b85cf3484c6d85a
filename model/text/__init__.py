"""Frozen text encoders: stored texts in, states out; markers reach them as sentinels."""

import torch

from instruct_imagen_data.errors import UsageError
from model.text.clip import ClipText
from model.text.encoder import Text, TextConfig, TextEncoder
from model.text.remembered import Remembered
from model.text.t5 import T5
from model.text.words import Words

__all__ = ["Text", "TextConfig", "TextEncoder", "load"]


def load(config: TextConfig, device: torch.device | str = "cpu") -> TextEncoder:
    """The encoder that a config describes, frozen, on a device.

    Raises:
      UsageError: no encoder at the path, or one of another width than the network reads.
    """
    if config.kind == "words":
        return Words(config.width, device)
    encoder = (T5 if config.kind == "t5" else ClipText).load(config, device)
    if encoder.width != config.width:
        raise UsageError(
            f"{config.path}: its text states have {encoder.width} numbers and the network reads "
            f"{config.width}: take the encoder that the network was made for"
        )
    return Remembered(encoder)
