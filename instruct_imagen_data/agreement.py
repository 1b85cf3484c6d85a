"""How well two maps of one picture agree: 0 (unrelated) to 1 (the same), by kind of map.

What a condition's check is, and what the networks are measured with on ground truth.
"""

import functools
from collections.abc import Callable, Mapping

import cv2
import numpy as np

EDGE_TOLERANCE = 2.0  # pixels of the target
DRAWING_TOLERANCE = 4.0  # a drawing's lines follow a form, not its pixels
_HALF = 128  # of 255: from here on a pixel is line or object


def edge_f1(one: np.ndarray, other: np.ndarray, tolerance: float) -> float:
    """F1 of two edge maps [h, w]: lines of one that have a line of the other near, and vice versa.

    The maps are bool, or uint8 with lines of at least 128; lines are thinned to one pixel first,
    or thick ones would agree with anything. 1 if neither has a line.

    Args:
      one: The one map.
      other: The other, of the same shape.
      tolerance: Distance in pixels up to which two lines are the same.
    """
    thin, other_thin = lines(one), lines(other)
    _same_shape(thin, other_thin)
    if not thin.any() or not other_thin.any():
        return float(thin.any() == other_thin.any())
    precision = float(np.mean(_distance_to(other_thin)[thin] <= tolerance))
    recall = float(np.mean(_distance_to(thin)[other_thin] <= tolerance))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def mask_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks [h, w]: bool, or uint8 with objects of at least 128.

    1 if both are empty.
    """
    first, second = _set(one), _set(other)
    _same_shape(first, second)
    union = int(np.count_nonzero(first | second))
    return int(np.count_nonzero(first & second)) / union if union else 1.0


def depth_agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two depth maps [h, w] of one polarity, 0 where it is negative.

    Unrelated and turned maps are alike useless, so both are 0, as with lines and masks.
    """
    return max(0.0, rank_correlation(one, other))


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation, -1 to 1, of two arrays of one shape; 0 if one of them is constant."""
    _same_shape(one, other)
    first, second = _ranks(one), _ranks(other)
    deviation = float(first.std() * second.std())
    if deviation == 0:
        return 0.0
    product = float(np.mean((first - first.mean()) * (second - second.mean())))
    return float(np.clip(product / deviation, -1, 1))


def lines(edges: np.ndarray) -> np.ndarray:
    """bool [h, w]: the lines of an edge map, thinned to one pixel (Zhang and Suen's thinning)."""
    from skimage.morphology import skeletonize  # half a second to import

    thin: np.ndarray = skeletonize(_set(edges))
    return thin


def _set(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.bool_ else pixels >= _HALF


def _distance_to(lines: np.ndarray) -> np.ndarray:
    """float32 [h, w]: each pixel's distance, in pixels, to the nearest line."""
    away = np.where(lines, 0, 255).astype(np.uint8)
    distance: np.ndarray = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance


def _ranks(values: np.ndarray) -> np.ndarray:
    """float64 [n]: ranks from 1, equal values share the mean of theirs."""
    if values.dtype == np.uint8:  # maps: counting is many times faster than sorting
        levels = np.bincount(values.ravel(), minlength=256)
        of_level: np.ndarray = (np.cumsum(levels) - (levels - 1) / 2)[values.ravel()]
        return of_level
    _, which, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return ranks


def _same_shape(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape != other.shape:
        raise ValueError(f"maps of {one.shape} and {other.shape} are not of one picture")


# Role of a reference to its check: the name, and how well a map of the picture agrees with it.
CHECKS: Mapping[str, tuple[str, Callable[[np.ndarray, np.ndarray], float]]] = {
    "depth": ("depth_agreement", depth_agreement),
    "mask": ("mask_iou", mask_iou),
    "edge": ("edge_f1", functools.partial(edge_f1, tolerance=EDGE_TOLERANCE)),
    "sketch": ("sketch_f1", functools.partial(edge_f1, tolerance=DRAWING_TOLERANCE)),
}
