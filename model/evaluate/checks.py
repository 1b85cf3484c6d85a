"""How well a picture fulfils the conditions of a row, by the networks that made the rows.

The checks are those of the examples (their column `checks`): maps seen in the picture against the
reference, and cosines of an image-text network. This file alone of `model` knows annotators: what
trains and what draws must not depend on them, what judges must be the same networks.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from instruct_imagen_data import agreement
from instruct_imagen_data.annotators import maps, model_set
from instruct_imagen_data.annotators.maps import Map
from model.batches import pictures
from model.batches.records import Pixels
from model.evaluate.rows import CENTRE, Cited, Row

IMAGE_TEXT = "image_text"
_MAPS = {"depth": "depth", "mask": "mask", "edge": "edge", "sketch": "edge"}  # role -> network
_LIKENESS = {
    "style": "style_similarity",
    "subject": "subject_similarity",
    "face": "subject_similarity",
    "content": "content_similarity",
}
SIDE = 256  # pixels at which pictures are judged: enlarged to it, where the network's are smaller


def needed(rows: Iterable[Row]) -> list[str]:
    """The networks that judge some rows, by role in a model set."""
    roles = {one.role for row in rows for one in row.references}
    return sorted({IMAGE_TEXT, *(_MAPS[role] for role in roles if role in _MAPS)})


def load(models: str, roles: Iterable[str], device: str) -> dict[str, Any]:
    """The networks of a model set, by role; in fp32, so that scores do not depend on the machine.

    Raises:
      UsageError: no such set, it lacks a role, or a weight file is missing.
    """
    found = model_set.load_set(models)
    return {role: model_set.load_role(found, role, device=device) for role in roles}


def judge(
    rows: Sequence[Row], drawn: Sequence[Pixels], networks: Mapping[str, Any]
) -> list[dict[str, float]]:
    """The checks of a picture for each row, by name; 0 to 1, higher is better."""
    enlarged = [_sized(picture) for picture in drawn]
    found: list[dict[str, float]] = [{} for _ in rows]
    _by_maps(rows, enlarged, networks, found)
    _by_likeness(rows, enlarged, networks[IMAGE_TEXT], found)
    return found


def _sized(picture: Pixels) -> Pixels:
    made = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(made)


def _by_maps(
    rows: Sequence[Row],
    drawn: Sequence[Pixels],
    networks: Mapping[str, Any],
    found: list[dict[str, float]],
) -> None:
    for role, (name, agree) in agreement.CHECKS.items():
        asked = [
            (place, one)
            for place, row in enumerate(rows)
            for one in row.references
            if one.role == role
        ]
        if not asked:
            continue
        network = networks[_MAPS[role]]
        seen = network([network.prepare(drawn[place]) for place, _ in asked])
        for (place, one), again in zip(asked, seen, strict=True):
            condition = _shown(one)[..., 0]
            try:
                found[place][name] = float(agree(condition, _condition(role, again)))
            except maps.Refused:  # there is no object, or no depth, in the picture
                found[place][name] = 0.0


def _condition(role: str, found: Map) -> np.ndarray:
    """A map as the condition that it would be. Raises maps.Refused where it would be none."""
    if role == "mask":
        return maps.binary_mask(found, SIDE, SIDE)
    pixels = maps.depth_map(found) if role == "depth" else found.pixels
    return maps.to_size(pixels, SIDE, SIDE)


def _by_likeness(
    rows: Sequence[Row], drawn: Sequence[Pixels], clip: Any, found: list[dict[str, float]]
) -> None:
    vectors = clip.images([clip.prepare(picture) for picture in drawn])
    for vector, row, checks in zip(vectors, rows, found, strict=True):
        for name in dict.fromkeys(_LIKENESS.values()):
            alike = [one for one in row.references if _LIKENESS.get(one.role) == name]
            if alike:
                others = clip.images([clip.prepare(_shown(one)) for one in alike])
                checks[name] = _share(np.mean(others @ vector))
        if row.caption:
            (text,) = clip.texts([row.caption])
            checks["caption_similarity"] = _share(text @ vector)


def _shown(one: Cited) -> Pixels:
    """A reference at the size at which pictures are judged."""
    return pictures.shown(one.image, SIDE, CENTRE, one.role)


def _share(cosine: Any) -> float:
    return float(np.clip(cosine, 0, 1))
