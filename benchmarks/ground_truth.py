"""How maps and scores are measured on ground truth: boundaries, salient objects, quality ladders.

Boundaries as the Berkeley benchmark does: maps are thinned to ridges, cut at many thresholds, and
each cut is matched one to one with what each person drew, within a distance. Departure: the match
is the largest one (Hopcroft and Karp), not the cheapest one, so that a pixel or two more may match.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from instruct_imagen_data.agreement import lines, rank_correlation

DISTANCE = 0.0075  # of the diagonal: how far a boundary may be from where it was drawn
BETA2 = 0.3  # of the F-measure of salient objects: precision counts more
_RADIUS = 1  # pixels along the normal in which a ridge must be the highest
_TIE = 1.01  # a ridge may be this much lower than its neighbour
_BORDER = 5  # pixels at the picture's border where ridges fade out


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """Matches of one cut with what people drew; sums over pictures are measured.

    Attributes:
        found: Boundary pixels of the cut, and
        right: those of them that somebody drew.
        drawn: Boundary pixels of all people together, and
        met: those of them that the cut has.
    """

    found: int = 0
    right: int = 0
    drawn: int = 0
    met: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.found + other.found,
            self.right + other.right,
            self.drawn + other.drawn,
            self.met + other.met,
        )

    @property
    def f1(self) -> float:
        precision, recall = self.right / max(self.found, 1), self.met / max(self.drawn, 1)
        return 2 * precision * recall / max(precision + recall, 1e-12)


def ridges(edges: np.ndarray) -> np.ndarray:
    """float32 [h, w]: an edge map in 0..1, 0 but where it is highest across the edge.

    Source: `edgesNms` of Dollar's structured-edges toolbox, which PiDiNet's and HED's authors use.
    """
    edges = _triangle(edges.astype(np.float32), 1)
    smooth = _triangle(edges, 4)
    dy, dx = np.gradient(smooth)
    dxx, (dyy, dxy) = np.gradient(dx, axis=1), np.gradient(dy)
    angle = np.mod(np.arctan2(dyy * np.sign(-dxy), dxx + 1e-5), np.pi)  # of the normal
    height, width = edges.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    highest = np.ones(edges.shape, bool)
    for step in [one for one in range(-_RADIUS, _RADIUS + 1) if one]:
        at_x = (x + step * np.cos(angle)).astype(np.float32)
        at_y = (y + step * np.sin(angle)).astype(np.float32)
        beside = cv2.remap(edges, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        highest &= edges * _TIE >= beside
    inside = np.minimum.reduce([x, y, width - 1 - x, height - 1 - y])
    return np.where(highest, edges, 0) * np.minimum(inside / _BORDER, 1)


def _triangle(values: np.ndarray, radius: int) -> np.ndarray:
    rising = np.arange(1, radius + 1)
    kernel = np.concatenate([rising, [radius + 1], rising[::-1]]) / (radius + 1) ** 2
    smooth: np.ndarray = cv2.sepFilter2D(values, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    return smooth


def match(found: np.ndarray, drawn: np.ndarray, distance: float) -> tuple[np.ndarray, int]:
    """(bool [n]: which of found's pixels are matched, in reading order; how many of drawn's are).

    Both are bool [h, w]; each pixel is matched with one pixel at most, at most `distance` away.
    """
    rows, columns = np.nonzero(found)
    height, width = found.shape
    reach = int(distance)
    number = np.full((height + 2 * reach, width + 2 * reach), -1)
    number[reach : reach + height, reach : reach + width][drawn] = np.arange(np.sum(drawn))
    pairs = []
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down * down + right * right <= distance * distance:
                partner = number[rows + down + reach, columns + right + reach]
                (which,) = np.nonzero(partner >= 0)
                pairs.append(np.stack([which, partner[which]]))
    which, partner = np.concatenate(pairs, axis=1)
    ones = np.ones(len(which), np.int8)
    graph = csr_array((ones, (which, partner)), shape=(len(rows), int(np.sum(drawn))))
    matched = maximum_bipartite_matching(graph.tocsr(), perm_type="column") >= 0
    return matched, int(np.sum(matched))


def count(cut: np.ndarray, people: Sequence[np.ndarray]) -> Counts:
    """Counts of one cut, bool [h, w], against what each person drew, bool [h, w] each."""
    distance = DISTANCE * float(np.hypot(*cut.shape))
    right = np.zeros(int(np.sum(cut)), bool)
    met = 0
    for drawn in people:
        matched, hits = match(cut, drawn, distance)
        right |= matched
        met += hits
    drawn_pixels = sum(int(np.sum(drawn)) for drawn in people)
    return Counts(len(right), int(np.sum(right)), drawn_pixels, met)


def cuts(edges: np.ndarray, thresholds: Sequence[float]) -> list[np.ndarray]:
    """bool [h, w]: thin boundaries of an edge map in 0..1, at each threshold."""
    thin = ridges(edges)
    return [lines(thin >= threshold) for threshold in thresholds]


def best_f1(counts: Sequence[Sequence[Counts]]) -> tuple[float, int]:
    """(the best F1, number of its threshold): one threshold for all pictures (ODS).

    Args:
      counts: Of each picture, at each threshold.
    """
    totals = [sum(column, Counts()).f1 for column in zip(*counts, strict=True)]
    best = int(np.argmax(totals))
    return totals[best], best


def max_f_beta(maps: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """The best F-measure (beta squared .3) of soft masks uint8 against bool masks, [h, w] each.

    Precision and recall are averaged over the pictures at each of 256 thresholds, then combined.
    """
    precision, recall = np.zeros((2, len(maps), 256))
    for number, (found, truth) in enumerate(zip(maps, truths, strict=True)):
        # from the highest value down: how many pixels are at least that
        hits = np.bincount(found[truth], minlength=256)[::-1].cumsum()[::-1]
        taken = np.bincount(found.ravel(), minlength=256)[::-1].cumsum()[::-1]
        precision[number] = np.where(taken, hits / np.maximum(taken, 1), 1)
        recall[number] = hits / max(int(truth.sum()), 1)
    p, r = precision.mean(axis=0), recall.mean(axis=0)
    return float(np.max((1 + BETA2) * p * r / np.maximum(BETA2 * p + r, 1e-12)))


def mean_error(maps: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """Mean absolute error, 0 to 1, of soft masks uint8 against bool masks; mean over pictures."""
    errors = [np.abs(found / 255 - truth).mean() for found, truth in zip(maps, truths, strict=True)]
    return float(np.mean(errors))


def ladder_order(quality: Sequence[float]) -> float:
    """Spearman's correlation of qualities with the order of a ladder: the first is the best."""
    return rank_correlation(np.asarray(quality), -np.arange(len(quality)))
