"""What the pictures of a page show, in a few words out of their captions."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

UNKNOWN = "subject"
_WORD = re.compile(r"[a-z][a-z'-]+[a-z]")
_SENTENCE = "a photo of a {}"
_MOST = 64  # candidates: the most frequent ones
_LONGEST = 3  # words of one
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


def _phrases(caption: str) -> set[str]:
    """The words of a caption that may name a thing, and what two or three in a row make."""
    words = _WORD.findall(caption.lower())
    return {
        " ".join(several)
        for length in range(1, _LONGEST + 1)
        for several in zip(*(words[start:] for start in range(length)), strict=False)
        if not _NO_NOUNS.intersection(several)
    }


def candidates(captions: Sequence[str]) -> list[str]:
    """Phrases that at least half of the captions share, the most frequent first.

    Two captions at least must share one; ties are in alphabetical order. A word that none of them
    has outside of a longer phrase is no candidate of its own: "hot air" of a "hot air balloon".
    """
    counts = Counter(phrase for caption in captions for phrase in _phrases(caption))
    least = max(2, -(-len(captions) // 2))
    shared = {text: count for text, count in counts.items() if count >= least}
    whole = [
        (-count, text)
        for text, count in shared.items()
        if not any(
            count == other and text != longer and f" {text} " in f" {longer} "
            for longer, other in shared.items()
        )
    ]
    return [text for _, text in sorted(whole)[:_MOST]]


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
