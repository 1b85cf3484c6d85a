"""From a model to pixels: parallel rays, a z-buffer of parts, then patterns and light."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data.planted.light import SUPERSAMPLE, Light, cast_shadow, crevices, lit_by
from instruct_imagen_data.planted.parts import Model, Part, turn
from instruct_imagen_data.planted.patterns import Paint, blend
from instruct_imagen_data.planted.solids import Array, f32


@dataclass(frozen=True)
class Pose:
    """How the model is seen: turned about its upright axis, towards the viewer, aside; degrees."""

    yaw: float
    pitch: float
    roll: float = 0.0
    mirrored: bool = False

    def rotation(self) -> Array:
        """Model to camera space [3, 3]; a mirror image where the pose is mirrored."""
        flip = np.diag(np.array([-1 if self.mirrored else 1, 1, 1], np.float32))
        return np.asarray(flip @ turn(x=self.pitch) @ turn(y=self.yaw) @ turn(z=self.roll))


@dataclass(frozen=True)
class Layer:
    """A drawn object over nothing, at the picture's size.

    rgb [h, w, 3] linear and already multiplied by alpha [h, w]; relief [h, w]: height towards the
    viewer in pixels, 0 where there is no object; shadow [h, w]: what the object keeps the sun from
    on the floor it stands on, 0 to 1; foot: the row of the lowest point.
    """

    rgb: Array
    alpha: Array
    relief: Array
    shadow: Array
    foot: float

    @classmethod
    def empty(cls, height: int, width: int) -> Self:
        rgb = np.zeros((height, width, 3), np.float32)
        alpha, relief, shadow = np.zeros((3, height, width), np.float32)
        return cls(rgb, alpha, relief, shadow, float(height))


@dataclass(frozen=True)
class _Placed:
    part: Part
    matrix: Array  # unit space to pixels, y up
    centre: Array


def extent(model: Model, rotation: Array) -> tuple[Array, Array]:
    """Lowest and highest camera coordinates [3] of the turned model."""
    lows, highs = [], []
    for part in model:
        centre = rotation @ part.centre
        half = part.shape.extent(rotation @ part.matrix)
        lows.append(centre - half)
        highs.append(centre + half)
    return np.min(lows, 0), np.max(highs, 0)


def trace(
    model: Model,
    pose: Pose,
    light: Light,
    shape: tuple[int, int],
    box: tuple[float, float, float, float],
) -> Layer:
    """The model drawn as large as fits into box (left, top, right, bottom; pixels of a picture of
    `shape` (h, w)), standing on the box's lower edge in its middle."""
    left, top, right, bottom = box
    rotation = pose.rotation()
    low, high = extent(model, rotation)
    scale = min((right - left) / (high[0] - low[0]), (bottom - top) / (high[1] - low[1]))
    middle = (left + right) / 2
    rows, columns = _window(shape, middle, bottom, scale * (high - low))
    layer = Layer.empty(*shape)
    if columns.stop <= columns.start or rows.stop <= rows.start:
        return layer
    # Pixel (column, row) of the supersampled window = (x, -y) of the scaled model, moved.
    zoom = scale * SUPERSAMPLE
    across = (middle - columns.start) * SUPERSAMPLE - zoom * (low[0] + high[0]) / 2
    upwards = -(bottom - rows.start) * SUPERSAMPLE - zoom * low[1]
    offset = np.array([across, upwards, -zoom * (low[2] + high[2]) / 2], np.float32)
    placed = [
        _Placed(
            part, f32(zoom * rotation @ part.matrix), f32(zoom * rotation @ part.centre + offset)
        )
        for part in model
    ]
    shrunk = (columns.stop - columns.start, rows.stop - rows.start)
    size = (int(shrunk[1] * SUPERSAMPLE), int(shrunk[0] * SUPERSAMPLE))
    colour, alpha, relief, points = _shade(placed, size, zoom, rotation, offset, light)
    for target, fine in ((layer.rgb, colour), (layer.alpha, alpha), (layer.relief, relief)):
        target[rows, columns] = cv2.resize(fine, shrunk, interpolation=cv2.INTER_AREA)
    corner = (rows.start, columns.start)
    shadow = cast_shadow(points, rotation, light, offset, zoom, shape, corner)
    return Layer(layer.rgb, layer.alpha, layer.relief / SUPERSAMPLE, shadow, float(bottom))


def _window(
    shape: tuple[int, int], middle: float, bottom: float, size: Array
) -> tuple[slice, slice]:
    """Rows and columns that hold an object of that size [width, height, ...]; even in number, so
    that they stay whole when supersampled."""
    height, width = shape
    x0 = max(int(np.floor(middle - size[0] / 2)) - 1, 0)
    y0 = max(int(np.floor(bottom - size[1])) - 1, 0)
    x1 = min(int(np.ceil(middle + size[0] / 2)) + 1, width)
    y1 = min(int(np.ceil(bottom)) + 1, height)
    return slice(y0, y1 - (y1 - y0) % 2), slice(x0, x1 - (x1 - x0) % 2)


