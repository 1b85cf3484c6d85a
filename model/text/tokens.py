"""Stored texts as token ids of a pretrained tokenizer; a marker is a sentinel, nothing else is.

Text is data: a caption that holds `<extra_id_1>`, `</s>` or `[ref#2]` reads as these letters and
cites nothing. `split_special_tokens` alone does not see to it: T5's vocabulary lists the special
tokens among its pieces, and its normaliser makes them out of full-width signs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instruct_imagen_data import instructions
from instruct_imagen_data.errors import UsageError


class Tokenizer:
    """A Hugging Face tokenizer that reads stored texts.

    Where its vocabulary has no sentinels, markers are the letters "[ref#1]", which a caption may
    hold as well.
    """

    def __init__(self, tokenizer: Any, *, lowercase: bool, start: bool) -> None:
        """Reads by `tokenizer`, in lower case or not, with its begin token or without."""
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.sentinels = sentinel(tokenizer, 1) is not None
        self.start = [tokenizer.bos_token_id] if start else []
        self.end = [tokenizer.eos_token_id]
        self.pad = tokenizer.pad_token_id
        special = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
        unknown = set() if tokenizer.unk_token_id in self.end else {tokenizer.unk_token_id}
        self._special = frozenset(special - unknown)

    def __call__(self, texts: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
        """(ids int64 [n, length], mask bool [n, length]) of stored texts, cut or padded."""
        ids = torch.full((len(texts), length), self.pad)
        mask = torch.zeros(len(texts), length, dtype=torch.bool)
        room = length - len(self.start) - len(self.end)
        for row, text in enumerate(texts):
            found = [*self.start, *self._ids(text)[:room], *self.end]
            ids[row, : len(found)] = torch.tensor(found)
            mask[row, : len(found)] = True
        return ids, mask

    def _ids(self, text: str) -> list[int]:
        found: list[int] = []
        for one in _segments(text, self.sentinels):
            found += [self._sentinel(one)] if isinstance(one, int) else self._literal(one)
        return found

    def _literal(self, text: str) -> list[int]:
        """Ids of a text without markers; none is special but that of unknown letters."""
        text = text.lower().strip() if self.lowercase else text
        found = self._split(text)
        if self._special.isdisjoint(found):
            return found
        found = []
        for word in text.split():
            whole = self._split(word)
            if self._special.isdisjoint(whole):
                found += whole
            else:
                letters = (one for letter in word for one in self._split(letter))
                found += [one for one in letters if one not in self._special]
        return found

    def _split(self, text: str) -> list[int]:
        options = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
        return list(self.tokenizer(text, **options).input_ids)

    def _sentinel(self, number: int) -> int:
        found = sentinel(self.tokenizer, number)
        if found is None:
            raise UsageError(f"[ref#{number}]: this text encoder has no sentinel of that number")
        return found


def _segments(text: str, sentinels: bool) -> list[str | int]:
    """Literal texts and marker numbers; without sentinels one text with the markers as letters."""
    found = [
        one.number if isinstance(one, instructions.Marker) else one
        for one in instructions.parse(text)
    ]
    if sentinels:
        return found
    return ["".join(f"[ref#{one}]" if isinstance(one, int) else one for one in found)]


def sentinel(tokenizer: Any, number: int) -> int | None:
    """Id of <extra_id_number>, a token that T5 was trained with and text does not hold, or None."""
    token = f"<extra_id_{number}>"
    found = tokenizer.convert_tokens_to_ids(token)
    known = found is not None and tokenizer.convert_ids_to_tokens(found) == token
    return int(found) if known else None


def folders(path: str) -> tuple[Path, Path]:
    """(folder of the encoder, folder of the tokenizer) of a pipeline's or an encoder's folder.

    Raises:
      UsageError: there is no such folder, or no path was given.
    """
    if not path:
        raise UsageError("this preset reads text by a T5: give its folder as `text.path`")
    folder = Path(path)
    encoder, tokenizer = folder / "text_encoder", folder / "tokenizer"
    found = (encoder, tokenizer) if encoder.is_dir() and tokenizer.is_dir() else (folder, folder)
    if not (found[0] / "config.json").is_file():
        raise UsageError(f"{path}: there is no text encoder (no config.json)")
    return found
