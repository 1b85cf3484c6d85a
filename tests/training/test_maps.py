"""The parts of the training of the map networks, on arithmetic and on a few pictures."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from instruct_imagen_data import agreement, planted
from instruct_imagen_data.annotators import tinymap
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.training import map_scores, maps, views, windows
from instruct_imagen_data.training.views import Truth, contours, truths

WIDTHS = [6, 8, 12]


@pytest.fixture(scope="module")
def few() -> list[Truth]:
    """Bright discs, which are near, on dark ground that comes nearer towards the bottom."""
    rng = np.random.default_rng(3)
    return [_disc(rng, (96, 128) if i % 2 else (120, 96)) for i in range(12)]


def _disc(rng: np.random.Generator, size: tuple[int, int]) -> Truth:
    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    inside = np.hypot(y - rng.integers(35, 60), x - rng.integers(35, 60)) < rng.integers(15, 25)
    depth = np.where(inside, 250, y * 120 // height).astype(np.uint8)
    grey = np.where(inside, 220, 60) + rng.normal(0, 3, size)
    mask = np.where(inside, 255, 0).astype(np.uint8)
    rgb = np.repeat(grey[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
    return Truth(rgb, depth, mask, cv2.Canny(mask, 60, 140), contours(depth, mask))


def test_contours_are_outlines_and_steps_of_depth_alone() -> None:
    y, x = np.mgrid[0:100, 0:140]
    depth = (y * 2).astype(np.uint8)  # ground, steeper than the planted one
    assert not contours(depth, np.zeros_like(depth)).any()
    wall = (x >= 70) & (y < 50)
    depth[wall] = 220
    mask = np.zeros_like(depth)
    mask[60:80, 20:50] = 255  # what lies flat has an outline, and no step
    mask[5, 5] = 255  # a speck
    found = contours(depth, mask) > 0
    expected = np.zeros_like(found)
    expected[:50, 69] = True  # left of the wall
    expected[49, 69:] = True  # and below it: the last row of the wall
    expected[60:80, (20, 49)] = expected[(60, 79), 20:50] = True
    assert agreement.edge_f1(found, expected, 1.0) == 1
    assert found.sum() <= 1.2 * expected.sum()
    assert not found[:20, :20].any()


def test_a_step_softened_over_two_pixels_is_a_line() -> None:
    row = np.repeat([10, 10, 10, 10, 60, 110, 110, 110], [30, 1, 1, 1, 1, 1, 1, 30]).astype(
        np.uint8
    )
    found = contours(np.tile(row, (60, 1)), np.zeros((60, len(row)), np.uint8)) > 0
    assert set(np.flatnonzero(found.any(axis=0))) <= {32, 33, 34}
    assert found.any(axis=1).all()


def test_rendered_views_are_kept_and_read_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(planted, "entities", lambda *given: _ENTITIES(*given)[::20])
    path = tmp_path / "views-91-1-1.npz"
    views.render_file(91, 1, 1, path)
    before = path.stat().st_mtime_ns
    shown = truths(tmp_path, [91], 1, 1, processes=1)
    assert path.stat().st_mtime_ns == before
    assert len(shown) == 3 + views.PAGES * len(planted.REJECT_CLASSES)
    for truth, entity in zip(shown, _ENTITIES(91, 1)[::20], strict=False):
        seen = planted.render(entity, 0, 91, min(truth.mask.shape))
        np.testing.assert_array_equal(truth.rgb, seen.rgb)
        np.testing.assert_array_equal(truth.mask, seen.mask)
        np.testing.assert_array_equal(truth.edges, seen.edges)
        assert np.abs(truth.depth / 255 - seen.depth).max() <= 0.5 / 255 + 1e-6
        np.testing.assert_array_equal(truth.contours, contours(truth.depth, truth.mask))
    assert all(not truth.mask.any() and not truth.depth.any() for truth in shown[3:])


_ENTITIES = planted.entities


@pytest.mark.parametrize("kind", maps.ROLES)
def test_windows_show_a_picture_and_its_truth_alike(few: list[Truth], kind: str) -> None:
    drawn = windows.draw(few, [kind], 96, (96, 128), 40, np.random.default_rng(0))
    assert drawn.pixels.shape == (40, 96, 128, 3)
    assert drawn.target.shape == (40, 1, 96, 128)
    assert drawn.pixels.dtype == np.uint8
    assert drawn.target.dtype == np.float32
    assert (drawn.target >= 0).all()
    assert (drawn.target <= 1).all()
    truth = drawn.target[:, 0]
    there = [i for i in range(40) if truth[i].max() > 0.9]
    assert 25 <= len(there) < 40  # some are blank, or show what is beside the object
    clean = 0
    for i in there:
        bright = drawn.pixels[i].mean(axis=2) > 140
        if kind == "mask":
            clean += agreement.mask_iou(bright, truth[i] > 0.5) > 0.9
        elif kind == "depth":
            clean += agreement.mask_iou(bright, truth[i] > 0.75) > 0.9
        else:
            outline = cv2.Canny(np.where(bright, 255, 0).astype(np.uint8), 60, 140) > 0
            clean += agreement.edge_f1(outline, truth[i] > 0.5, 3.0) > 0.8
    assert clean >= 0.7 * len(there)  # the others are dark or full of noise


def test_lines_keep_their_width_at_every_size() -> None:
    lines = np.zeros((80, 100), np.uint8)
    lines[:, 40] = 255
    for scale in (0.6, 1.0, 1.7):
        found = windows.drawn(lines, (round(80 * scale), round(100 * scale)))
        assert 1.5 <= found.sum(axis=1).mean() <= 2.5
        assert abs(int(found.mean(axis=0).argmax()) - 40.5 * scale) <= 1
    assert not windows.drawn(np.zeros_like(lines), (80, 100)).any()


def test_the_stripe_beside_an_object() -> None:
    mask = np.zeros((90, 120), np.uint8)
    mask[50:80, 10:60] = 255
    assert windows.without_object(mask) == (slice(0, 50), slice(None))
    mask[10:80, 10:60] = 255
    assert windows.without_object(mask) == (slice(None), slice(60, 120))
    assert windows.without_object(np.full((9, 9), 255, np.uint8)) is None
    assert windows.without_object(np.zeros((9, 9), np.uint8)) is None


def test_losses_worked_out_by_hand() -> None:
    target = torch.zeros(2, 32, 32)
    target[0, :, :16] = 1
    found = torch.zeros(2, 32, 32)
    found[0, :, 8:24] = 1
    assert maps.overlap_loss(found, target).item() == pytest.approx(1 - 8 / 24)
    assert maps.overlap_loss(found, torch.zeros(2, 32, 32)).item() == 0
    assert maps.depth_loss(target, target).item() == 0
    assert maps.depth_loss(target + 0.25, target).item() == pytest.approx(0.25)


def test_kinds_share_their_windows(few: list[Truth]) -> None:
    """Each kind's truth is what it is when it is drawn alone: nothing but the truth differs."""
    together = windows.draw(few, maps.ROLES, 64, (64, 64), 9, np.random.default_rng(4))
    for i, kind in enumerate(maps.ROLES):
        alone = windows.draw(few, [kind], 64, (64, 64), 9, np.random.default_rng(4))
        np.testing.assert_array_equal(alone.pixels, together.pixels)
        np.testing.assert_array_equal(alone.target[:, 0], together.target[:, i])


