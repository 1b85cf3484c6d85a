"""Which domain a picture belongs to: its vector against the sentences of each domain."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from instruct_imagen_data.annotators.roles import Domain


@dataclasses.dataclass(frozen=True, slots=True)
class Routing:
    """The best domain of each of n pictures."""

    index: np.ndarray  # int64 [n], into the domains as they were given
    probability: np.ndarray  # float32 [n], of the best
    margin: np.ndarray  # float32 [n], cosine of the best less that of the second best


def sentence_vectors(
    domains: Sequence[Domain], texts: Callable[[list[str]], np.ndarray]
) -> np.ndarray:
    """A unit vector float32 [len(domains), d] for each domain: the mean of its sentences'."""
    means = np.stack([texts(list(domain.sentences)).mean(axis=0) for domain in domains])
    unit: np.ndarray = means / np.linalg.norm(means, axis=1, keepdims=True)
    return unit


def route(images: np.ndarray, domains: np.ndarray, logit_scale: float) -> Routing:
    """The best of the domains [k, d] for each picture [n, d], all unit vectors.

    Softmax over scaled cosines. Source: CLIP, Radford et al. 2021, section 3.1.
    """
    cosine = images.astype(np.float32) @ domains.T.astype(np.float32)  # [n, k]
    index = cosine.argmax(axis=1)
    best_two = np.sort(cosine, axis=1)[:, -2:]
    weight = np.exp(logit_scale * (cosine - best_two[:, 1:]))  # 1 for the best
    return Routing(
        index=index,
        probability=(1 / weight.sum(axis=1)).astype(np.float32),
        margin=(best_two[:, 1] - best_two[:, 0]).astype(np.float32),
    )
