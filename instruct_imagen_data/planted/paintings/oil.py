"""Oil on canvas: still life, abstraction, sea."""

import cv2
import numpy as np

from instruct_imagen_data.planted import brush
from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.light import Light
from instruct_imagen_data.planted.models import BUILDERS
from instruct_imagen_data.planted.paintings.easel import Easel, Painting
from instruct_imagen_data.planted.parts import Model, moved
from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import GROUNDS, grid, ground, mix, sample, step
from instruct_imagen_data.planted.trace import Pose, trace
from instruct_imagen_data.planted.world import Entity


def still_life(easel: Easel) -> Painting:
    """Jug, bottle and fruit on a cloth, in oil."""
    rng, h, w = easel.rng, easel.h, easel.w
    x, y = grid(h, w)
    first, second, third = easel.colours()
    edge = float(rng.uniform(0.5, 0.68))
    glow = step(np.hypot(x - rng.uniform(0, 1), y), 0.1, 1.1)
    wall = mix(first * 0.55, second * 0.5 + first * 0.15, glow)
    cloth = ground(rng, h, w, edge, GROUNDS["linen"]) * third**2 * 1.1
    picture = mix(wall**2, cloth, step(y, edge, edge + 0.02))
    model = _arranged(easel)
    side = -1.0 if rng.random() < 0.5 else 1.0
    light = Light((0.9 * side, 0.7, 0.5), (1.0, 0.88, 0.7), (0.24, 0.25, 0.3), (0.2, 0.17, 0.15))
    size = rng.uniform(0.72, 0.92)
    left, bottom = w * rng.uniform(0.02, 0.98 - size), h * rng.uniform(0.86, 0.95)
    layer = trace(model, Pose(rng.uniform(-25, 25), rng.uniform(8, 24)), light, (h, w),
                  (left, bottom - h * 0.78, left + w * size, bottom))  # fmt: skip
    picture = picture * (1 - 0.65 * layer.shadow[..., None])
    picture = picture * (1 - layer.alpha[..., None]) + layer.rgb
    srgb = np.sqrt(np.clip(picture, 0, 1)).astype(np.float32)
    painted = brush.strokes(rng, srgb, between(easel.entity.shape[0], 0.06, 0.11), 0.2)
    depth = np.clip(0.2 + 0.5 * y * (y > edge) + layer.relief / h * 0.3, 0, 1)
    return Painting(painted, np.asarray(depth, np.float32), layer.alpha)


_FRUIT = (
    ((0.8, 0.2, 0.15), (0.9, 0.75, 0.3), (0.3, 0.2, 0.1)),
    ((0.9, 0.6, 0.15), (0.9, 0.75, 0.3), (0.3, 0.2, 0.1)),
    ((0.5, 0.65, 0.2), (0.9, 0.75, 0.3), (0.3, 0.2, 0.1)),
)


def _arranged(easel: Easel) -> Model:
    """Two or three vessels in a row with fruit before them."""
    rng = easel.rng
    names = ("vase", "bottle", "teapot", "mug")
    vessels = [names[i] for i in rng.permutation(4)[: int(rng.integers(2, 4))]]
    model: Model = []
    for number, noun in enumerate(vessels):
        x = -0.95 + 1.9 * (number + 0.5) / len(vessels) + rng.uniform(-0.15, 0.15)
        z, tall = rng.uniform(-0.5, 0.0), rng.uniform(0.8, 1.0)
        size = 0.62 if noun in ("teapot", "mug") else tall
        vessel = BUILDERS[noun](easel.other(noun, number), rng)
        model += moved(vessel, (x, 0.0, z), size, rng.uniform(0, 360))
    for number in range(int(rng.integers(2, 5))):
        fruit = Entity("", "apple", "food", _FRUIT[number % 3], "plain", (0.3,) * 8)
        at = (rng.uniform(-1.1, 1.1), 0.0, rng.uniform(0.5, 0.9))
        model += moved(BUILDERS["apple"](fruit, rng), at, rng.uniform(0.30, 0.40))
    return model


