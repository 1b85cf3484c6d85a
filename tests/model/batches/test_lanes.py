"""Mixture and lanes: closed forms against counting, an even deal, the cycle's own shares."""

import collections
import itertools

import numpy as np
import pytest

from instruct_imagen_data import mixture, tasks
from model.batches.lanes import Lanes


def table1(length: int = 10_000) -> mixture.Cycle:
    rows = {name: one.paper_examples for name, one in tasks.DATASETS.items()}
    return mixture.cycle_of(mixture.of_rows(rows), length)


@pytest.mark.parametrize(("length", "lanes"), [(100, 1), (100, 8), (50, 16), (30, 7), (1, 4)])
def test_closed_forms_are_what_counting_gives(length: int, lanes: int) -> None:
    names = list(tasks.DATASETS)[:3] if length > 1 else ["natural"]
    shares = tuple(
        mixture.Share(name, ratio, 9)
        for name, ratio in zip(names, (0.1, 0.6, 0.3) if length > 1 else (1.0,), strict=True)
    )
    dealt = Lanes(mixture.cycle_of(shares, length), lanes)
    in_lane: collections.Counter[tuple[int, str]] = collections.Counter()
    at_all: collections.Counter[str] = collections.Counter()
    for draw in range(lanes * length * 3 + 5):  # beyond a whole round of the lanes
        dataset = dealt.dataset_at(draw)
        assert dealt.in_lane(draw) == in_lane[draw % lanes, dataset]
        for name in names:
            assert dealt.count(name, draw) == at_all[name]
        in_lane[draw % lanes, dataset] += 1
        at_all[dataset] += 1


def test_each_block_of_lanes_has_what_the_cycle_has() -> None:
    cycle = table1()
    dealt = Lanes(cycle, 64)
    for block in range(400):
        here = range(block * 64, (block + 1) * 64)
        assert sorted(map(dealt.dataset_at, here)) == sorted(map(cycle.dataset_at, here))


def test_shares_are_those_of_table_1() -> None:
    dealt = Lanes(table1(), 32)
    for name, one in tasks.DATASETS.items():
        for draws in (320, 9_984, 100_000):
            assert abs(dealt.count(name, draws) - draws * one.ratio) <= 1


@pytest.mark.parametrize("lanes", [16, 48])
def test_each_lane_sees_each_dataset_at_its_rate(lanes: int) -> None:
    # Dealt as it lies, the cycle gives sketch2image, each fiftieth draw, to half of 16 lanes.
    dealt = Lanes(table1(), lanes)
    for draws in (10_000 * lanes, 7 * 10_000 * lanes // 3):
        for name, one in tasks.DATASETS.items():
            per_lane = []
            for lane in range(lanes):
                # The next draw of the dataset in this lane knows how many came before.
                draw = next(
                    draw
                    for draw in itertools.count(draws - draws % lanes + lane, lanes)
                    if dealt.dataset_at(draw) == name
                )
                per_lane.append(dealt.in_lane(draw))
            assert np.ptp(per_lane) <= 9
            assert np.mean(per_lane) == pytest.approx(draws * one.ratio / lanes, abs=3)
