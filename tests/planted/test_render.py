"""Pictures: the same from the same names, different from view to view, true to their maps."""

import itertools

import numpy as np
import pytest

from instruct_imagen_data.images import hamming, perceptual_hash
from instruct_imagen_data.planted import DOMAINS, Entity, View, entities, render

SIDE = 96
WORLD = entities(77, 1)


def of(noun: str) -> Entity:
    return next(one for one in WORLD if one.noun == noun)


@pytest.fixture(scope="module")
def pictures() -> dict[str, View]:
    """One picture of every noun."""
    return {one.noun: render(one, 0, 77, SIDE) for one in WORLD}


def test_every_noun_has_a_picture_with_its_maps(pictures: dict[str, View]) -> None:
    for noun, view in pictures.items():
        h, w = view.rgb.shape[:2]
        assert min(h, w) == SIDE, noun
        assert max(h, w) <= 1.7 * SIDE, noun
        assert view.depth.shape == view.mask.shape == view.edges.shape == (h, w), noun
        assert view.rgb.dtype == view.mask.dtype == view.edges.dtype == np.uint8, noun
        assert view.depth.dtype == np.float32, noun
        assert 0 <= view.depth.min() <= view.depth.max() <= 1, noun
        assert view.rgb.std() > 8, noun
        assert (view.mask > 127).mean() > 0.02, noun


def test_the_same_names_give_the_same_pixels() -> None:
    for domain in DOMAINS:
        entity = next(one for one in WORLD if one.domain == domain)
        first, again = render(entity, 3, 5, SIDE), render(entity, 3, 5, SIDE)
        assert (first.rgb == again.rgb).all()
        assert (first.depth == again.depth).all()
        other = render(entity, 3, 6, SIDE)
        assert other.rgb.shape != first.rgb.shape or (other.rgb != first.rgb).mean() > 0.5


@pytest.mark.parametrize("noun", ["cat", "bottle", "desert", "oil seascape", "pizza", "airplane"])
def test_views_of_an_entity_are_no_near_duplicates(noun: str) -> None:
    hashes = [perceptual_hash(render(of(noun), view, 77, SIDE).rgb) for view in range(8)]
    apart = [hamming(a, b) for a, b in itertools.combinations(hashes, 2)]
    assert min(apart) > 60, sorted(apart)[:3]  # planted copies lie below 30 of 256 bits


@pytest.mark.parametrize("noun", ["teapot", "car", "elephant", "castle", "burger"])
def test_the_mask_is_where_the_object_changes_the_picture(noun: str) -> None:
    # The same setting, the object recoloured: only pixels of the mask (and its shadow's edge,
    # lit by no colour) may change.
    entity = of(noun)
    pale = Entity(entity.name, noun, entity.domain, ((0.2, 0.9, 0.9),) * 3, "plain", entity.shape)
    plain, painted = render(entity, 1, 77, SIDE), render(pale, 1, 77, SIDE)
    changed = np.abs(plain.rgb.astype(int) - painted.rgb).max(2) > 12
    inside = plain.mask > 0
    assert (plain.mask == painted.mask).all()
    assert (changed & ~inside).sum() <= 0.01 * changed.sum()
    assert changed[plain.mask > 250].mean() > 0.3


def test_an_object_stands_out_from_the_ground_in_depth(pictures: dict[str, View]) -> None:
    for noun in ("cat", "chair", "airplane", "house", "fish"):
        view = pictures[noun]
        inside = view.mask > 250
        rows = np.flatnonzero(inside.any(1))
        upper = slice(rows[0], rows[0] + max(len(rows) // 3, 1))
        # Above the horizon lies nothing: the object's upper part is nearer than what is beside it.
        near, beside = view.depth[upper][inside[upper]], view.depth[upper][view.mask[upper] == 0]
        assert np.median(near) > np.median(beside), noun


def test_edges_follow_the_outline(pictures: dict[str, View]) -> None:
    for noun in ("mug", "bus", "butterfly"):
        view = pictures[noun]
        inside = view.mask > 127
        outline = inside ^ np.roll(inside, 1, 1)
        near = np.stack([np.roll(view.edges > 0, shift, 1) for shift in range(-3, 4)]).any(0)
        assert near[outline].mean() > 0.5, noun
        assert (view.edges > 0).mean() < 0.35, noun
