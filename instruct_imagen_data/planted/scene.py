"""One picture of an object: a pose, a setting, light and shadow, and the maps of them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted.draws import between, generator, spread
from instruct_imagen_data.planted.models import BUILDERS, STAGES, Stage
from instruct_imagen_data.planted.settings import SETTINGS
from instruct_imagen_data.planted.settings.frame import Backdrop, Frame
from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import MOODS, thrice
from instruct_imagen_data.planted.trace import Layer, Pose, trace
from instruct_imagen_data.planted.world import Entity

Pixels = NDArray[np.uint8]
ASPECTS = (1.0, 4 / 3, 3 / 2, 3 / 4, 16 / 10, 5 / 4, 2 / 3)
_FLYING = frozenset({"air", "underwater"})


@dataclass(frozen=True, eq=False)
class View:
    """A picture and its true maps, all of one size.

    Attributes:
        rgb: uint8 [h, w, 3], sRGB.
        depth: float32 [h, w] in [0, 1], near = large.
        mask: uint8 [h, w], 255 on the object (on the main motif of a landscape or painting).
        edges: uint8 [h, w], 255 on edges.
    """

    rgb: Pixels
    depth: Array
    mask: Pixels
    edges: Pixels


def canvas_size(aspect: float, side: int) -> tuple[int, int]:
    """(height, width) of a picture of that width/height ratio whose shorter side is `side`."""
    return (side, round(side * aspect)) if aspect >= 1 else (round(side / aspect), side)


def to_pixels(linear: Array) -> Pixels:
    """Linear light [h, w, 3] as sRGB bytes; gamma 2 stands for the sRGB curve throughout."""
    return np.asarray(np.sqrt(np.clip(linear, 0, 1)) * 255 + 0.5, np.uint8)


def edge_map(rgb: Pixels) -> Pixels:
    """Canny edges of the clean picture, 255 on edges."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.Canny(cv2.GaussianBlur(grey, (0, 0), 1.0), 60, 140), np.uint8)


def object_view(entity: Entity, view_index: int, seed: int, side: int) -> View:
    """A picture of an object in one of its settings."""
    return staged(entity, view_index, seed, side)[0]


def staged(entity: Entity, view_index: int, seed: int, side: int) -> tuple[View, Layer]:
    """The same picture, and the object alone, whose relief is not cut off as a view's depth is."""
    u = spread(view_index, 12, "view", seed, entity.name, entity.noun)
    rng = generator("scene", seed, entity.name, entity.noun, view_index)
    stage = STAGES[entity.noun]
    h, w = canvas_size(ASPECTS[int(u[0] * len(ASPECTS))], side)
    setting = stage.settings[view_index % len(stage.settings)]
    mood = tuple(MOODS)[int(u[1] * len(MOODS))]
    frame = Frame(rng, h, w, between(u[2], 0.30, 0.62), -1.0 if u[3] < 0.5 else 1.0, mood)
    place = SETTINGS[setting](frame)
    pose = Pose(
        between(u[4], *stage.yaw),
        between(u[5], *stage.pitch),
        between(u[6], *stage.roll),
        u[7] < 0.5,
    )
    model = BUILDERS[entity.noun](entity, rng)
    box = _framing(stage, setting, frame, (u[8], u[9], u[10]))
    layer = trace(model, pose, place.light, (h, w), box)
    return compose(place, layer, setting == "sea", rng), layer


def _framing(
    stage: Stage, setting: str, frame: Frame, u: tuple[float, float, float]
) -> tuple[float, float, float, float]:
    """The box (left, top, right, bottom) in pixels that the object fills, standing on its foot."""
    h, w = frame.h, frame.w
    size = between(u[0], *stage.size)
    box_h, box_w = size * h * 0.94, size * w
    slack_x = w - box_w
    left = slack_x * between(u[1], 0.06, 0.94)
    if setting in _FLYING:
        bottom = box_h + (h - box_h) * between(u[2], 0.15, 0.85)
    elif setting == "table":
        bottom = h - (h - box_h) * between(u[2], 0.30, 0.70)
    else:
        lowest = max(frame.horizon + 0.10, box_h / h + 0.02)
        bottom = h * between(u[2], min(lowest, 0.92), 0.95)
    return left, bottom - box_h, left + box_w, bottom


def compose(place: Backdrop, layer: Layer, mirrored: bool, rng: np.random.Generator) -> View:
    """The backdrop with its object, shadow or reflection, and the camera's vignette and grain."""
    h, w = layer.alpha.shape
    background = place.rgb
    if place.shadow:
        background = background * thrice(1 - place.shadow * layer.shadow)
    if mirrored:
        background = _reflected(background, layer)
    linear = background * thrice(1 - layer.alpha) + layer.rgb
    y, x = np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    vignette = 1 - rng.uniform(0.02, 0.12) * (x * x + y * y)
    grain = rng.standard_normal((h, w), np.float32) * 0.008
    rgb = to_pixels(linear * thrice(vignette) + thrice(grain * 0.5))
    return View(
        rgb, _depth(place, layer), np.asarray(layer.alpha * 255 + 0.5, np.uint8), edge_map(rgb)
    )


def _reflected(background: Array, layer: Layer) -> Array:
    """The object mirrored in rippled water below its foot."""
    h, w = layer.alpha.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    foot = layer.foot - 0.02 * h
    ripple = np.sin(y * 1.1 + np.sin(x * 0.05) * 2) * 0.006 * w
    above = 2 * foot - y
    mirrored = cv2.remap(
        np.dstack([layer.rgb, layer.alpha]), x + ripple, above, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    fade = np.where(y > foot, np.exp(-(y - foot) / (0.35 * h)), 0)[..., None] * 0.6
    return np.asarray(
        background * (1 - mirrored[..., 3:] * fade) + mirrored[..., :3] * fade, np.float32
    )


def _depth(place: Backdrop, layer: Layer) -> Array:
    """Depth [h, w]: the ground's, with the object standing up from the ground at its foot."""
    h = layer.alpha.shape[0]
    row = min(int(layer.foot), h - 1)
    base = max(float(place.depth[row].mean()), 0.3)
    body = base + layer.relief / h * 0.35
    mixed = place.depth * (1 - layer.alpha) + body * layer.alpha
    return f32(np.clip(mixed, 0, 1))
