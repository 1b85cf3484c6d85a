"""Control examples: a picture with its depth map, object mask, edges or a drawing of its contours.

Source: paper, section 3.2 and A.3.2.

Each picture is decoded once for all of them. Every map is made at its network's detection size and
then resized to the target (FACTS 75). The networks then look at the target as it is stored, and
what they see is compared with the condition: the row's check. Edges are also taken from the depth
map and from the mask, by the same network, as variants (FACTS 31).
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from instruct_imagen_data import agreement, images, keys, schema, tasks
from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.annotators.precision import BATCH
from instruct_imagen_data.schema import Check, Derived, Encoded, Reference, Variant
from instruct_imagen_data.stages.blocks import Reject, sift
from instruct_imagen_data.stages.derived import (
    Made,
    Networks,
    SourceBlock,
    Target,
    Terms,
    describe,
    made,
    target_of,
)
from instruct_imagen_data.stages.kept import Kept

STAGE = "control"
ROLES: Mapping[str, tuple[str, ...]] = {  # dataset -> networks; the first makes its condition
    "depth_webli": ("depth",),
    "mask_webli": ("mask",),
    "edge_webli": ("edge", "depth", "mask"),
    "sketch2image": ("contour",),
}
TEXTS = {"depth": "depth map", "mask": "object mask", "edge": "edge image", "contour": "sketch"}
_OF_LINES = ("edge", "contour")
MIN_LINES = 0.001  # share of the pixels that are on a line, below which there are no edges
_LINE = 128  # of 255: from here on a pixel is on a line
CHECKS = {**agreement.CHECKS, "contour": agreement.CHECKS["sketch"]}  # by network


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A picture as target, and what the networks see in it.

    Attributes:
      kept: The corpus' row.
      target: As stored.
      maps: Role to the map of the picture, at its detection size.
      again: Role to the map of the target.
      edges: Of the depth map and of the mask, where there are such.
    """

    kept: Kept
    target: Target
    maps: Mapping[str, Map]
    again: Mapping[str, Map]
    edges: Mapping[str, Map]


def condition(role: str, found: Map, width: int, height: int) -> np.ndarray:
    """A map as a condition: uint8 [height, width], the target's size.

    Raises:
      Reject: `flat_depth`, `no_object` (no sure object, a speck, or nearly all) or `no_edges`.
    """
    try:
        if role == "mask":
            return maps.binary_mask(found, width, height)
        pixels = maps.depth_map(found) if role == "depth" else found.pixels
    except maps.Refused as error:
        raise Reject("no_object" if role == "mask" else error.reason, error.detail) from error
    pixels = maps.to_size(pixels, width, height)
    if role in _OF_LINES:
        share = float(np.mean(pixels >= _LINE))
        if share < MIN_LINES:
            raise Reject("no_edges", "", share, MIN_LINES)
    return pixels


def check(role: str, asked: np.ndarray, again: Map) -> Check:
    """How well the target fulfils a condition: 0 where the network finds no such thing in it."""
    name, agree = CHECKS[role]
    height, width = asked.shape
    try:
        return Check(name, agree(asked, condition(role, again, width, height)))
    except Reject:
        return Check(name, 0.0)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """A map uint8 [h, w] as a picture [h, w, 3]."""
    return np.repeat(pixels[..., None], 3, axis=2)


def _as_pictures(rgb: np.ndarray, found: Mapping[str, Map]) -> dict[str, np.ndarray]:
    """The depth map and the object mask as pictures for the edge network, but for refused ones."""
    height, width = rgb.shape[:2]
    pictures = {}
    for role in ("depth", "mask"):
        try:
            pictures[role] = _grey(condition(role, found[role], width, height))
        except Reject:
            continue
    return pictures


