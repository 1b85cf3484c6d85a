"""The measures of benchmarks/annotators.py, against brute force and cases worked out by hand."""

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def gt(root: Path) -> ModuleType:
    """benchmarks/ground_truth.py, which is no package's."""
    path = root / "benchmarks" / "ground_truth.py"
    spec = importlib.util.spec_from_file_location("ground_truth", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def points(*places: tuple[int, int]) -> np.ndarray:
    """bool [12, 12], True at (row, column)s."""
    pixels = np.zeros((12, 12), bool)
    for place in places:
        pixels[place] = True
    return pixels


def test_a_pixel_is_matched_once(gt: ModuleType) -> None:
    found = points((5, 4), (5, 5), (5, 6))
    matched, hits = gt.match(found, points((5, 5)), 2)
    assert (matched.sum(), hits) == (1, 1)
    matched, hits = gt.match(found, points((4, 5), (6, 5), (11, 11)), 2)
    assert (matched.sum(), hits) == (2, 2)
    for nothing in (gt.match(points(), found, 2), gt.match(found, points(), 2)):
        assert nothing[0].sum() == nothing[1] == 0


def test_the_match_is_the_largest(gt: ModuleType) -> None:
    """Greedy by distance would pair (5, 5) with itself and leave (5, 3) alone."""
    found, drawn = points((5, 3), (5, 5)), points((5, 5), (5, 7))
    assert gt.match(found, drawn, 2)[1] == 2
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = (rng.random((6, 6)) < 0.12 for _ in range(2))
        first, second = np.argwhere(one), np.argwhere(other)
        few, many = (first, second) if len(first) <= len(second) else (second, first)
        near = np.hypot(*(few[:, None] - many[None]).transpose(2, 0, 1)) <= 1.5
        best = max(
            sum(bool(near[i, j]) for i, j in enumerate(order))
            for order in itertools.permutations(range(len(many)), len(few))
        )
        assert gt.match(one, other, 1.5)[1] == best


def test_precision_is_of_anyone_and_recall_of_everyone(gt: ModuleType) -> None:
    """Within .0075 of a diagonal of 17 pixels nothing but the same pixel matches."""
    cut = points((2, 2), (8, 8), (9, 1))
    counts = gt.count(cut, [points((2, 2)), points((2, 2), (8, 8), (4, 4))])
    assert counts == gt.Counts(found=3, right=2, drawn=4, met=3)
    precision, recall = 2 / 3, 3 / 4
    assert counts.f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert gt.Counts().f1 == 0


def test_one_threshold_is_best_for_all_pictures(gt: ModuleType) -> None:
    good, bad, fair = gt.Counts(10, 10, 10, 10), gt.Counts(10, 0, 10, 0), gt.Counts(10, 7, 10, 7)
    assert gt.best_f1([[good, fair], [bad, fair]]) == (pytest.approx(0.7), 1)


def test_ridges_are_the_middle_of_thick_lines(gt: ModuleType) -> None:
    x = np.arange(60)
    profile = np.exp(-(((x - 30) / 3.0) ** 2))
    for edges in (np.tile(profile, (60, 1)), np.tile(profile[:, None], (1, 60))):
        thin = gt.cuts(edges, [0.5])[0]
        rows, columns = np.nonzero(thin)
        across = columns if edges[0, 30] == edges[59, 30] else rows
        assert np.abs(across - 30).max() <= 1
        assert 40 <= thin.sum() <= 70  # one pixel wide, but for the faded border
    assert not gt.cuts(np.zeros((20, 20)), [0.5])[0].any()


def test_f_beta_and_error_by_hand(gt: ModuleType) -> None:
    truth = np.zeros((10, 10), bool)
    truth[:, :5] = True
    perfect = np.where(truth, 255, 0).astype(np.uint8)
    assert gt.max_f_beta([perfect], [truth]) == pytest.approx(1)
    assert gt.mean_error([perfect], [truth]) == 0
    half = np.full((10, 10), 100, np.uint8)  # all of it or nothing: precision .5 at recall 1
    assert gt.max_f_beta([half], [truth]) == pytest.approx(1.3 * 0.5 / (0.3 * 0.5 + 1))
    assert gt.mean_error([half], [truth]) == pytest.approx((155 + 100) / 255 / 2)


def test_f_beta_against_every_threshold(gt: ModuleType) -> None:
    rng = np.random.default_rng(1)
    maps = [rng.integers(0, 256, (9, 9)).astype(np.uint8) for _ in range(3)]
    truths = [(one + rng.integers(0, 200, one.shape)) > 220 for one in maps]
    best = 0.0
    for threshold in range(256):
        p, r = [], []
        for one, truth in zip(maps, truths, strict=True):
            taken = one >= threshold
            p.append((taken & truth).sum() / taken.sum() if taken.any() else 1)
            r.append((taken & truth).sum() / truth.sum())
        mean_p, mean_r = np.mean(p), np.mean(r)
        best = max(best, float(1.3 * mean_p * mean_r / (0.3 * mean_p + mean_r)))
    assert gt.max_f_beta(maps, truths) == pytest.approx(best)


def test_ladders(gt: ModuleType) -> None:
    assert gt.ladder_order([9, 7, 5, 3, 1]) == pytest.approx(1)
    assert gt.ladder_order([9, 5, 7, 3, 1]) == pytest.approx(0.9)
    assert gt.ladder_order([1, 2, 3]) == pytest.approx(-1)
