"""Captions for pictures that came without one: a shared primitive of the jobs that read folders."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from instruct_imagen_data import keys, schema
from instruct_imagen_data.annotators.captioner import Captioner, NoCaption
from instruct_imagen_data.stages.derived import Networks

ROLE = "captioner"  # a role that a model set may do without


def with_captions(
    images: Sequence[schema.Image], pictures: Sequence[np.ndarray], networks: Networks
) -> list[schema.Image]:
    """Images, those without a caption with the captioner's, where there is one.

    A caption that a model wrote is under that model's licence, too. What the captioner refuses
    stays without a caption.

    Args:
      images: What is known of the pictures.
      pictures: Their pixels, uint8 [h, w, 3] each.
    """
    found = list(images)
    captioner: Captioner | None = networks.by_role.get(ROLE)
    silent = [i for i, image in enumerate(found) if not image.caption]
    if captioner is None or not silent:
        return found
    licence = networks.licences[ROLE]
    for i, caption in zip(silent, captioner.captions([pictures[i] for i in silent]), strict=True):
        if not isinstance(caption, NoCaption):
            joined = keys.join_licences([found[i].licence, licence])
            found[i] = dataclasses.replace(found[i], caption=caption, licence=joined)
    return found
