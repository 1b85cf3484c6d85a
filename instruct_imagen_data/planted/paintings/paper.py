"""Paper, stones and dots: watercolour, ink, mosaic, pointillism."""

from dataclasses import replace

import cv2
import numpy as np

from instruct_imagen_data.planted import brush, landscapes
from instruct_imagen_data.planted.draws import between
from instruct_imagen_data.planted.landscapes.land import Land
from instruct_imagen_data.planted.light import Light
from instruct_imagen_data.planted.models import BUILDERS
from instruct_imagen_data.planted.paintings.easel import Easel, Painting
from instruct_imagen_data.planted.solids import Array, f32
from instruct_imagen_data.planted.textures import grid, mix, outline, sample, step
from instruct_imagen_data.planted.trace import Pose, trace


def watercolour_flowers(easel: Easel) -> Painting:
    """A loose bunch on white paper, in washes."""
    rng, h, w = easel.rng, easel.h, easel.w
    paper = f32([0.97, 0.96, 0.93])
    picture = np.broadcast_to(paper, (h, w, 3)).copy()
    motif = np.zeros((h, w), np.float32)
    short = min(h, w)
    knot = np.array([w * rng.uniform(0.42, 0.58), h * rng.uniform(0.86, 0.98)])
    colours = [np.clip(c.mean() + (c - c.mean()) * 1.4, 0, 0.92) for c in easel.colours()]
    petals = 5 + int(easel.entity.shape[0] * 4)
    count = int(rng.integers(4, 9))
    for number in range(count):
        aside = (number + 0.5) / count - 0.5
        down = 0.42 + 0.35 * abs(aside) + rng.uniform(-0.22, 0.14)
        head = np.array([w * (0.5 + aside * 0.85), h * down])
        leaf = (f32([0.32, 0.50, 0.28]) * rng.uniform(0.8, 1.3)).tolist()
        for target, ink in ((picture, leaf), (motif, [1.0])):
            _stem(target, ink, knot, head, short, float(number * 57))
        size, turned = short * rng.uniform(0.07, 0.13), rng.uniform(0, 6)
        for angle in np.arange(petals) * (2 * np.pi / petals) + turned:
            shade = np.clip(colours[number % 3] * rng.uniform(0.8, 1.15), 0, 1).tolist()
            for target, ink in ((picture, shade), (motif, [1.0])):
                _petal(target, ink, head, size, angle)
        heart = np.clip(colours[(number + 1) % 3] * 0.8, 0, 1).tolist()
        cv2.circle(picture, _pixel(head), int(size * 0.4), heart, -1, cv2.LINE_4)
    painted = brush.watercolour(rng, picture, paper)
    return Painting(painted, f32(0.4 + 0.3 * motif), motif)


def _pixel(point: Array) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _stem(
    target: Array, ink: list[float], foot: Array, head: Array, short: int, lean: float
) -> None:
    """A stalk from foot to head with a leaf on it, in a picture whose shorter side is `short`."""
    wide = max(int(short * 0.012), 1)
    cv2.line(target, _pixel(foot), _pixel(head), ink, wide, cv2.LINE_4)
    axes = (int(short * 0.08), int(short * 0.022))
    cv2.ellipse(target, _pixel(foot * 0.45 + head * 0.55), axes, lean, 0, 360, ink, -1, cv2.LINE_4)


def _petal(target: Array, ink: list[float], head: Array, size: float, angle: float) -> None:
    tip = head + size * np.array([np.cos(angle), np.sin(angle)])
    axes = (int(size * 0.8), int(size * 0.5))
    turned = float(np.degrees(angle))
    cv2.ellipse(target, _pixel(tip), axes, turned, 0, 360, ink, -1, cv2.LINE_4)


