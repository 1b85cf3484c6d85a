"""Agreement of maps, against brute force, scipy and cases worked out by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from instruct_imagen_data.agreement import (
    depth_agreement,
    edge_f1,
    lines,
    mask_iou,
    rank_correlation,
)


def column(*places: int, width: int = 1) -> np.ndarray:
    """Vertical lines at these columns of 40 x 40."""
    edges = np.zeros((40, 40), np.uint8)
    for place in places:
        edges[:, place : place + width] = 255
    return edges


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (column(10), 1.0),
        (column(12), 1.0),
        (column(13), 0.0),
        (column(10, 30), 2 / 3),  # all of the first is there, half of the second
        (column(), 0.0),
    ],
)
def test_edges_agree_within_the_tolerance(other, expected) -> None:
    assert edge_f1(column(10), other, 2) == pytest.approx(expected)
    assert edge_f1(other, column(10), 2) == pytest.approx(expected)


def test_maps_without_lines_agree() -> None:
    assert edge_f1(column(), column(), 2) == 1


def test_edges_against_brute_force() -> None:
    rng = np.random.default_rng(3)
    one, other = (lines(rng.random((30, 50)) < 0.05) for _ in range(2))
    first, second = np.argwhere(one), np.argwhere(other)
    near = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1)) <= 2.5
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    expected = 2 * precision * recall / (precision + recall)
    assert edge_f1(one, other, 2.5) == pytest.approx(expected)


def test_thick_lines_are_thinned() -> None:
    thick = column(10, width=9)
    assert edge_f1(thick, column(14), 1) >= 0.9
    assert edge_f1(thick, column(10), 2) <= 0.1  # its side, not its middle


def test_masks() -> None:
    one, other = np.zeros((2, 10, 10), np.uint8)
    one[:, :5], other[:, 2:7] = 255, 200
    assert mask_iou(one, other) == 3 / 7
    assert mask_iou(one > 0, one) == 1
    assert mask_iou(one, np.zeros_like(one)) == 0
    assert mask_iou(np.zeros_like(one), np.zeros_like(one)) == 1


def test_depth_is_compared_by_rank() -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(0, 40, (20, 30)).astype(np.uint8)  # with ties
    other = (one + rng.integers(0, 30, one.shape)).astype(np.uint8)
    expected = spearmanr(one.ravel(), other.ravel()).statistic
    assert rank_correlation(one, other) == pytest.approx(expected)
    assert depth_agreement(one, other) == pytest.approx(expected)
    assert depth_agreement(one, 255 - one) == 0
    assert rank_correlation(one, 255 - one) == pytest.approx(-1)
    assert depth_agreement(one, one.astype(np.float32) ** 3) == pytest.approx(1)
    assert depth_agreement(one, np.full_like(one, 7)) == 0


@pytest.mark.parametrize("compare", [mask_iou, depth_agreement, lambda a, b: edge_f1(a, b, 1)])
def test_maps_of_two_pictures_are_refused(compare) -> None:
    with pytest.raises(ValueError, match="not of one picture"):
        compare(np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8))