@pytest.mark.parametrize(
    ("kinds", "recipe"),
    [
        (maps.SCENE, maps.Recipe(30, small_steps=20, small_side=32, batch=8)),
        (("edge",), maps.Recipe(30, window=32, batch=8)),
    ],
    ids=["scene", "edge"],
)
def test_networks_learn_and_repeat_themselves(few: list[Truth], kinds, recipe) -> None:
    """By batch statistics: the running ones need more steps than a test should take."""
    states, losses = [], []
    seen = windows.draw(few, kinds, 64, (64, 64), 16, np.random.default_rng(9))
    x = torch.from_numpy(seen.pixels).permute(0, 3, 1, 2) / 127.5 - 1
    for steps in (1, 30, 30):
        torch.manual_seed(0)
        network = tinymap.build(WIDTHS, "zeros", len(kinds))
        maps.train(few, kinds, network, 64, dataclasses.replace(recipe, steps=steps), seed=1)
        assert not network.training
        states.append({name: value.clone() for name, value in network.state_dict().items()})
        with torch.inference_mode():
            logits = tinymap.forward(network.train(), x)
        target = torch.from_numpy(seen.target)
        losses.append(
            [maps.loss_of(kind, logits[:, i], target[:, i]) for i, kind in enumerate(kinds)]
        )
    assert all(after < 0.9 * before for before, after in zip(losses[0], losses[1], strict=True))
    assert all(torch.equal(value, states[2][name]) for name, value in states[1].items())


def test_one_head_of_several_paints_the_same_map() -> None:
    torch.manual_seed(0)
    whole = tinymap.build(WIDTHS, "zeros", 3).eval()
    x = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        expected = tinymap.forward(whole, x)
        for i in range(3):
            part = tinymap.build(WIDTHS, "zeros").eval()
            part.load_state_dict(maps.only(whole.state_dict(), i), strict=True)
            torch.testing.assert_close(tinymap.forward(part, x), expected[:, i : i + 1])
    state = whole.state_dict()
    again = maps.joined([maps.only(state, i) for i in range(3)])
    assert state.keys() == again.keys()
    assert all(torch.equal(value, again[name]) for name, value in state.items())


class _Known:
    """Answers with given maps, in order."""

    def __init__(self, found: list[Map]) -> None:
        self._found = iter(found)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def __call__(self, batch: list[np.ndarray]) -> list[Map]:
        return [next(self._found) for _ in batch]


def test_the_truth_itself_scores_one(web: Path) -> None:
    shown = list(map_scores.planted_maps(web))
    truth = {row["origin"]: row for row in pq.read_table(web / "truth.parquet").to_pylist()}
    rows = [row for path in web.glob("maps-*") for row in pq.read_table(path).to_pylist()]
    assert len(shown) == sum(truth[row["origin"]]["quality"] == "good" for row in rows) > 60
    assert all(one.rgb.shape[:2] == one.truth["mask"].shape for one in shown)
    perfect = {
        "depth": _Known([Map(one.truth["depth"]) for one in shown]),
        "edge": _Known([Map(one.truth["edge"]) for one in shown]),
        "mask": _Known([Map(one.truth["mask"]) for one in shown]),
        "contour": _Known([Map(contours(one.truth["depth"], one.truth["mask"])) for one in shown]),
    }
    found = map_scores.scores(web, perfect)
    assert found == pytest.approx(
        dict.fromkeys(("depth_rank", "mask_iou", "edge_f1", "contour_f1"), 1.0)
    )
    unsure = {"mask": _Known([Map(one.truth["mask"], 0.4) for one in shown])}
    assert map_scores.scores(web, unsure) == {"mask_iou": 0}
