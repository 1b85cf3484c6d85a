"""Self-BLEU: how much the texts of a set repeat each other's phrases.

Zhu et al. 2018 (Texygen): BLEU-4 of each text with all the others as its references, averaged; 0
for texts that share nothing, 1 for copies. An order without a match counts 0.1 matches (Chen and
Cherry 2014, method 1). A text of under four tokens has no 4-grams: its BLEU is of the orders that
it has.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

_ORDERS = 4
_EPSILON = 0.1

Gram = tuple[str, ...]


def self_bleu(texts: Sequence[Sequence[str]]) -> float:
    """The mean over tokenised texts; 0 where there are fewer than two."""
    texts = [one for one in texts if one]
    if len(texts) < 2:
        return 0.0
    counts = [[_grams(one, order) for order in range(1, _ORDERS + 1)] for one in texts]
    most = [_highest([each[order] for each in counts]) for order in range(_ORDERS)]
    lengths = Counter(map(len, texts))
    scores = [
        _penalty(len(text), lengths) * _precision(own, most)
        for text, own in zip(texts, counts, strict=True)
    ]
    return sum(scores) / len(scores)


def _grams(text: Sequence[str], order: int) -> Counter[Gram]:
    return Counter(tuple(text[at : at + order]) for at in range(len(text) - order + 1))


def _highest(counts: Sequence[Counter[Gram]]) -> dict[Gram, tuple[int, int]]:
    """The two highest counts of each n-gram: the others' highest is one of them."""
    found: defaultdict[Gram, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for each in counts:
        for gram, count in each.items():
            first, second = found[gram]
            found[gram] = (max(first, count), max(min(first, count), second))
    return found


def _precision(own: Sequence[Counter[Gram]], most: Sequence[dict[Gram, tuple[int, int]]]) -> float:
    """Geometric mean of the clipped precisions, over the orders that the text has."""
    logs = []
    for grams, highest in zip(own, most, strict=True):
        if not grams:
            continue
        matches: float = 0
        for gram, count in grams.items():
            first, second = highest[gram]
            matches += min(count, second if count == first else first)
        logs.append(math.log((matches or _EPSILON) / grams.total()))
    return math.exp(sum(logs) / len(logs))


def _penalty(length: int, lengths: Counter[int]) -> float:
    """BLEU's brevity penalty against the reference of the nearest length (the shorter of two)."""
    others = [one for one, count in lengths.items() if count > (one == length)]
    nearest = min(others, key=lambda one: (abs(one - length), one))
    return min(1.0, math.exp(1 - nearest / length))
