"""Whose reference a picture follows: planted pictures whose answer is known."""

import numpy as np
import pytest

from instruct_imagen_data import images
from model.batches.records import Pixels
from model.evaluate import attributes
from model.evaluate.rows import Cited, Row
from model.evaluate.scores import Drawn

SIDE = 16


def flat(*colour: int) -> Pixels:
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def spot(place: int) -> Pixels:
    """A mask: a square of light in one of four corners."""
    mask = flat(0, 0, 0)
    top, left = 8 * (place // 2), 8 * (place % 2)
    mask[top : top + 8, left : left + 8] = 255
    return mask


def painted(mask: Pixels, inside: tuple[int, ...], outside: tuple[int, ...]) -> Pixels:
    return np.where(mask > 127, flat(*inside), flat(*outside)).astype(np.uint8)


def test_a_layout_is_found_whatever_the_colours_are() -> None:
    masks = [spot(place) for place in range(4)]
    for place, mask in enumerate(masks):
        for inside, outside in (((200, 30, 30), (20, 90, 200)), ((0, 60, 0), (250, 250, 250))):
            scores = attributes.layout(painted(mask, inside, outside), masks)
            assert scores.argmax() == place
            assert scores[place] == pytest.approx(1.0)


def test_the_share_of_variance_is_that_of_a_least_squares_fit() -> None:
    rng = np.random.default_rng(0)
    picture, mask = rng.integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    mask[..., 1:] = mask[..., :1]
    shown = picture.reshape(-1, 3).astype(float)
    design = np.stack([np.ones(SIDE * SIDE), mask[..., 0].ravel()], 1)
    fitted = design @ np.linalg.lstsq(design, shown, rcond=None)[0]
    middle = shown.mean(0)
    share = ((fitted - middle) ** 2).sum() / ((shown - middle) ** 2).sum()
    assert attributes.layout(picture, [mask])[0] == pytest.approx(share)


def test_a_flat_map_explains_nothing() -> None:
    assert attributes.layout(spot(0), [flat(9, 9, 9)])[0] == 0


def test_a_palette_is_told_by_its_colours_wherever_they_lie() -> None:
    red, green = painted(spot(0), (250, 20, 20), (90, 0, 0)), flat(10, 200, 10)
    elsewhere = np.ascontiguousarray(red[::-1, ::-1])
    assert attributes.palette(elsewhere, [green, red]).tolist()[1] == 0
    assert attributes.palette(elsewhere, [green, red]).argmax() == 1


def test_what_is_around_a_subject_does_not_count() -> None:
    red, blue = flat(200, 20, 20), flat(20, 20, 200)
    picture = flat(20, 20, 200)
    picture[3:13, 3:13] = (200, 20, 20)
    assert attributes.colours(picture, [blue, red]).tolist()[1] == 0
    assert attributes.colours(picture, [blue, red]).argmax() == 1


def drawn_rows(follows: str) -> list[Drawn]:
    """Ten rows of suti, two of each of five subjects, drawn by a model that paints its reference
    or, whatever it is shown, what the row's own shows."""
    levels = [20, 70, 120, 170, 220]
    rows = []
    for number in range(10):
        level = levels[number // 2]
        cited = Cited(1, "subject", "mug", images.encode_png(flat(level, level, level)))
        sources = frozenset({f"subject {level}"})
        rows.append(Row(str(number), "suti", "", "a mug", b"", (cited,), sources))
    found = []
    for number, row in enumerate(rows):
        other = rows[(number + 2) % 10]
        own, lent = (flat(*[levels[rows.index(one) // 2]] * 3) for one in (row, other))
        swapped = lent if follows == "reference" else own
        found.append(Drawn(row, own, own, other.references, swapped, {}, {}, {}))
    return found


def test_a_model_that_follows_its_references_is_told_from_one_that_does_not() -> None:
    one = attributes.of(drawn_rows("reference"))
    assert one is not None
    assert (one.name, one.rows) == ("colours of the subject", 10)
    assert one.chance == pytest.approx(1 / 5)  # ten rows, of five subjects
    assert (one.target, one.right, one.swapped, one.kept) == (1, 1, 1, 0)
    other = attributes.of(drawn_rows("text"))
    assert other is not None
    assert (other.right, other.swapped, other.kept) == (1, 0, 1)


def test_nothing_is_told_without_references_that_decide_something() -> None:
    row = Row("a", "natural", "", "a mug", b"", ())
    assert attributes.of([Drawn(row, spot(0), spot(0), None, None, {}, {}, None)]) is None
    assert attributes.table({}) == ""


def test_the_table_has_a_line_for_each_dataset() -> None:
    one = attributes.of(drawn_rows("text"))
    assert one is not None
    head, line = attributes.table({"suti": one}).splitlines()
    assert head.split()[-5:] == ["chance", "target", "right", "swapped", "own"]
    assert line.split()[-5:] == ["0.20", "1.00", "1.00", "0.00", "1.00"]
