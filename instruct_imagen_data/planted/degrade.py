"""Spoiling a good picture, clearly: blur, noise, over-compression, darkness."""

from collections.abc import Callable
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from instruct_imagen_data.planted.draws import between

Pixels = NDArray[np.uint8]
Rng = np.random.Generator


def _blur(rgb: Pixels, strength: float, rng: Rng) -> Pixels:
    sigma = between(strength, 0.016, 0.035) * min(rgb.shape[:2])
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), np.uint8)
    length = max(int(sigma * 5), 5)  # a shaken camera
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    middle = np.array([length / 2, length / 2])
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = [(int(p[0]), int(p[1])) for p in (middle - reach, middle + reach)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    shaken = cv2.filter2D(rgb, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.GaussianBlur(shaken, (0, 0), sigma * 0.4), np.uint8)


def _noise(rgb: Pixels, strength: float, rng: Rng) -> Pixels:
    sigma = between(strength, 34, 62)
    grains = rng.standard_normal(rgb.shape, np.float32) * sigma
    return np.asarray(np.clip(rgb + grains, 0, 255), np.uint8)


def _compression(rgb: Pixels, strength: float, rng: Rng) -> Pixels:
    h, w = rgb.shape[:2]
    shrink = between(strength, 0.62, 0.42)
    small = cv2.resize(
        rgb, (max(int(w * shrink), 8), max(int(h * shrink), 8)), interpolation=cv2.INTER_AREA
    )
    held = BytesIO()
    Image.fromarray(small).save(held, "JPEG", quality=int(between(strength, 8, 3)))
    coarse = np.asarray(Image.open(held).convert("RGB"))
    return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def _dark(rgb: Pixels, strength: float, rng: Rng) -> Pixels:
    light = between(strength, 0.16, 0.08)
    grains = rng.standard_normal(rgb.shape, np.float32) * 4
    return np.asarray(np.clip(rgb * light + grains + 3, 0, 255), np.uint8)


DEGRADATIONS: dict[str, Callable[[Pixels, float, Rng], Pixels]] = {
    "blur": _blur,
    "noise": _noise,
    "compression": _compression,
    "dark": _dark,
}


def degrade(rgb: Pixels, kind: str, strength: float, rng: Rng) -> Pixels:
    """The picture [h, w, 3] spoilt; kind is a name of DEGRADATIONS, strength runs from 0 to 1."""
    return DEGRADATIONS[kind](rgb, strength, rng)
