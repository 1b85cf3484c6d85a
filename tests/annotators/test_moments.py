"""Style transfer by statistics: they are those asked for, and pictures stay what they show."""

import itertools

import cv2
import numpy as np
import pytest

from instruct_imagen_data import planted
from instruct_imagen_data.agreement import edge_f1
from instruct_imagen_data.annotators.moments import CODE, Moments, _pyramid, _recolour, _together
from instruct_imagen_data.annotators.styles import at_strength

SEED = 77


@pytest.fixture(scope="module")
def network() -> Moments:
    return Moments.load(None, config={})


@pytest.fixture(scope="module")
def world(network: Moments) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(paintings as styles, pictures of other things as contents), prepared."""
    entities = planted.entities(SEED, 1)
    paintings = [one for one in entities if one.domain == "art"]
    others = {one.domain: one for one in entities if one.domain != "art"}
    styles = [planted.render(one, 1, SEED, 256).rgb for one in paintings]
    contents = [planted.render(one, 0, SEED, 192).rgb for one in others.values()]
    return (
        [network.prepare_style(rgb) for rgb in styles],
        [network.prepare_content(rgb, 192) for rgb in contents],
    )


def test_a_contents_own_code_gives_it_back(network: Moments, world) -> None:
    styles, contents = world
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    flat = np.full((64, 64, 3), (200, 30, 90), np.uint8)
    pictures = [*contents, noise, flat]
    found = network(pictures, network.content_codes(pictures))
    for given, back in zip(pictures, found, strict=True):
        assert np.abs(given.astype(int) - back).max() <= 2
    assert network.codes(styles).shape == (len(styles), CODE)
    assert network.codes(styles).dtype == np.float32


def test_colours_get_the_mean_and_covariance_that_are_asked_for() -> None:
    """By the one linear map between the two that is symmetric and positive: the shortest.

    Both covariances are widened by 6 levels, or grey pictures would get the colours of noise.
    """
    rng = np.random.default_rng(1)
    mix = rng.normal(size=(3, 3)) * 15 + np.diag([50, 30, 20])
    rgb = (rng.normal(size=(64, 64, 3)) @ mix + 120).astype(np.float32)
    wanted = np.cov(rng.normal(size=(3, 50)) * 40)
    found = _recolour(rgb, np.array([90.0, 120, 150]), wanted).reshape(-1, 3)
    np.testing.assert_allclose(found.mean(0), [90, 120, 150], atol=0.01)
    given = rgb.reshape(-1, 3) - rgb.reshape(-1, 3).mean(0)
    move = np.linalg.lstsq(given, found - found.mean(0), rcond=None)[0]
    wide = np.eye(3) * 36
    moved = move.T @ (np.cov(given.T, bias=True) + wide) @ move
    np.testing.assert_allclose(moved, wanted + wide, atol=1)
    np.testing.assert_allclose(move, move.T, atol=1e-4)
    assert (np.linalg.eigvalsh(move) > 0).all()


def test_a_pyramid_gives_its_plane_back() -> None:
    plane = np.random.default_rng(3).normal(size=(96, 64)).astype(np.float32)
    bands = _pyramid(plane)
    assert [band.shape for band in bands] == [(96, 64), (48, 32), (24, 16), (12, 8), (6, 4)]
    np.testing.assert_allclose(_together(bands), plane, atol=1e-5)


def test_pictures_come_near_to_the_styles_statistics(network: Moments, world) -> None:
    """Colour and contrast of each band, measured in numpy; clipping alone keeps them apart."""
    styles, contents = world
    codes = network.codes(styles)
    for content in contents:
        painted = network([content] * len(styles), codes)
        for style, found in zip(styles, painted, strict=True):
            for measure in (_colours, _contrasts):
                before = np.abs(measure(content) - measure(style)).mean()
                after = np.abs(measure(found) - measure(style)).mean()
                assert after <= max(0.5 * before, 4)


def _colours(rgb: np.ndarray) -> np.ndarray:
    """Mean and deviation of each colour."""
    return np.concatenate([rgb.mean((0, 1)), rgb.std((0, 1))])


def _contrasts(rgb: np.ndarray) -> np.ndarray:
    """Deviation of what differs between brightness and blurred brightness, at four scales."""
    bright = rgb.mean(2).astype(np.float32)
    blurred = [bright, *(cv2.GaussianBlur(bright, (0, 0), sigma) for sigma in (1, 2, 4, 8))]
    return np.array([np.std(a - b) for a, b in itertools.pairwise(blurred)])


def test_contents_stay_what_they_show(network: Moments, world) -> None:
    """Edges of a repainted content are its own, not the style's."""
    styles, contents = world
    kept, floor = [], []
    codes = network.codes(styles)
    for content in contents:
        edges = _edges(content)
        painted = network([content] * len(styles), codes)
        for style, found in zip(styles, painted, strict=True):
            kept.append(edge_f1(edges, _edges(found), 2))
            size = (content.shape[1], content.shape[0])
            floor.append(edge_f1(edges, _edges(cv2.resize(style, size)), 2))
    assert np.mean(kept) > np.mean(floor) + 0.4  # measured: .80 and .22


def _edges(rgb: np.ndarray) -> np.ndarray:
    return cv2.Canny(cv2.GaussianBlur(rgb, (0, 0), 2), 30, 90)


def test_flat_parts_get_the_grain_of_a_canvas(network: Moments) -> None:
    rng = np.random.default_rng(4)
    canvas = (130 + 12 * rng.normal(size=(256, 256, 1)) + np.zeros(3)).clip(0, 255).astype(np.uint8)
    y = np.linspace(40, 220, 128)[:, None, None]
    sky = np.broadcast_to(y, (128, 128, 3)).astype(np.uint8)
    (found,) = network([sky], network.codes([canvas]))
    fine = [float(_contrasts(one)[0]) for one in (sky, found, canvas)]
    assert fine[0] < 1
    assert fine[1] == pytest.approx(fine[2], rel=0.2)


def test_strength_goes_evenly_from_nothing_to_the_style(network: Moments, world) -> None:
    styles, contents = world
    own, codes = network.content_codes(contents[:1]), network.codes(styles[:1])
    steps = [at_strength(own, codes, one) for one in (0.0, 0.25, 0.5, 0.75, 1.0)]
    found = network(contents[:1] * 5, np.concatenate(steps))
    away = [float(np.abs(one.astype(float) - contents[0]).mean()) for one in found]
    assert away == sorted(away)
    assert away[0] < 1
    assert np.diff(away).min() > 0.1 * away[-1]


def test_the_same_bytes_each_time_and_in_any_batch(network: Moments, world) -> None:
    styles, contents = world
    codes = network.codes(styles[:3])
    together = network(contents[:3], codes)
    for content, code, expected in zip(contents[:3], codes, together, strict=True):
        (found,) = Moments.load(None, config={})([content], code[None])
        assert found.shape == content.shape
        np.testing.assert_array_equal(found, expected)
    before = contents[0].copy()
    network(contents[:1], codes[:1])
    np.testing.assert_array_equal(contents[0], before)


def test_wrong_use_is_said(network: Moments) -> None:
    content = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match=r"1 contents and codes of \(1, 3\)"):
        network([content], np.zeros((1, 3), np.float32))
    assert network([], network.codes([])) == []
    with pytest.raises(ValueError, match="unknown config"):
        Moments.load(None, config={"side": 3})
