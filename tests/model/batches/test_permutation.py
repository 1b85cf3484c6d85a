"""The keyed permutation: a bijection of any length, another one for each key, without a list."""

import collections

import numpy as np
import pytest

from model.batches.permutation import permute


@pytest.mark.parametrize("length", [1, 2, 3, 5, 16, 17, 64, 65, 100, 257, 1000])
def test_each_number_comes_once(length: int) -> None:
    for key in "ab":
        found = sorted(permute(number, length, key) for number in range(length))
        assert found == list(range(length))


def test_large_lengths_cost_nothing() -> None:
    length = 40_400_000
    found = {permute(number, length, "key") for number in range(2000)}
    assert len(found) == 2000
    assert all(0 <= number < length for number in found)


@pytest.mark.parametrize("length", [2, 3, 7, 20])
def test_every_place_is_as_likely(length: int) -> None:
    keys = 3000
    for number in (0, length - 1):
        drawn = (permute(number, length, str(key)) for key in range(keys))
        found = collections.Counter(drawn)
        counts = np.array([found[place] for place in range(length)])
        expected = keys / length
        chi = ((counts - expected) ** 2 / expected).sum()
        assert chi < length + 5 * np.sqrt(2 * length)  # five deviations of chi-squared


def test_all_orders_of_three_come() -> None:
    orders = collections.Counter(
        tuple(permute(number, 3, str(key)) for number in range(3)) for key in range(3000)
    )
    assert len(orders) == 6
    assert min(orders.values()) > 400  # 500 expected


def test_neighbours_do_not_stay_together() -> None:
    length = 10_000
    places = np.array([permute(number, length, "key") for number in range(length)])
    assert abs(np.corrcoef(places[:-1], places[1:])[0, 1]) < 0.05
    assert (np.abs(np.diff(places)) < 10).mean() < 0.01


def test_a_number_beyond_the_length_is_refused() -> None:
    with pytest.raises(ValueError, match="5 is not among 5"):
        permute(5, 5, "key")