def look(rows: Sequence[Kept], networks: Networks, roles: Sequence[str], side: int) -> list[Seen]:
    """What the networks see in some pictures, few enough to be held in full."""
    pictures = [images.read(row.image.image.bytes, images.STORED) for row in rows]
    targets = [target_of(picture, side) for picture in pictures]

    def run(role: str, seen: Sequence[np.ndarray]) -> list[Map]:
        network = networks.by_role[role]
        found: list[Map] = network([network.prepare(rgb) for rgb in seen])
        return found

    seen = {role: run(role, [picture.rgb for picture in pictures]) for role in roles}
    again = {role: run(role, [target.rgb for target in targets]) for role in roles}
    by_picture = [{role: found[i] for role, found in seen.items()} for i in range(len(rows))]
    edges: list[dict[str, Map]] = [{} for _ in rows]
    if "edge" in roles:
        drawn = [
            (i, role, picture)
            for i, found in enumerate(by_picture)
            for role, picture in _as_pictures(pictures[i].rgb, found).items()
        ]
        lines = run("edge", [picture for _, _, picture in drawn])
        for (i, role, _), found_lines in zip(drawn, lines, strict=True):
            edges[i][role] = found_lines
    return [
        Seen(row, targets[i], by_picture[i], {role: again[role][i] for role in roles}, edges[i])
        for i, row in enumerate(rows)
    ]


def _png(pixels: np.ndarray, key: str, name: str) -> Encoded:
    return Encoded(images.encode_png(pixels), f"{key[:16]}.{name}.png")


def _variants(seen: Seen, key: str, width: int, height: int) -> tuple[Variant, ...]:
    """Edges of the depth map and of the mask; those that show none are left out."""
    variants = []
    for name, found in seen.edges.items():
        try:
            pixels = condition("edge", found, width, height)
        except Reject:
            continue
        variants.append(Variant(name, _png(pixels, key, f"edge-of-{name}")))
    return tuple(variants)


def example(seen: Seen, dataset: str, licences: Mapping[str, str], terms: Terms) -> Derived:
    """The row of one dataset.

    Raises:
      Reject: `flat_depth`, `no_object`, `no_edges`, `licence` or `check`.
    """
    image, role = seen.kept.image, ROLES[dataset][0]
    height, width = seen.target.rgb.shape[:2]
    key = keys.derived_key(dataset, (image.key,))
    asked = condition(role, seen.maps[role], width, height)
    reference = Reference(
        marker=1,
        role="sketch" if role == "contour" else role,
        text=TEXTS[role],
        image=_png(asked, key, role),
        aligned=True,
        variants=_variants(seen, key, width, height) if role == "edge" else (),
    )
    return Derived(
        key=key,
        task=tasks.DATASETS[dataset].task,
        dataset=dataset,
        caption=image.caption,
        image=Encoded(seen.target.encoded, f"{key[:16]}.jpg"),
        width=width,
        height=height,
        references=(reference,),
        slots=(),
        checks=terms.check([check(role, asked, seen.again[role])]),
        licence=terms.licence([image.licence, *(licences[each] for each in ROLES[dataset])]),
        sources=(image.key,),
        split=seen.kept.split,
    )


def _licensed(row: Kept, terms: Terms) -> Kept:
    terms.licence([row.image.licence])
    return row


def _describe(row: Kept | Seen, reject: Reject, stage: str) -> schema.RejectRow:
    kept = row.kept if isinstance(row, Seen) else row
    return describe(kept.image, reject, stage)


def _shape(row: Kept) -> tuple[float, str]:
    return row.image.width / row.image.height, row.image.key


def control_block(
    block: SourceBlock, networks: Networks, *, terms: Terms, side: int, stage: str = STAGE
) -> dict[str, Made]:
    """Kept pictures in; rows and rejects of the control datasets out.

    Pictures of like shape are looked at together, so that they share batches.
    """
    roles = [role for role in TEXTS if any(role in ROLES[name] for name in block.datasets)]
    refuse = functools.partial(_describe, stage=stage)
    usable, refused = sift(block.rows, functools.partial(_licensed, terms=terms), refuse)
    rows: dict[str, list[Derived]] = {name: [] for name in block.datasets}
    rejects = {name: list(refused) for name in block.datasets}
    together = iter(sorted(usable, key=_shape))
    while some := list(itertools.islice(together, BATCH)):
        seen = look(some, networks, roles, side)
        for name in block.datasets:
            make = functools.partial(example, dataset=name, licences=networks.licences, terms=terms)
            kept, lost = sift(seen, make, refuse)
            rows[name] += kept
            rejects[name] += lost
    place = {key: i for i, key in enumerate(block.keys)}
    return {
        name: made(
            sorted(rows[name], key=lambda row: place[row.sources[0]]),
            sorted(rejects[name], key=lambda row: place[row.key]),
        )
        for name in block.datasets
    }
