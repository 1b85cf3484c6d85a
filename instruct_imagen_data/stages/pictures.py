"""A pair as it was read, decoded and named: a shared primitive of the stages that open bytes."""

import hashlib

from instruct_imagen_data import images, keys, schema
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.stages.blocks import Reject

_SEEN_CAPTION = 2_000  # characters: CLIP's 77 tokens never reach farther
_MAX_CAPTION = 10 * _SEEN_CAPTION  # white space included
_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def key_of(pair: RawPair) -> str:
    """The key of a pair."""
    return keys.pair_key(pair.url, pair.caption, pair.image)


def open_pair(pair: RawPair, limits: images.Limits) -> tuple[schema.Image, images.Picture]:
    """(what is stored of a pair, its normalised picture).

    Raises:
      Reject: one of images.REASONS.
    """
    try:
        picture = images.read(pair.image, limits)
    except images.DecodeError as error:
        raise Reject(error.reason, error.detail) from error
    key = key_of(pair)
    encoded = schema.Encoded(picture.encoded, f"{key[:16]}.{_EXTENSIONS[picture.format]}")
    image = schema.Image(
        key=key,
        origin=pair.origin,
        url=pair.url,
        caption=pair.caption,
        image=encoded,
        width=picture.width,
        height=picture.height,
        original_width=picture.original_width,
        original_height=picture.original_height,
        reencoded=picture.reencoded,
        sha256=hashlib.sha256(pair.image).hexdigest(),
        phash=images.perceptual_hash(picture.rgb),
        licence=pair.licence,
        metadata=pair.metadata,
    )
    return image, picture


def describe_pair(pair: RawPair, reject: Reject, stage: str) -> RejectRow:
    """The reject row of a pair; it names the pair as an accepted row would."""
    return RejectRow(
        key=key_of(pair),
        origin=pair.origin,
        url=pair.url,
        stage=stage,
        reason=reject.reason,
        detail=reject.detail,
        sha256=hashlib.sha256(pair.image).hexdigest(),
        survivor="",
        value=reject.value,
        threshold=reject.limit,
    )


def start_of(caption: str) -> str:
    """As much of a caption as a text network takes in.

    A tokenizer's time is quadratic in the length of a word, and captions of 1 MB are met.
    """
    return " ".join(caption[:_MAX_CAPTION].split())[:_SEEN_CAPTION]
