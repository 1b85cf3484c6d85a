"""What one training step of the embedded CLIP sees: pictures, near-copies of them, texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from instruct_imagen_data.annotators.roles import Domain
from instruct_imagen_data.training.pictures import Pictures, nouns

_FORMS = ("a photo of a {}", "{}", "a picture of the {}", "one {} seen from near")
_CAPTIONS = 0.7  # share of texts that are captions; the others are sentences about a domain
_SENTENCES = 2  # of each domain, drawn for a step


class Rows:
    """Draws which pictures make a batch: two views of each entity, and reject classes.

    Half of the batches hold the entities of a few domains only, several of each noun: what
    neighbourhoods are mined among.
    """

    def __init__(self, pictures: Pictures, entities: int, rejects: int) -> None:
        self._entities = entities
        self._count = rejects
        self._rejects = np.flatnonzero(pictures.entity < 0)
        order = np.argsort(pictures.entity, kind="stable")
        order = order[pictures.entity[order] >= 0]
        self._views = np.split(order, np.flatnonzero(np.diff(pictures.entity[order])) + 1)
        first = np.array([views[0] for views in self._views])
        self._noun, self._domain = pictures.noun[first], pictures.domain[first]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Row numbers [2 * entities + rejects]."""
        chosen = self._near(rng) if rng.random() < 0.5 else rng.permutation(len(self._views))
        pairs = [rng.choice(self._views[i], 2, replace=False) for i in chosen[: self._entities]]
        return np.concatenate([*pairs, rng.choice(self._rejects, self._count, replace=False)])

    def _near(self, rng: np.random.Generator) -> np.ndarray:
        """Entities, two of each noun, of domains in a drawn order."""
        order = rng.permutation(len(self._views))
        rank = np.empty(len(order), np.int64)  # of an entity among those of its noun
        for noun in np.unique(self._noun):
            inside = order[self._noun[order] == noun]
            rank[inside] = np.arange(len(inside))
        turn = rng.permutation(self._domain.max() + 1)[self._domain]
        return np.lexsort((rank, turn, rank // 2))


class Texts:
    """Draws the texts of a step, as ids of the network's vocabulary."""

    def __init__(self, pictures: Pictures, domains: Sequence[Domain], tokenizer: Any) -> None:
        self._pictures = pictures
        self._captions = tokenizer(pictures.caption.tolist())
        self._nouns = [tokenizer([form.format(noun) for noun in nouns()]) for form in _FORMS]
        self._domains = [tokenizer(list(domain.sentences)) for domain in domains]

    def for_pictures(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Ids [n, context] of a text for each picture, and the match [n pictures, n texts].

        A caption matches pictures of its noun by half and of its entity by half; a sentence
        about a domain matches all its pictures.
        """
        noun, entity = self._pictures.noun[rows], self._pictures.entity[rows]
        domain = self._pictures.domain[rows]
        is_caption = (rng.random(len(rows)) < _CAPTIONS) & (noun >= 0)
        sentences = [self._sentence(each, rng) for each in domain]
        tokens = torch.where(
            torch.from_numpy(is_caption)[:, None], self._captions[rows], torch.stack(sentences)
        )
        same_domain = domain[:, None] == domain[None]
        same_noun = same_domain & (noun[:, None] == noun[None])
        same_entity = same_noun & (entity[:, None] == entity[None])
        match = np.where(is_caption, 0.5 * same_noun + 0.5 * same_entity, same_domain)
        return tokens, torch.from_numpy(match.astype(np.float32))

    def of_nouns(self, rng: np.random.Generator) -> Tensor:
        """Ids [nouns, context]: one form of sentence for all nouns."""
        return self._nouns[rng.integers(len(self._nouns))]

    def of_domains(self, rng: np.random.Generator) -> Tensor:
        """Ids [domains, drawn sentences, context]."""
        drawn = [each[rng.permutation(len(each))[:_SENTENCES]] for each in self._domains]
        return torch.stack(drawn)

    def _sentence(self, domain: int, rng: np.random.Generator) -> Tensor:
        sentences = self._domains[domain]
        ids: Tensor = sentences[rng.integers(len(sentences))]
        return ids


def augment(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [n, h, w, 3] -> uint8 [n, side, side, 3], each seen in another way.

    Cropped to 75-100 % of its side and mirrored by chance.
    """
    seen = _windows(pixels, rng.uniform(0.75, 1.0, len(pixels)), side, rng)
    mirrored = rng.random(len(pixels)) < 0.5
    seen[mirrored] = seen[mirrored, :, ::-1]
    return seen


def near_copies(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same pictures uint8 [n, side, side, 3], cropped by up to 5 %."""
    return _windows(seen, rng.uniform(0.95, 1.0, len(seen)), seen.shape[1], rng)


def _windows(
    pixels: np.ndarray, scale: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    """A square window of `scale` of each picture at a random place, resized to `side`."""
    full = pixels.shape[1]
    corner = rng.uniform(0, 1, (len(pixels), 2)) * (full * (1 - scale))[:, None]
    end = corner + full * scale[:, None]
    boxes = np.concatenate((corner, end), axis=1).tolist()
    pictures = [
        Image.fromarray(each).resize((side, side), Image.Resampling.BILINEAR, tuple(box))
        for each, box in zip(pixels, boxes, strict=True)
    ]
    return np.stack([np.asarray(picture) for picture in pictures])


def to_tensor(pixels: np.ndarray, strength: np.ndarray, rng: np.random.Generator) -> Tensor:
    """uint8 [n, h, w, 3] -> float [n, 3, h, w] from 0 to 1, channels last.

    Contrast and brightness move by up to `strength` [n].
    """
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    tone = rng.uniform(-1, 1, (2, len(pixels), 1, 1, 1)) * strength[:, None, None, None]
    gain, offset = torch.from_numpy(tone.astype(np.float32))
    return (x * (1 + gain) + offset / 2).clamp_(0, 1)
