"""What the pictures of a page show, in a word or two out of their captions."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

UNKNOWN = "subject"
_WORD = re.compile(r"[a-z][a-z'-]+[a-z]")
_SENTENCE = "a photo of a {}"
_MOST = 64  # candidates: the most frequent ones
# Words that name no thing: of grammar, of pictures, and of shops.
_NO_NOUNS = frozenset(
    word
    for line in (
        "about above after again against all also and any are because been before being below",
        "between both but can could did does doing down during each few for from further had",
        "has have having her here hers him his how into its itself just more most near nor not",
        "now off once only other our out over own same she should some such than that the their",
        "them then there these they this those through too under until upon very was were what",
        "when where which while who whom why will with without you your image images photo",
        "photos photograph photography picture pictures pic pics img jpg jpeg png stock view",
        "views wallpaper download free royalty vector illustration background close closeup new",
        "sale shop buy online price best offer shipping product products home page click",
    )
    for word in line.split()
)


def candidates(captions: Sequence[str]) -> list[str]:
    """Words and pairs of words that at least half of the captions share, the most frequent first.

    Two captions at least must share one; ties are in alphabetical order.
    """
    counts: Counter[str] = Counter()
    for caption in captions:
        words = _WORD.findall(caption.lower())
        pairs = [
            f"{one} {two}" for one, two in itertools.pairwise(words) if not {one, two} & _NO_NOUNS
        ]
        counts.update({word for word in words if word not in _NO_NOUNS} | set(pairs))
    least = max(2, -(-len(captions) // 2))
    shared = [(-count, text) for text, count in counts.items() if count >= least]
    return [text for _, text in sorted(shared)[:_MOST]]


def noun_of(captions: Sequence[str], vectors: Sequence[np.ndarray], clip: Any) -> str:
    """The candidate that the image-text network finds most like the pictures.

    Args:
      captions: Of the pictures.
      vectors: float32 [d] of each picture, unit length.
      clip: An image-text network.

    Returns:
      `UNKNOWN` where the captions share no word.
    """
    found = candidates(captions)
    if not found:
        return UNKNOWN
    texts = clip.texts([_SENTENCE.format(text) for text in found])
    likeness = texts @ np.mean(vectors, axis=0)
    return found[int(np.argmax(likeness))]
