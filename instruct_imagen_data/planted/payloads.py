"""The bytes of one planned pair: rendered, spoilt, copied or broken, then encoded."""

from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from instruct_imagen_data.planted.degrade import degrade
from instruct_imagen_data.planted.draws import between, generator
from instruct_imagen_data.planted.pages import reject_picture
from instruct_imagen_data.planted.scene import View
from instruct_imagen_data.planted.views import render
from instruct_imagen_data.planted.web import Planned

Pixels = NDArray[np.uint8]
Rng = np.random.Generator

_NOT_IMAGES = (
    b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n<body><h1>Not Found</h1>"
    b"<p>The requested URL was not found on this server.</p></body></html>\n",
    b"<html><body><script>window.location='https://login.example/'</script></body></html>\n",
    b'{"error": {"code": 403, "message": "hotlinking is not allowed"}}\n',
    b"The image you are looking for has been removed by its owner.\n" * 4,
)


@dataclass(frozen=True, eq=False)
class Payload:
    """What is stored for a pair.

    Attributes:
        image: The file's bytes.
        width: Pixels, as the picture was made; 0 where there is none.
        height: Pixels.
        view: The picture with its maps, where the pair is an entity's own good or bad view.
    """

    image: bytes
    width: int
    height: int
    view: View | None


def payload(planned: Planned, original: Planned | None, seed: int) -> Payload:
    """The bytes of a pair; a copy needs the pair it was copied from."""
    rng = generator("payload", seed, planned.number)
    if planned.defect is not None:
        return _broken(planned, seed, rng)
    if planned.reject_class is not None:
        pixels = reject_picture(planned.reject_class, planned.view_index, seed, planned.side)
        return _stored(pixels, "JPEG", int(rng.integers(80, 95)), None)
    if original is not None:
        return _copied(planned, original, seed, rng)
    view = _view(planned, seed)
    pixels = view.rgb
    if planned.degradation is not None:
        pixels = degrade(pixels, planned.degradation, float(rng.random()), rng)
    return _stored(pixels, *_coding(planned, seed), view)


def encode(pixels: Pixels, coding: str, quality: int) -> bytes:
    """The picture as a JPEG, PNG or WEBP file."""
    held = BytesIO()
    options = {"optimize": True} if coding == "JPEG" else {}
    Image.fromarray(pixels).save(held, coding, quality=quality, **options)
    return held.getvalue()


def _view(planned: Planned, seed: int) -> View:
    assert planned.entity is not None
    return render(planned.entity, planned.view_index, seed, planned.side)


def _coding(planned: Planned, seed: int) -> tuple[str, int]:
    """File type and quality of a pair's own picture."""
    quality = int(generator("quality", seed, planned.number).integers(80, 96))
    if planned.trap == "wrong_extension":
        return "PNG", quality
    return {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[planned.extension], quality


def _stored(pixels: Pixels, coding: str, quality: int, view: View | None) -> Payload:
    height, width = pixels.shape[:2]
    return Payload(encode(pixels, coding, quality), width, height, view)


def _copied(planned: Planned, original: Planned, seed: int, rng: Rng) -> Payload:
    """The original's picture as another site shows it."""
    pixels = _view(original, seed).rgb
    if planned.copy_kind == "exact":
        return _stored(pixels, *_coding(original, seed), None)
    if planned.copy_kind in ("resized", "same_caption"):
        pixels = _resized(pixels, between(rng.random(), 0.6, 0.9))
    if planned.copy_kind == "cropped":
        pixels = _cropped(pixels, rng)
    return _stored(pixels, "JPEG", int(rng.integers(55, 80)), None)


def _resized(pixels: Pixels, scale: float) -> Pixels:
    return np.asarray(
        cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )


def _cropped(pixels: Pixels, rng: Rng) -> Pixels:
    """2 to 5 % of the width and of the height cut off, unevenly from the two sides."""
    h, w = pixels.shape[:2]
    cut_h, cut_w = (max(round(between(rng.random(), 0.02, 0.05) * n), 1) for n in (h, w))
    top, left = int(rng.integers(0, cut_h + 1)), int(rng.integers(0, cut_w + 1))
    return np.ascontiguousarray(pixels[top : top + h - cut_h, left : left + w - cut_w])


def _broken(planned: Planned, seed: int, rng: Rng) -> Payload:
    """A file that is unusable for the pair's one defect and fine otherwise."""
    if planned.defect == "empty_image":
        return Payload(b"", 0, 0, None)
    if planned.defect == "not_an_image":
        return Payload(_NOT_IMAGES[int(rng.integers(len(_NOT_IMAGES)))], 0, 0, None)
    pixels = _view(planned, seed).rgb
    if planned.defect == "too_small":
        pixels = _resized(pixels, float(rng.uniform(18, 58)) / planned.side)
    if planned.defect == "aspect_ratio":
        pixels = _strip(pixels, rng)
    whole = _stored(pixels, "JPEG", int(rng.integers(80, 95)), None)
    if planned.defect == "truncated":
        kept = int(between(rng.random(), 0.3, 0.7) * len(whole.image))
        return Payload(whole.image[:kept], whole.width, whole.height, None)
    return whole


def _strip(pixels: Pixels, rng: Rng) -> Pixels:
    """A band out of the picture, 6 to 9 times as long as wide; lying or standing."""
    ratio, wide = between(rng.random(), 6.1, 9.0), int(rng.integers(72, 120))
    h, w = pixels.shape[:2]
    band = pixels[h // 3 : h // 3 + max(round(w / ratio), 2)]
    long = int(np.ceil(wide * ratio))
    strip = cv2.resize(band, (long, wide), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(strip if rng.random() < 0.6 else strip.transpose(1, 0, 2))
