"""Which row a draw is of: every row in each pass, another order each, and stand-ins nearby."""

import collections

import pytest

from model.batches.order import Order


def drawn(order: Order, draws: int) -> list[int]:
    """Rows of the first draws of a dataset that alone is drawn: lane by lane, in turn."""
    return [
        next(order.candidates(draw % order.lanes, draw // order.lanes, draw))
        for draw in range(draws)
    ]


@pytest.mark.parametrize("rows", [1, 3, 40, 127])
def test_a_small_dataset_has_each_row_once_a_pass(rows: int) -> None:
    order = Order("natural", rows, lanes=16, window=8, seed=0)
    assert order.small
    passes = [drawn(order, rows * 3)[i * rows : (i + 1) * rows] for i in range(3)]
    assert all(sorted(one) == list(range(rows)) for one in passes)
    assert rows < 40 or len(set(map(tuple, passes))) == 3


@pytest.mark.parametrize(("rows", "lanes"), [(64, 4), (96, 4), (128, 4), (100, 2), (131, 4)])
def test_a_pass_over_the_windows_has_each_row(rows: int, lanes: int) -> None:
    order = Order("natural", rows, lanes, window=16, seed=0)
    assert not order.small
    base, longer = divmod(rows, order.windows)
    places = base + (longer > 0)
    # As many passes as make the lanes come out even.
    found = collections.Counter(drawn(order, order.windows * places * lanes))
    assert set(found) == set(range(rows))
    spare = order.windows * places - rows  # places without a row are filled from their window
    assert sum(found.values()) - rows * lanes == spare * lanes
    assert max(found.values()) <= 2 * lanes
    assert min(found.values()) == lanes


def test_a_lane_draws_a_window_to_its_end() -> None:
    order = Order("natural", 1600, lanes=4, window=16, seed=0)
    for lane in range(4):
        for window in range(20):
            rows = [
                next(order.candidates(lane, in_lane, 0))
                for in_lane in range(window * 16, (window + 1) * 16)
            ]
            first = min(rows)
            assert first % 16 == 0
            assert sorted(rows) == list(range(first, first + 16))
            assert rows != sorted(rows)


def test_stand_ins_are_the_window_s_other_rows_each_once() -> None:
    order = Order("natural", 160, lanes=4, window=16, seed=0)
    for draw in (0, 5, 77, 1000):
        first, *others = order.candidates(draw % 4, draw // 4, draw)
        window = first // 16 * 16
        assert sorted([first, *others]) == list(range(window, window + 16))
    small = Order("natural", 10, lanes=4, window=16, seed=0)
    assert sorted(small.candidates(0, 3, 12)) == list(range(10))


def test_names_and_seeds_give_other_orders() -> None:
    orders = {
        tuple(drawn(Order(name, 50, 4, 16, seed), 50))
        for name in ("natural", "suti")
        for seed in (0, 1)
    }
    assert len(orders) == 4


def test_far_draws_are_found_at_once() -> None:
    order = Order("natural", 40_400_000, lanes=64, window=64, seed=0)
    far = next(order.candidates(3, 10**12, 0))
    assert 0 <= far < order.rows