def abstract_painting(easel: Easel) -> Painting:
    """Discs, bars and arcs over a mottled field."""
    rng, h, w = easel.rng, easel.h, easel.w
    x, y = grid(h, w)
    palette = [*easel.colours(), f32([0.96, 0.94, 0.88]), f32([0.10, 0.11, 0.14])]
    field = palette[int(rng.integers(4))]
    picture = field * (0.85 + 0.25 * sample(rng, x * 0.6, y * 0.6))[..., None]
    picture = np.ascontiguousarray(picture, np.float32)
    motif = np.zeros((h, w), np.float32)
    short = min(h, w)
    for number in range(int(rng.integers(9, 17))):
        colour = np.clip(palette[int(rng.integers(5))] * rng.uniform(0.85, 1.1), 0, 1).tolist()
        at = int(rng.uniform(0, w)), int(rng.uniform(0, h))
        size = rng.uniform(0.06, 0.34) * short * (1.25 - number / 22)
        kind = int((easel.entity.shape[0] * 4 + rng.integers(3)) % 4)
        angle = number * 2.39996 + easel.entity.shape[1] * 6
        _mark(picture, colour, kind, at, size, angle)
        _mark(motif, [1.0], kind, at, size, angle)
    painted = brush.strokes(rng, picture, between(easel.entity.shape[2], 0.05, 0.08), 0.1)
    return Painting(painted, np.full((h, w), 0.5, np.float32), motif)


def _mark(
    target: Array, ink: list[float], kind: int, at: tuple[int, int], size: float, angle: float
) -> None:
    """One shape of an abstract picture: disc, bar, arc or triangle."""
    x, y = at
    dx, dy = np.cos(angle) * size, np.sin(angle) * size
    if kind == 0:
        cv2.circle(target, at, int(size * 0.7), ink, -1, cv2.LINE_4)
    elif kind == 1:
        ends = (int(x - dx * 1.6), int(y - dy * 1.6)), (int(x + dx * 1.6), int(y + dy * 1.6))
        cv2.line(target, *ends, ink, max(int(size * 0.22), 2), cv2.LINE_4)
    elif kind == 2:
        axes = (int(size), int(size))
        cv2.ellipse(
            target, at, axes, np.degrees(angle), 0, 210, ink, max(int(size * 0.18), 2), cv2.LINE_4
        )
    else:
        corners = np.array(
            [[x + dx, y + dy], [x - dy, y + dx], [x - dx * 0.8, y - dy * 0.8]], np.int32
        )
        cv2.fillConvexPoly(target, corners, ink, cv2.LINE_4)


def oil_seascape(easel: Easel) -> Painting:
    """Breaking waves under a heavy sky, in thick oil."""
    rng, h, w = easel.rng, easel.h, easel.w
    x, y = grid(h, w)
    first, second, _ = easel.colours()
    horizon = rng.uniform(0.28, 0.55)
    clouds = sample(rng, x * 0.5, y * 0.8)
    sky = mix(
        first * 0.5 + 0.25,
        second * 0.4 + 0.55,
        np.clip(clouds * 1.1 - 0.1 + 0.3 * y / horizon, 0, 1),
    )
    down = np.clip(y - horizon, 0, 1)
    wave = np.sin(
        24 * np.log(down * 6 + 0.5) + 5 * sample(rng, x * 0.8, down * 1.2) + rng.uniform(0, 6)
    )
    deep, crest = (
        f32([0.05, 0.22, 0.33]) * 0.7 + first * 0.12,
        f32([0.25, 0.55, 0.58]),
    )
    water = mix(deep, crest, (0.5 + 0.5 * wave).astype(np.float32))
    foam = step(wave + 0.9 * sample(rng, x * 1.6, y * 1.6), 1.15, 1.5) * step(down, 0.0, 0.06)
    water = mix(water, f32([0.95, 0.96, 0.94]), foam)
    picture = mix(sky, water, np.clip((y - horizon) * h, 0, 1))
    painted = brush.strokes(rng, picture, between(easel.entity.shape[0], 0.09, 0.15), 0.55)
    depth = np.asarray(down / (1 - horizon), np.float32)
    return Painting(painted, depth, (y > horizon).astype(np.float32))
