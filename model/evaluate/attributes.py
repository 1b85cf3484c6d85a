"""Whose reference a picture follows, told from its pixels by no network.

Each attribute is one that references of a role decide: where things are (depth, mask), the colours
of a painting (style), the colours of a subject. A picture is compared with its own row's reference
and some other rows'; how often the target itself is told right is about the best that can be
reached. Checks judge one pair; this is a choice among several, with a known chance.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from model.batches import pictures
from model.batches.records import Pixels
from model.evaluate.rows import CENTRE, Cited, Row
from model.evaluate.scores import Drawn

Scores = npt.NDArray[np.float64]  # [K], of each reference; the greatest is the one that is followed
MOST = 8  # references to choose among


@dataclasses.dataclass(frozen=True, slots=True)
class Attribute:
    """How often pictures of a dataset follow a reference in one attribute.

    Attributes:
      name: Of the attribute.
      rows: Pictures that were drawn with each reference.
      chance: Of a guess.
      target: Share of the targets that are told to be of their own reference.
      right: Share of the pictures drawn with their own reference that are told to be of it.
      swapped: Share of those drawn with another row's that are told to be of that one.
      kept: Share of the latter that are told to be of their own row's, which they have not seen.
    """

    name: str
    rows: int
    chance: float
    target: float
    right: float
    swapped: float
    kept: float


def layout(picture: Pixels, maps: Sequence[Pixels]) -> Scores:
    """How much of a picture's colour each map explains: the share of its variance, 0 to 1."""
    shown = picture.reshape(-1, 3).astype(np.float64)
    shown -= shown.mean(0)
    found = []
    for one in maps:
        bright = one[..., 0].ravel().astype(np.float64)
        bright -= bright.mean()
        explained = (bright @ shown) ** 2 / max(float(bright @ bright), 1e-9)  # [3]
        found.append(explained.sum() / max((shown**2).sum(), 1e-9))
    return np.array(found)


def palette(picture: Pixels, paintings: Sequence[Pixels]) -> Scores:
    """How near the mean and the spread of a picture's colours are to each painting's: the distance,
    negative; in sRGB."""
    return -np.array([np.linalg.norm(_moments(picture) - _moments(one)) for one in paintings])


def _moments(picture: Pixels) -> npt.NDArray[np.float64]:
    """Mean and deviation of each channel, [6]."""
    shown = picture.reshape(-1, 3).astype(np.float64)
    return np.concatenate([shown.mean(0), shown.std(0)])


def colours(picture: Pixels, subjects: Sequence[Pixels]) -> Scores:
    """How near the colours in the middle of the pictures are, where a subject is: the mean distance
    of a pixel to the nearest of the other, both ways, negative; in sRGB."""
    own = _middle(picture)
    found = []
    for one in subjects:
        apart = np.linalg.norm(own[:, None] - _middle(one)[None], axis=2)
        found.append(-(apart.min(0).mean() + apart.min(1).mean()))
    return np.array(found)


def _middle(picture: Pixels) -> npt.NDArray[np.float64]:
    """The pixels that are no border, float64 [n, 3]."""
    border = len(picture) // 5
    middle = picture[border : len(picture) - border, border : len(picture) - border]
    return middle.reshape(-1, 3).astype(np.float64)


# Role of a reference to (attribute, how it is told).
OF_ROLE: Mapping[str, tuple[str, Callable[[Pixels, Sequence[Pixels]], Scores]]] = {
    "depth": ("layout", layout),
    "mask": ("layout", layout),
    "style": ("palette", palette),
    "subject": ("colours of the subject", colours),
}


def of(drawn: Sequence[Drawn]) -> Attribute | None:
    """The attribute of a dataset; None where its references decide none that is told here, or no
    row was drawn with another's."""
    roles = [one.role for one in drawn[0].row.references if one.role in OF_ROLE]
    swapped = [
        (one, one.lent, one.swapped) for one in drawn if one.lent and one.swapped is not None
    ]
    if not roles or not swapped:
        return None
    name, how = OF_ROLE[roles[0]]
    side = len(swapped[0][0].target)
    told = []
    chances = []
    for one, lent, other in swapped:
        others = _others(one, drawn)
        choice = [_shown(each, roles[0], side) for each in (one.row.references, lent, *others)]
        chances.append(1 / len(choice))
        made = (one.target, one.right, other)
        told.append([int(np.argmax(how(picture, choice))) for picture in made])
    found = np.array(told)  # [rows, 3]: 0 is the row's own reference, 1 the one that was lent
    shares = (found[:, 0] == 0, found[:, 1] == 0, found[:, 2] == 1, found[:, 2] == 0)
    return Attribute(
        name, len(found), float(np.mean(chances)), *(float(np.mean(one)) for one in shares)
    )


def _others(one: Drawn, drawn: Sequence[Drawn]) -> list[tuple[Cited, ...]]:
    """References of further rows, of which no two were made of one picture."""
    lender = next(other.row for other in drawn if other.row.references == one.lent)
    taken = [one.row, lender]
    for other in drawn:
        if len(taken) == MOST:
            break
        if other.row.references and all(_apart(other.row, row) for row in taken):
            taken.append(other.row)
    return [row.references for row in taken[2:]]


def _apart(one: Row, other: Row) -> bool:
    return one.sources.isdisjoint(other.sources)


def _shown(references: Sequence[Cited], role: str, side: int) -> Pixels:
    """The first reference of a role, as the network sees it."""
    cited = next(one for one in references if one.role == role)
    return pictures.shown(cited.image, side, CENTRE, role)


def table(followed: Mapping[str, Attribute]) -> str:
    """The attributes as text, a line each; "" where there is none."""
    if not followed:
        return ""
    head = f"{'dataset':<15}{'follows its reference in':<26}{'rows':>4}"
    lines = [head + "".join(f"{one:>9}" for one in ("chance", "target", "right", "swapped", "own"))]
    for dataset, one in followed.items():
        shares = (one.chance, one.target, one.right, one.swapped, one.kept)
        told = "".join(f"{share:>9.2f}" for share in shares)
        lines.append(f"{dataset:<15}{one.name:<26}{one.rows:>4}{told}")
    return "\n".join(lines)