def ink_mountains(easel: Easel) -> Painting:
    """Steep peaks in mist, black ink on paper, with a red seal."""
    rng, h, w = easel.rng, easel.h, easel.w
    x, y = grid(h, w)
    papers = ([0.95, 0.92, 0.84], [0.97, 0.96, 0.93], [0.90, 0.85, 0.74])
    paper = f32(papers[int(easel.entity.shape[0] * 3)])
    tone = np.zeros((h, w), np.float32)
    motif, depth = tone.copy(), tone.copy()
    layers = int(rng.integers(3, 6))
    for number in range(layers):
        near = (number + 1) / layers
        peaks = outline(rng, x[0] * (1.6 + near), 0.42) ** 1.5 * rng.uniform(0.8, 1.3)
        line = 0.30 + 0.50 * near - 0.42 * peaks
        inside = np.clip((y - line[None]) * h + 0.5, 0, 1)
        rim = np.exp(-np.clip(y - line[None], 0, 1) * (9 - 4 * near))
        strokes_ = 0.75 + 0.5 * sample(rng, x * 2.2, y * 0.5)
        wash = (0.15 + 0.75 * near) * rim * strokes_
        tone = np.asarray(tone * (1 - inside) + wash * inside, np.float32)
        motif = np.maximum(motif, inside * (rim > 0.25))
        depth = np.asarray(depth * (1 - inside) + near * inside, np.float32)
    painted = brush.ink(rng, tone, paper)
    size = int(min(h, w) * 0.06)
    left, top = int(w * rng.uniform(0.06, 0.85)), int(h * rng.uniform(0.06, 0.2))
    painted[top : top + int(size * 1.3), left : left + size] = (0.75, 0.16, 0.12)
    return Painting(painted, depth, np.asarray(motif, np.float32))


def mosaic(easel: Easel) -> Painting:
    """An animal or vessel laid in stones."""
    rng, h, w = easel.rng, easel.h, easel.w
    x, y = grid(h, w)
    colours = sorted(easel.colours(), key=lambda c: float(c.sum()))
    noun = ("fish", "bird", "vase", "butterfly", "sailboat")[int(rng.integers(5))]
    rays = np.sin(np.arctan2(y - 0.5, x - w / h / 2) * 8 + np.hypot(x - w / h / 2, y - 0.5) * 14)
    sand = f32([0.93, 0.91, 0.85])
    field = mix(sand, colours[1] * 0.5 + 0.42, f32(0.5 + 0.5 * np.sign(rays)))
    size = rng.uniform(0.6, 0.85)
    left, bottom = w * rng.uniform(0.03, 0.97 - size), h * rng.uniform(0.78, 0.95)
    pose = Pose(rng.uniform(-25, 25), rng.uniform(0, 12), 0, bool(rng.random() < 0.5))
    deep = [
        tuple((c * share).tolist()) for c, share in zip(colours, (0.6, 0.33, 0.48), strict=True)
    ]
    motif = replace(easel.other(noun, 0), colours=(deep[0], deep[1], deep[2]))
    box = (left, bottom - size * h, left + size * w, bottom)
    layer = trace(BUILDERS[noun](motif, rng), pose, Light(), (h, w), box)
    picture = field * (1 - layer.alpha[..., None]) + np.sqrt(np.clip(layer.rgb, 0, 1))
    laid = brush.tiles(
        rng, np.asarray(picture, np.float32), between(easel.entity.shape[0], 0.026, 0.042)
    )
    return Painting(laid, np.asarray(0.3 + 0.4 * layer.alpha, np.float32), layer.alpha)


def pointillist_garden(easel: Easel) -> Painting:
    """A garden path or field in dots of colour."""
    nouns = ("lavender field", "mountain lake", "forest")
    noun = nouns[(easel.view_index + int(easel.entity.shape[1] * 3)) % 3]
    picture, land = _of_landscape(easel, noun)
    tinted = _tinted(picture, easel.colours(), 0.45)
    painted = brush.dots(easel.rng, tinted, between(easel.entity.shape[0], 0.010, 0.016))
    return Painting(painted, land.depth, land.motif)


def _of_landscape(easel: Easel, noun: str) -> tuple[Array, Land]:
    land = landscapes.paint(easel.entity, easel.view_index, easel.seed, easel.h, easel.w, noun)
    return np.sqrt(np.clip(land.rgb, 0, 1)).astype(np.float32), land


def _tinted(picture: Array, colours: list[Array], strength: float) -> Array:
    """The picture pulled towards a palette: dark to light runs from the first to the second."""
    grey = picture.mean(2)
    first, second, third = sorted(colours, key=lambda c: float(c.sum()))
    lower = mix(first * 0.7, third, step(grey, 0.1, 0.55))
    ramp = mix(lower, second * 0.4 + 0.6, step(grey, 0.45, 0.95))
    return np.asarray(picture * (1 - strength) + ramp * strength, np.float32)
