"""Variety of a file: self-BLEU by brute force and by hand, entropy, lengths, limits."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from instruct_imagen_data import templates
from instruct_imagen_data.templates import Template
from instruct_imagen_data.tools.templates.lint import variety
from instruct_imagen_data.tools.templates.lint.bleu import self_bleu
from instruct_imagen_data.tools.templates.lint.read import Read
from instruct_imagen_data.tools.templates.lint.tokens import tokens


def bleu(text: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU-4 as Papineni et al. 2002 define it, each reference in turn, no match as 0.1 matches."""
    logs = []
    for order in range(1, 5):
        windows = [tuple(text[at : at + order]) for at in range(len(text) - order + 1)]
        if not windows:
            continue
        matches = 0.0
        for gram in set(windows):
            most = 0
            for other in references:
                there = [tuple(other[at : at + order]) for at in range(len(other) - order + 1)]
                most = max(most, there.count(gram))
            matches += min(windows.count(gram), most)
        logs.append(math.log((matches or 0.1) / len(windows)))
    nearest = sorted(references, key=lambda other: (abs(len(other) - len(text)), len(other)))[0]
    penalty = 1.0 if len(text) > len(nearest) else math.exp(1 - len(nearest) / len(text))
    return penalty * math.exp(sum(logs) / len(logs))


def test_self_bleu_by_hand() -> None:
    # Each shares 4 of 5 words, 3 of 4 pairs, 2 of 3 triples and 1 of 2 fours with the other.
    two = [tuple("abcde"), tuple("xbcde")]
    assert self_bleu(two) == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert self_bleu([["a", "b"], ["a", "b"]]) == 1
    assert self_bleu([["a"], ["b"]]) == pytest.approx(0.1)
    assert self_bleu([["a"]]) == self_bleu([]) == 0


def test_self_bleu_by_brute_force() -> None:
    """On real texts, with a repeated one and one that says one word again and again."""
    texts = [
        tokens(one.text) for one in templates.read(templates.path_of("natural")).templates[:40]
    ]
    texts += [texts[0], ("the",) * 7, ("the", "picture", "the", "picture", "the")]
    expected = [bleu(one, texts[:at] + texts[at + 1 :]) for at, one in enumerate(texts)]
    assert self_bleu(texts) == pytest.approx(sum(expected) / len(expected))


def test_entropy() -> None:
    assert variety.entropy([]) == 0
    assert variety.entropy(["a"] * 8) == 0
    assert variety.entropy([*"aabc"]) == 1.5
    assert variety.entropy([*"abcdefgh"]) == 3


def test_measures() -> None:
    found = variety.measure(["Please paint {caption}", "I want this: {caption}", "{caption}"])
    assert (found.shortest, found.median, found.longest) == (1, 3, 4)
    assert found.deviation == pytest.approx(math.sqrt(14 / 9))  # lengths 3, 4, 1: mean 8/3
    assert found.first_words == pytest.approx(math.log2(3))
    assert found.first_verbs == 1  # please, want; the third has none


def read_as(texts: Sequence[str]) -> Read:
    by = ("a hand", "another", "person", "2026-11-25")
    rows = [Template(f"natural/{n:03}", text, "train", *by) for n, text in enumerate(texts, 1)]
    return Read("natural.toml", "natural", tuple(rows), ())


def rules(texts: Sequence[str]) -> Counter[str]:
    return Counter(one.rule for one in variety.findings(read_as(texts)))


@pytest.fixture(scope="module")
def shipped() -> list[str]:
    return [one.text for one in templates.read(templates.path_of("natural")).templates]


def test_a_varied_file_passes(shipped: list[str]) -> None:
    assert not rules(shipped)


def test_a_grid_of_paraphrases_is_found() -> None:
    grid = [
        f"{verb} a {kind} picture that shows this: {{caption}}"
        for verb in ("Make", "Paint", "Draw", "Give me", "Show")
        for kind in ("nice", "good", "new", "fine")
    ]
    assert rules(grid) == Counter(spread=2, entropy=2, self_bleu=1)


def test_one_first_word_too_often(shipped: list[str]) -> None:
    same = [f"Please: {text}" if n < 12 else text for n, text in enumerate(shipped)]
    (found,) = variety.findings(read_as(same))
    assert found.rule == "entropy"
    assert found.message == "13 of 100 begin with 'please': at most 12%"


def test_only_short_ones(shipped: list[str]) -> None:
    short = [one for one in shipped if len(tokens(one)) <= variety.LONG]
    assert rules(short)["spread"] == 2


def test_lengths_of_one_template() -> None:
    assert rules(["{caption}", "a " * 121]) == Counter(length=2)
    assert not rules(["Paint {caption}", "a " * 120])


def test_few_templates_need_no_variety() -> None:
    assert not rules(["Paint {caption}"] * 19)
    assert rules(["Paint {caption}"] * 20)


def test_shipped_folder_is_the_checkouts(root: Path) -> None:
    assert templates.shipped().resolve() == (root / "templates").resolve()
