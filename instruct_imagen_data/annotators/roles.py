"""What a model set declares: the roles, their networks, and the thresholds that fit them."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from instruct_imagen_data.annotators.weights import Weights, fetch, sha256_of
from instruct_imagen_data.errors import UsageError

CORPUS = ("quality", "image_text")  # roles of every set; those that a corpus is measured with
OPTIONAL = ("depth", "edge", "mask", "contour", "style_transfer", "captioner", "styler")
# Keys of configs that decide no result: where answers are kept, what they cost, how long to wait.
NO_SETTINGS = ("answers", "max_cost", "input_price", "output_price", "timeout", "retries")


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
class Role:
    """A network that a set may do without: those of OPTIONAL, which stage 2 is derived with.

    Attributes:
        network: A name in NETWORKS.
        weights: Its file, or None for a network behind an endpoint or in a folder of its config.
        config: What the network's `load` wants.
        licence: What may be done with what it makes: that of the weights.
    """

    network: str
    weights: Weights | None
    config: Mapping[str, Any]
    licence: str


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
class Filters:
    """Cosines of the image-text network that stage 2 filters by.

    Attributes:
        subject_low: Least mean cosine of the pictures of a page that show one subject (FACTS 56),
        subject_high: and the greatest: above it they are copies.
        caption: Least cosine of a styled picture and its caption (FACTS 5, 108).
        copy: Greatest cosine of a styled picture and its style: above it, it repeats that picture.
    """

    subject_low: float
    subject_high: float
    caption: float
    copy: float


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
    filters: Filters
    domains: tuple[Domain, ...]
    rejects: tuple[Domain, ...]
    depth: Role | None = None
    edge: Role | None = None
    mask: Role | None = None
    contour: Role | None = None
    style_transfer: Role | None = None
    captioner: Role | None = None
    styler: Role | None = None

    @property
    def roles(self) -> dict[str, QualityRole | ImageTextRole | Role]:
        """The roles that the set declares, by name."""
        declared = {name: getattr(self, name) for name in (*CORPUS, *OPTIONAL)}
        return {name: role for name, role in declared.items() if role is not None}

    @property
    def weights(self) -> tuple[Weights, ...]:
        """Every weight file of the set."""
        return tuple(role.weights for role in self.roles.values() if role.weights is not None)

    def role(self, name: str) -> QualityRole | ImageTextRole | Role:
        """The role of a name.

        Raises:
          UsageError: the set does not declare it; says what to add.
        """
        if name not in self.roles:
            raise UsageError(
                f"model set {self.name} has no {name!r} network: add a table [{name}] with network,"
                f" weights, sha256, licence, source and config to {self.path}, or name another set"
            )
        return self.roles[name]

    def hashes(self, roles: Sequence[str] = CORPUS) -> dict[str, str]:
        """What makes two runs of inference comparable: the sha256 of each role's file, fetched
        where it is missing, and under "set" of all settings that the roles' results depend on.

        Raises:
          UsageError: the set lacks a role; a file is missing, wrong, or cannot be downloaded.
        """
        files = {}
        for name in roles:
            weights = self.role(name).weights
            if weights is not None:
                path = fetch(weights)  # checked: a verified file has the hash that the set says
                files[name] = weights.sha256 if weights.verified else sha256_of(path)
        return files | {"set": self._settings_hash(roles)}

    def _settings_hash(self, roles: Sequence[str]) -> str:
        """Of the roles' networks and configs, and of what is read out of a corpus's scores."""
        settings: list[Any] = []
        for name in sorted(roles, key=(*CORPUS, *OPTIONAL).index):
            role = self.role(name)
            settings.append([role.network, _portable(name, role.config)])
            if isinstance(role, QualityRole):
                settings.append([role.direction, role.low, role.high])
            if isinstance(role, ImageTextRole):
                domains = (*self.domains, *self.rejects)
                settings.append([role.logit_scale, role.min_probability])
                settings.append([role.min_margin])
                settings.append([[domain.name, domain.sentences] for domain in domains])
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _portable(role: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the hash of a file or folder for its path, the same on every machine."""
    config = {name: value for name, value in config.items() if name not in NO_SETTINGS}
    paths = {name: value for name, value in config.items() if isinstance(value, Path)}
    for name, path in paths.items():
        if not path.exists():
            raise UsageError(f"{role}: nothing at {path}, which its config calls {name!r}")
    return {**config, **{name: sha256_of(path) for name, path in paths.items()}}
