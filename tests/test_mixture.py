"""The mixture: ratios of what is there, the cap on replay, and the order of the draws."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruct_imagen_data import mixture, tasks
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.mixture import Share
from instruct_imagen_data.mixture.cycle import even_order

ALL = dict.fromkeys(tasks.DATASETS, 10)
subsets = st.dictionaries(
    st.sampled_from(list(tasks.DATASETS)), st.integers(1, 10_000_000), min_size=1
)


def ratios(found: mixture.Mixture) -> dict[str, float]:
    return {one.dataset: round(one.ratio, 6) for one in found}


def test_all_of_table_1() -> None:
    assert ratios(mixture.of_rows(ALL)) == {
        "natural": 0.15, "wikiart": 0.05, "depth_webli": 0.06, "mask_webli": 0.06,
        "edge_webli": 0.06, "sketch2image": 0.02, "suti": 0.3, "celeba": 0.05, "celeba_hq": 0.05,
        "styled": 0.1, "style_transfer": 0.1,
    }  # fmt: skip


def test_a_missing_dataset_leaves_its_share_in_its_category() -> None:
    rows = {name: 10 for name in ALL if name not in ("celeba", "wikiart")}
    found = ratios(mixture.of_rows(rows))
    assert found["natural"] == 0.2
    assert found["suti"] == round(0.4 * 30 / 35, 6)
    assert found["celeba_hq"] == round(0.4 * 5 / 35, 6)
    assert found["depth_webli"] == 0.06


def test_a_missing_category_goes_to_all_others() -> None:
    rows = {name: 10 for name in ALL if name not in ("styled", "style_transfer", "mask_webli")}
    found = ratios(mixture.of_rows(rows | {"styled": 0}))
    assert found["natural"] == 0.1875  # .15 of .80
    assert found["depth_webli"] == round(0.25 * 6 / 14, 6)
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(UsageError, match="no training row"):
        mixture.of_rows({"natural": 0})


@given(subsets)
def test_ratios_sum_to_one(rows: dict[str, int]) -> None:
    found = mixture.of_rows(rows)
    assert {one.dataset: one.rows for one in found} == rows
    assert sum(one.ratio for one in found) == pytest.approx(1)
    written = mixture.write(found)
    stated = [line.split()[2] for line in written.splitlines() if line.startswith("ratio")]
    assert sum(map(Fraction, stated)) == 1
    again = mixture.read(written)
    assert [one.dataset for one in again] == [one.dataset for one in found]
    for one, other in zip(found, again, strict=True):
        assert one.rows == other.rows
        assert one.ratio == pytest.approx(other.ratio, abs=1e-6)
    assert mixture.write(again) == written


GOOD = '[[mixture]]\ndataset = "natural"\nratio = 0.75\nrows = 5\n'
OTHER = '[[mixture]]\ndataset = "suti"\nratio = 0.25\nrows = 7\n'


def test_a_file_by_hand() -> None:
    found = mixture.read(OTHER + GOOD)
    assert found == (Share("natural", 0.75, 5), Share("suti", 0.25, 7))
    assert found[1].replay(280) == 10


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "m.toml holds no"),
        ("[mixture]\na=1", "m.toml holds no"),
        ("mixture = ", "m.toml is no TOML"),
        (GOOD, "ratios sum to 0.75; they must sum to 1"),
        (GOOD + GOOD, "twice"),
        (GOOD + OTHER.replace("suti", "sooty"), "no dataset 'sooty'; known are natural"),
        (GOOD + OTHER.replace("rows = 7", ""), "dataset, ratio and rows, not"),
        (GOOD + OTHER.replace("rows = 7", "rows = 0"), "suti: .* rows are at least 1"),
        (GOOD + OTHER.replace("0.25", "-1"), "suti: a ratio is from 0 to 1"),
        (GOOD + OTHER.replace("0.25", '"much"'), "suti: a ratio is from 0 to 1"),
        (GOOD + OTHER.replace("0.25", "nan"), "suti: a ratio is from 0 to 1"),
    ],
)
def test_no_mixture(text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        mixture.read(text, "m.toml")


def test_the_cap_gives_to_the_category_first() -> None:
    rows = dict.fromkeys(ALL, 1000) | {"celeba": 10}
    draws = 10_000
    found = mixture.of_rows(rows)
    assert {one.dataset: one.replay(draws) for one in found}["celeba"] == pytest.approx(50)
    cut = ratios(mixture.capped(found, draws, 20))
    assert cut["celeba"] == 0.02
    assert cut["suti"] == round(0.3 + 0.03 * 30 / 35, 6)
    assert cut["celeba_hq"] == round(0.05 + 0.03 * 5 / 35, 6)
    others = [name for name in ALL if tasks.DATASETS[name].category != "subject"]
    assert {name: cut[name] for name in others} == {
        name: tasks.DATASETS[name].ratio for name in others
    }


def test_the_cap_overflows_to_all_others() -> None:
    rows = dict.fromkeys(ALL, 100_000) | {"styled": 10}  # alone in its category
    cut = ratios(mixture.capped(mixture.of_rows(rows), 10_000, 20))
    assert cut["styled"] == 0.02
    assert cut["natural"] == round(0.15 + 0.08 * 0.15 / 0.9, 6)
    assert cut["style_transfer"] == round(0.1 + 0.08 * 0.1 / 0.9, 6)


def test_a_sibling_that_the_excess_fills_passes_it_on() -> None:
    rows = {"natural": 100_000, "celeba": 10, "celeba_hq": 11, "suti": 12}
    cut = ratios(mixture.capped(mixture.of_rows(rows), 1000, 5))
    assert cut == {"natural": 0.835, "suti": 0.06, "celeba": 0.05, "celeba_hq": 0.055}


def test_too_few_rows_are_replayed_alike() -> None:
    found = mixture.of_rows({"natural": 30, "suti": 10})
    assert mixture.too_few(found, 1000, 20)
    assert ratios(mixture.capped(found, 1000, 20)) == {"natural": 0.75, "suti": 0.25}
    assert not mixture.too_few(found, 800, 20)


@given(subsets, st.integers(1, 10**9), st.floats(1, 300))
def test_no_dataset_is_above_the_cap(rows: dict[str, int], draws: int, most: float) -> None:
    found = mixture.of_rows(rows)
    cut = mixture.capped(found, draws, most)
    assert sum(one.ratio for one in cut) == pytest.approx(1)
    if mixture.too_few(found, draws, most):
        assert len({round(one.replay(draws) / most, 6) for one in cut}) == 1
        return
    for before, after in zip(found, cut, strict=True):
        assert after.replay(draws) <= most * (1 + 1e-9)
        assert after.ratio >= min(before.ratio, most * after.rows / draws) * (1 - 1e-9)
    if all(one.replay(draws) <= most for one in found):
        assert cut == found


@pytest.mark.parametrize("missing", [(), ("celeba", "styled"), ("natural", "wikiart")])
def test_draws_keep_to_the_ratios(missing: tuple[str, ...]) -> None:
    """Over any number of draws each dataset is within one sample of its share of the cycle."""
    found = mixture.of_rows({name: 10 for name in ALL if name not in missing})
    cycle = mixture.cycle_of(found)
    drawn = Counter(cycle.dataset_at(n) for n in range(100_000))
    for one in found:
        assert abs(drawn[one.dataset] - 100_000 * one.ratio) <= 100_000 / mixture.CYCLE
        assert drawn[one.dataset] == cycle.count(one.dataset, 100_000)


shares = st.lists(st.integers(0, 400), min_size=1, max_size=11).filter(any)


@settings(deadline=None)
@given(shares)
def test_no_dataset_is_ever_early_or_late(counts: list[int]) -> None:
    """Brute force over one cycle: before any draw the counts are within the best bound there is."""
    length, kinds = sum(counts), sum(one > 0 for one in counts)
    order = even_order(counts)
    assert Counter(order) == Counter({i: one for i, one in enumerate(counts) if one})
    each = np.array(order)[:, None] == np.arange(len(counts))
    had = np.cumsum(each, axis=0)
    due = np.arange(1, length + 1)[:, None] * np.array(counts)  # in units of 1 / length
    bound = 0 if kinds == 1 else 1 - 1 / (2 * kinds - 2)
    assert np.abs(had * length - due).max() <= bound * length + 1e-6


@settings(deadline=None)
@given(subsets, st.integers(1, 300), st.integers(0, 5000), st.integers(0, 3000))
def test_counts_are_looked_up(rows: dict[str, int], length: int, start: int, size: int) -> None:
    cycle = mixture.cycle_of(mixture.of_rows(rows), length)
    drawn = [cycle.dataset_at(n) for n in range(start + size)]
    had: Counter[str] = Counter(drawn[:start])
    for name in rows:
        assert cycle.count(name, start) == had[name]
        share = cycle.count(name, length)
        window = drawn[start:].count(name)
        assert abs(window - size * share / length) < 2
    for n in range(start, start + size):
        assert cycle.sample_at(n) == (drawn[n], had[drawn[n]])
        had[drawn[n]] += 1


GOLDEN = ["suti", "natural", "suti", "suti", "styled", "natural", "suti"]


def test_a_cycle_is_fixed() -> None:
    """A resume, on another machine too, depends on this order."""
    cycle = mixture.cycle_of(mixture.of_rows({"natural": 3, "suti": 2, "styled": 1}), 7)
    assert [cycle.dataset_at(n) for n in range(7)] == GOLDEN
    assert [cycle.dataset_at(n) for n in range(7, 14)] == GOLDEN
    assert cycle.count("suti", 7 * 10**15) == 4 * 10**15
    assert cycle.sample_at(7 * 10**15 + 3) == ("suti", 4 * 10**15 + 2)


def test_the_table_tells_every_dataset() -> None:
    found = mixture.of_rows({"natural": 1200, "suti": 4})
    left = dict.fromkeys(tasks.DATASETS, "not in examples") | {"suti": "no"}
    lines = mixture.table(found, left, None)
    assert lines[1].split() == ["natural", "1,200", "0.3333"]
    assert lines[2] == "  wikiart           left out: not in examples"
    assert len(lines) == 1 + len(tasks.DATASETS)
    assert mixture.table(found, {}, 600)[1:] == [
        "  natural                  1,200  0.3333        0.2 times",
        "  suti                         4  0.6667      100.0 times",
    ]


def test_warnings_say_what_to_do() -> None:
    found = mixture.of_rows({"natural": 1200, "suti": 4})
    assert mixture.warnings(found, None, None) == []
    assert mixture.warnings(found, 300, None) == []  # 50 times is not above 50
    (often,) = mixture.warnings(found, 306, None)
    assert often.startswith("suti: replayed more than 50 times in 306 draws")
    assert often.endswith("--max-replay 50")
    assert mixture.warnings(mixture.capped(found, 306, 50), 306, 50) == []
    (few,) = mixture.warnings(mixture.capped(found, 30_100, 20), 30_100, 20)
    assert "1,204 rows in all are too few for 30,100 draws at --max-replay 20" in few
    assert "replayed 25.0 times" in few
    rare = mixture.capped(mixture.of_rows({"natural": 10**9, "suti": 4}), 10**7, 50)
    (never,) = mixture.warnings(rare, None, None)
    assert never == "suti: less than one of 10,000 draws, so never drawn"
