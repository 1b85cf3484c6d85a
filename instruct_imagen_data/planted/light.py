"""The light on a traced object: sun, sky, highlight, crevices and the shadow it casts."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted.solids import Array, Vector, f32

SUPERSAMPLE = 1.5  # objects are traced finer than the picture, then shrunk: smooth outlines


@dataclass(frozen=True)
class Light:
    """Directions point towards the light (camera space, y up); colours are linear RGB."""

    sun: Vector = (-0.5, 0.8, 0.6)
    sun_colour: Vector = (1.0, 0.97, 0.9)
    sky_colour: Vector = (0.42, 0.46, 0.52)
    ground_colour: Vector = (0.24, 0.22, 0.2)


def lit_by(albedo: Array, gloss: Array, n: Array, light: Light) -> Array:
    """Outgoing light [n, 3]: a soft-edged Lambert sun, a sky dome, and a highlight."""
    sun = np.array(light.sun, np.float32)
    sun /= np.linalg.norm(sun)
    facing = sun @ n
    direct = np.clip(facing * 0.85 + 0.15, 0, 1)
    up = (n[1] * 0.5 + 0.5)[:, None]
    sky, ground = f32(light.sky_colour), f32(light.ground_colour)
    ambient = up * sky + (1 - up) * ground
    sun_colour = f32(light.sun_colour)
    halfway = sun + np.array([0, 0, 1], np.float32)
    halfway /= np.linalg.norm(halfway)
    sheen = np.maximum(halfway @ n, 0) ** 40 * gloss
    rim = (1 - np.clip(n[2], 0, 1)) ** 3 * 0.18 * up[:, 0]
    lit = albedo * (direct[:, None] * sun_colour + ambient + rim[:, None] * sky)
    return np.asarray(lit + (sheen * 0.9)[:, None] * sun_colour, np.float32)


def crevices(relief: Array, seen: NDArray[np.bool_], zoom: float) -> Array:
    """A factor [h, w] in [0.55, 1] that darkens what lies deeper than its surroundings."""
    # Depth darkening (Luft et al. 2006): compare the depth with its own blur, a quarter in size.
    size = (max(relief.shape[1] // 4, 1), max(relief.shape[0] // 4, 1))
    small = cv2.resize(relief * seen, size, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    sigma = max(zoom * 0.035, 0.6)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma) / np.maximum(
        cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3
    )
    around = cv2.resize(blurred, relief.shape[::-1], interpolation=cv2.INTER_LINEAR)
    deeper = np.clip((around - relief) / (0.35 * zoom), 0, 1)
    return np.asarray(1 - 0.45 * deeper, np.float32)


def cast_shadow(
    points: Array,
    rotation: Array,
    light: Light,
    offset: Array,
    zoom: float,
    shape: tuple[int, int],
    corner: tuple[int, int],
) -> Array:
    """Share [h, w] of the sun that the visible points [3, n] of a model take from the floor y = 0.

    Each point slides along the light to the floor and is counted where it lands, at half size.
    """
    height, width = shape
    if points.shape[1] == 0:
        return np.zeros(shape, np.float32)
    sun = np.array(light.sun, np.float32)
    fall = rotation.T @ (sun / np.linalg.norm(sun))  # in model space
    landed = points - fall[:, None] * (np.maximum(points[1], 0) / max(float(fall[1]), 0.35))
    landed[1] = 0
    x, y, _ = rotation @ landed * np.float32(zoom) + offset[:, None]
    columns = ((x / SUPERSAMPLE + corner[1]) / 2).astype(int)
    rows = ((-y / SUPERSAMPLE + corner[0]) / 2).astype(int)
    h, w = height // 2 + 1, width // 2 + 1
    inside = (columns >= 0) & (columns < w) & (rows >= 0) & (rows < h)
    counts = np.bincount(rows[inside] * w + columns[inside], minlength=h * w).reshape(h, w)
    covered = np.minimum(counts.astype(np.float32) / 5, 1)
    sigma = max(height / 110, 0.8)
    soft = np.minimum(cv2.GaussianBlur(covered, (0, 0), sigma) * 1.25, 1)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
