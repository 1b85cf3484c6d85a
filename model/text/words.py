"""The text encoder of `tiny`: a frozen random vector for each word, no file, no training.

A frozen random T5 of this size is a readable but slow encoder (probe .86 to .95); hashed words can
be read exactly. It knows no language: "cat" is no nearer to "kitten" than to "car".
"""

import functools
import hashlib
import re
from collections.abc import Sequence

import numpy as np
import torch

from instruct_imagen_data import instructions
from model.text.encoder import Text

_WORD = re.compile(r"\w+|[^\w\s]")
_PLACE = 8  # numbers of a vector that tell the place of a word; the others tell the word


class Words:
    """Vectors of `width` numbers a word, mean 0 and variance 1; the last eight say where it is."""

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        self.width = width
        self._device = device

    def __call__(self, texts: Sequence[str], length: int) -> Text:
        states = np.zeros((len(texts), length, self.width), np.float32)
        mask = np.zeros((len(texts), length), bool)
        for row, text in enumerate(texts):
            found = tokens(text)[:length]
            mask[row, : len(found)] = True
            for place, token in enumerate(found):
                states[row, place, :-_PLACE] = _vector(token, self.width - _PLACE)
            states[row, : len(found), -_PLACE:] = _places(length)[: len(found)]
        return Text(torch.from_numpy(states), torch.from_numpy(mask)).to(self._device)


def tokens(text: str) -> list[str]:
    """Words and signs of a stored text, in lower case, after a start; each marker is one token.

    Words begin with "word:" and markers with "ref:", so that no word is taken for a marker.
    """
    found = ["start"]
    for one in instructions.parse(text):
        if isinstance(one, instructions.Marker):
            found.append(f"ref:{one.number}")
        else:
            found += [f"word:{word}" for word in _WORD.findall(one.lower())]
    return found


@functools.lru_cache(maxsize=1 << 16)
def _vector(token: str, width: int) -> np.ndarray:
    """float32 [width], drawn from the token alone."""
    key = int.from_bytes(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()[:16])
    draws = np.random.Generator(np.random.Philox(key=key)).standard_normal(width)
    return draws.astype(np.float32)


@functools.lru_cache(maxsize=8)
def _places(length: int) -> np.ndarray:
    """float32 [length, 8]: sines and cosines of the place, at four wave lengths."""
    angles = np.arange(length)[:, None] / np.array([1.0, 4.0, 16.0, 64.0])
    return np.sqrt(2) * np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)
