"""Photos with drawings of them: a row for each drawing, whose target is the photo (Table 1).

Drawings are turned to white lines on black, as edges are, and brought to the target's size. The
check asks whether the edges that a network sees in the target lie where the drawing's lines are.
"""

import dataclasses
import functools

import numpy as np

from instruct_imagen_data import agreement, images, keys, schema, tasks
from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.schema import Check, Derived, Encoded, RawPair, Reference, RejectRow
from instruct_imagen_data.sources.sketches import IMAGES
from instruct_imagen_data.stages.blocks import Reject, sift
from instruct_imagen_data.stages.captions import with_captions
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
from instruct_imagen_data.stages.opened import Opened
from instruct_imagen_data.stages.pictures import describe_pair, open_pair

STAGE = "sketch"
DATASET = "sketch2image"
ROLES = {DATASET: ("edge",)}
TEXT = "sketch"
_MAX_SKEW = 0.02  # a drawing whose sides have another ratio than the photo's is of another crop


@dataclasses.dataclass(frozen=True, slots=True)
class Photo:
    """A photo as target.

    Attributes:
      opened: The photo and its drawings, as read.
      image: What is known of the photo.
      target: As stored.
    """

    opened: Opened
    image: schema.Image
    target: Target


def photo_of(opened: Opened, terms: Terms, limits: images.Limits, side: int) -> Photo:
    """The photo of a group, decoded.

    Raises:
      Reject: `no_photo`, `no_drawing`, `licence` or one of images.REASONS.
    """
    first = opened.pairs[0]
    if not first.origin.startswith(f"{IMAGES}/"):
        raise Reject("no_photo")
    if len(opened.pairs) == 1:
        raise Reject("no_drawing")
    terms.licence([first.licence])
    image, picture = open_pair(first, limits)
    return Photo(opened, image, target_of(picture, side))


def lines_of(rgb: np.ndarray, width: int, height: int) -> np.ndarray:
    """A drawing uint8 [h, w, 3] as white lines on black, uint8 [height, width].

    Raises:
      Reject: `misaligned`: its sides do not have the photo's ratio.
    """
    ratio = rgb.shape[1] / rgb.shape[0] * height / width
    # a side of the target is rounded to a pixel
    if abs(ratio - 1) > _MAX_SKEW + 1 / min(width, height):
        raise Reject("misaligned", f"{rgb.shape[1]}x{rgb.shape[0]}", ratio, 1.0)
    grey = np.round(rgb.mean(axis=2)).astype(np.uint8)
    if grey.mean() > 127:
        grey = 255 - grey
    return maps.to_size(grey, width, height)


def example(
    drawing: RawPair, photo: Photo, edges: Map, terms: Terms, limits: images.Limits, licence: str
) -> Derived:
    """The row of one drawing.

    Args:
      edges: What the edge network sees in the photo as target.
      licence: Of that network.

    Raises:
      Reject: `misaligned`, `licence`, `check` or one of images.REASONS.
    """
    image, picture = open_pair(drawing, limits)
    sources = (photo.image.key, image.key)
    key = keys.derived_key(DATASET, sources)
    height, width = photo.target.rgb.shape[:2]
    lines = lines_of(picture.rgb, width, height)
    seen = maps.to_size(edges.pixels, width, height)
    name, agree = agreement.CHECKS["sketch"]
    drawn = Encoded(images.encode_png(lines), f"{key[:16]}.sketch.png")
    return Derived(
        key=key,
        task=tasks.DATASETS[DATASET].task,
        dataset=DATASET,
        caption=photo.image.caption,
        image=Encoded(photo.target.encoded, f"{key[:16]}.jpg"),
        width=width,
        height=height,
        references=(Reference(1, "sketch", TEXT, drawn, True, ()),),
        slots=(),
        checks=terms.check([Check(name, agree(lines, seen))]),
        licence=terms.licence([photo.image.licence, image.licence, licence]),
        sources=sources,
        split=photo.opened.split,
    )


def sketch_block(
    block: SourceBlock, networks: Networks, *, terms: Terms, limits: images.Limits, side: int
) -> dict[str, Made]:
    """Photos with their drawings in; rows and rejects of the dataset out."""
    edge, licence = networks.by_role["edge"], networks.licences["edge"]
    rows: list[Derived] = []
    rejects: list[RejectRow] = []
    see = functools.partial(photo_of, terms=terms, limits=limits, side=side)
    photos: list[Photo] = []
    for opened in (one for one in block.rows if one.pairs):
        found, refused = sift([opened], see, _refuse_opened)
        photos += found
        for reject in refused:
            rejects += [reject, *_refuse_all(opened.pairs[1:], Reject("no_photo", reject.reason))]
    photos, silent = _captioned(photos, networks)
    rejects += silent
    edges = edge([edge.prepare(photo.target.rgb) for photo in photos])
    for photo, seen in zip(photos, edges, strict=True):
        make = functools.partial(
            example, photo=photo, edges=seen, terms=terms, limits=limits, licence=licence
        )
        made_of, refused = sift(photo.opened.pairs[1:], make, _refuse_pair)
        rows += made_of
        rejects += refused
        if not made_of:
            rejects.append(describe(photo.image, Reject("no_drawing", "none was usable"), STAGE))
    return {DATASET: made(rows, rejects)}


def _captioned(photos: list[Photo], networks: Networks) -> tuple[list[Photo], list[RejectRow]]:
    """(photos with their captions, a reject for each picture of a photo that has none)."""
    told = with_captions(
        [one.image for one in photos], [one.target.rgb for one in photos], networks
    )
    kept: list[Photo] = []
    rejects: list[RejectRow] = []
    for photo, image in zip(photos, told, strict=True):
        if image.caption:
            kept.append(dataclasses.replace(photo, image=image))
        else:
            why = Reject("no_photo", "no_caption")
            rejects.append(describe(photo.image, Reject("no_caption"), STAGE))
            rejects += _refuse_all(photo.opened.pairs[1:], why)
    return kept, rejects


_refuse_pair = functools.partial(describe_pair, stage=STAGE)


def _refuse_opened(opened: Opened, reject: Reject) -> RejectRow:
    return _refuse_pair(opened.pairs[0], reject)


def _refuse_all(pairs: tuple[RawPair, ...], reject: Reject) -> list[RejectRow]:
    return [_refuse_pair(pair, reject) for pair in pairs]
