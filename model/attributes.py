"""Which of several references a picture follows: told from its pixels, by no network.

Each attribute is one that the planted demo varies on purpose: where the object is (control), the
colours of a painting (style), the colour of a subject. A picture's own target tells how well the
attribute can be told at all.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from model.batches.records import Pixels

Scores = npt.NDArray[np.float64]  # [K], of each reference; the greatest is the one that is followed
_CELLS = 3  # a side


def layout(picture: Pixels, maps: Sequence[Pixels]) -> Scores:
    """How much of a picture's colour each map explains: the share of its variance, 0 to 1."""
    colours = picture.reshape(-1, 3).astype(np.float64)
    colours -= colours.mean(0)
    found = []
    for one in maps:
        bright = one[..., 0].ravel().astype(np.float64)
        bright -= bright.mean()
        explained = (bright @ colours) ** 2 / max(bright @ bright, 1e-9)
        found.append(explained.sum() / max((colours**2).sum(), 1e-9))
    return np.array(found)


def colours(picture: Pixels, paintings: Sequence[Pixels]) -> Scores:
    """How near the colours of a picture and of each painting are, wherever they are: the mean
    distance of a pixel to the nearest of the other, both ways, negative; in sRGB."""
    own = picture.reshape(-1, 3).astype(np.float64)
    found = []
    for one in paintings:
        other = one.reshape(-1, 3).astype(np.float64)
        apart = np.linalg.norm(own[:, None] - other[None], axis=2)  # [S*S, S*S]
        found.append(-(apart.min(0).mean() + apart.min(1).mean()))
    return np.array(found)


def hue(picture: Pixels, subjects: Sequence[Pixels]) -> Scores:
    """How near the mean colours in the middle of the pictures are, where a subject is: the
    distance, negative; in sRGB."""
    return -np.array([np.linalg.norm(_middle(picture) - _middle(one)) for one in subjects])


def _middle(picture: Pixels) -> npt.NDArray[np.float64]:
    quarter = len(picture) // 4
    return picture[quarter:-quarter, quarter:-quarter].reshape(-1, 3).mean(0)


def cell(mask: Pixels) -> int:
    """Where the object of a mask is: which of 3 x 3 cells its centre of mass is in, row by row."""
    weights = mask[..., 0].astype(np.float64)
    total = max(weights.sum(), 1e-9)
    places = np.arange(len(mask)) + 0.5
    row = (weights.sum(1) @ places) / total
    column = (weights.sum(0) @ places) / total
    return int(row * _CELLS // len(mask)) * _CELLS + int(column * _CELLS // len(mask))


# Role of a reference to (what is told of it, how).
OF_ROLE: Mapping[str, tuple[str, Callable[[Pixels, Sequence[Pixels]], Scores]]] = {
    "depth": ("layout", layout),
    "mask": ("layout", layout),
    "style": ("colours", colours),
    "subject": ("hue", hue),
}
