"""What a model set declares: the roles, their networks, and the thresholds that fit them."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from instruct_imagen_data.annotators.weights import Weights, fetch, sha256_of


@dataclasses.dataclass(frozen=True)
class QualityRole:
    """The quality network, and how its scores are read.

    Attributes:
        network: A name in NETWORKS.
        weights: Its file.
        config: What the network's `load` wants.
        direction: "higher" or "lower": which scores are better.
        low: One end of the network's scale.
        high: The other end.
        floor: `quality` below which a picture is poor by itself.
    """

    network: str
    weights: Weights
    config: Mapping[str, Any]
    direction: str
    low: float
    high: float
    floor: float

    def quality(self, value: np.ndarray) -> np.ndarray:
        """float32 [n], higher is better: a lower-is-better scale is mirrored on its middle."""
        better = value if self.direction == "higher" else self.low + self.high - value
        return better.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class ImageTextRole:
    """The image-text network, and how its cosines are read.

    Attributes:
        network: A name in NETWORKS.
        weights: Its file.
        config: What the network's `load` wants.
        logit_scale: What cosines to the domains are multiplied by before the softmax.
        min_probability: A domain is accepted from this probability on,
        min_margin: and if its cosine is ahead of the next one's by this much.
        min_similarity: Cosine of a picture and its caption below which the pair is not used.
    """

    network: str
    weights: Weights
    config: Mapping[str, Any]
    logit_scale: float
    min_probability: float
    min_margin: float
    min_similarity: float


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """When two pictures are one.

    Attributes:
        cosine: Duplicates from this cosine on, if also
        phash_bits: at most this many of the 256 bits of their perceptual hashes differ.
        confirm_cosine: Cosine that confirms an equal caption or file name.
    """

    cosine: float
    confirm_cosine: float
    phash_bits: int


@dataclasses.dataclass(frozen=True)
class Domain:
    """A domain, or a class that is rejected, and the sentences that describe its pictures."""

    name: str
    sentences: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ModelSet:
    """One model set, as declared; plain values that travel to workers."""

    name: str
    path: Path
    quality: QualityRole
    image_text: ImageTextRole
    duplicates: Duplicates
    domains: tuple[Domain, ...]
    rejects: tuple[Domain, ...]

    @property
    def weights(self) -> tuple[Weights, ...]:
        """Every weight file of the set."""
        return (self.quality.weights, self.image_text.weights)

    def hashes(self) -> dict[str, str]:
        """What makes two runs of inference comparable: the sha256 of each role's file, fetched
        where it is missing, and under "set" of all settings that scores and vectors depend on.

        Raises:
          UsageError: a weight file is missing, wrong, or cannot be downloaded.
        """
        files = {}
        for weights in self.weights:
            path = fetch(weights)  # checked: a verified file has the hash that the set says
            files[weights.role] = weights.sha256 if weights.verified else sha256_of(path)
        return files | {"set": self._settings_hash()}

    def _settings_hash(self) -> str:
        settings = [
            [self.quality.network, _portable(self.quality.config)],
            [self.quality.direction, self.quality.low, self.quality.high],
            [self.image_text.network, _portable(self.image_text.config)],
            [self.image_text.logit_scale, self.image_text.min_probability],
            [self.image_text.min_margin],
            [[domain.name, domain.sentences] for domain in (*self.domains, *self.rejects)],
        ]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _portable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the hash of a file for its path, the same on every machine."""
    return {
        name: sha256_of(value) if isinstance(value, Path) else value
        for name, value in config.items()
    }