def _visible(
    placed: list[_Placed], size: tuple[int, int]
) -> tuple[Array, Array, NDArray[np.int16]]:
    """Depth [h, w] (near = large, -inf = nothing), normals [3, h, w], part number (-1 = none)."""
    height, width = size
    depth = np.full(size, -np.inf, np.float32)
    normal = np.zeros((3, *size), np.float32)
    owner = np.full(size, -1, np.int16)
    for number, one in enumerate(placed):
        half = one.part.shape.extent(one.matrix)
        x0, x1 = (one.centre[0] + half[0] * side for side in (-1, 1))
        y0, y1 = (-one.centre[1] + half[1] * side for side in (-1, 1))
        columns = slice(max(int(x0) - 1, 0), min(int(x1) + 2, width))
        rows = slice(max(int(y0) - 1, 0), min(int(y1) + 2, height))
        if columns.start >= columns.stop or rows.start >= rows.stop:
            continue
        inverse = np.linalg.inv(one.matrix).astype(np.float32)
        x = np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5 - one.centre[0]
        y = -(np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) - one.centre[1]
        start = inverse @ np.array([0, 0, -one.centre[2]], np.float32)
        origin = (
            inverse[:, 0, None, None] * x[None, None, :]
            + inverse[:, 1, None, None] * y[None, :, None]
            + start[:, None, None]
        )
        t, local = one.part.shape.hit(origin, -inverse[:, 2])
        nearer = -t > depth[rows, columns]
        if not nearer.any():
            continue
        np.copyto(depth[rows, columns], -t, where=nearer)
        np.copyto(owner[rows, columns], number, where=nearer)
        outward = np.tensordot(inverse.T, local, 1)
        np.copyto(normal[:, rows, columns], outward, where=nearer)
    return depth, normal, owner


def _shade(
    placed: list[_Placed],
    size: tuple[int, int],
    zoom: float,
    rotation: Array,
    offset: Array,
    light: Light,
) -> tuple[Array, Array, Array, Array]:
    """Linear colour times alpha [h, w, 3], alpha and relief [h, w], visible points [3, n]."""
    depth, normal, owner = _visible(placed, size)
    seen = owner >= 0
    colour = np.zeros((*size, 3), np.float32)
    relief = np.where(seen, depth, 0).astype(np.float32)
    if not seen.any():
        return colour, seen.astype(np.float32), relief, np.zeros((3, 0), np.float32)
    at = np.flatnonzero(seen)
    rows, columns = (index.astype(np.float32) for index in np.divmod(at, size[1]))
    n = normal.reshape(3, -1).take(at, 1)
    n /= np.maximum(np.sqrt(np.einsum("in,in->n", n, n)), 1e-6)
    heights = depth.ravel()[at]
    screen = np.stack([columns + np.float32(0.5), -rows - np.float32(0.5), heights])
    model_points = rotation.T @ ((screen - offset[:, None]) / np.float32(zoom))
    model_normals = rotation.T @ n
    albedo, gloss, glow = _surface(
        [one.part.paint for one in placed], owner.ravel()[at], model_points, model_normals
    )
    lit = lit_by(albedo, gloss, n, light)
    lit *= crevices(relief, seen, zoom).ravel()[at, None]
    lit += albedo * glow[:, None]
    colour.reshape(-1, 3)[at] = lit
    relief.ravel()[at] -= heights.min()
    return colour, seen.astype(np.float32), relief, model_points


def _surface(
    paints: list[Paint], owner: NDArray[np.int16], points: Array, normals: Array
) -> tuple[Array, Array, Array]:
    """Linear albedo [n, 3], gloss [n] and glow [n] of the visible points [3, n]."""
    albedo = np.empty((owner.size, 3), np.float32)
    gloss = np.array([paint.gloss for paint in paints], np.float32)[owner]
    glow = np.array([paint.glow for paint in paints], np.float32)[owner]
    # Parts that share a paint are coloured together, so a pattern runs on across them.
    numbers: dict[Paint, list[int]] = {}
    for number, paint in enumerate(paints):
        numbers.setdefault(paint, []).append(number)
    group = np.empty(len(paints), np.int16)
    for index, members in enumerate(numbers.values()):
        group[members] = index
    groups = group[owner]
    for index, paint in enumerate(numbers):
        chosen = np.flatnonzero(groups == index)
        if chosen.size:
            albedo[chosen] = blend(paint, points[:, chosen], normals[:, chosen])
    return albedo, gloss, glow
