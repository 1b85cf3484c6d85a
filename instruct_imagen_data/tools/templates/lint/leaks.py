"""Rules about words: those of another task, claims that the data does not hold, profanity.

The words are in `words.toml`. A word of a family is a leak in a task that does not speak of that
family; where two families share a word ("outline"), a task that speaks of either may use it.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping

from instruct_imagen_data import tasks
from instruct_imagen_data.tools.templates.lint.lists import families, listed
from instruct_imagen_data.tools.templates.lint.tokens import words

# Families that a task may speak of; the keys of [families] in words.toml.
SPEAKS_OF: Mapping[str, tuple[str, ...]] = {
    "text_to_image": (),
    "depth_to_image": ("depth", "reference"),
    "mask_to_image": ("mask", "reference"),
    "edge_to_image": ("edge", "reference"),
    "sketch_to_image": ("sketch", "reference"),
    "subject_to_image": ("subject", "reference"),
    "face_to_image": ("face", "subject", "reference"),
    "styled_generation": ("style", "reference"),
    "style_transfer": ("style", "transfer", "reference"),
}
ALSO: Mapping[str, tuple[str, ...]] = {"wikiart": ("style",)}  # paintings have style and painter
PHOTOGRAPHED = frozenset({"sketch2image", "celeba", "celeba_hq"})  # each target is a photo


@functools.cache
def _foreign(dataset: str) -> Mapping[str, str]:
    """Word or phrase -> family, of all families that a dataset does not speak of."""
    own = {*SPEAKS_OF[tasks.DATASETS[dataset].task], *ALSO.get(dataset, ())}
    allowed = frozenset[str]().union(*(families()[name] for name in own))
    return {
        word: name for name, listed_words in families().items() for word in listed_words - allowed
    }


def _said(text: str, sought: Iterable[str]) -> list[str]:
    """Those of some words and phrases that a text uses, in alphabetical order; idioms are none."""
    said = f" {' '.join(words(text))} "
    for idiom in listed("idioms"):
        said = said.replace(f" {idiom} ", " ")
    return sorted(one for one in sought if f" {one} " in said)


def leak(text: str, dataset: str) -> Iterator[str]:
    """No word of another task."""
    foreign = _foreign(dataset)
    for word in _said(text, foreign):
        yield f"{word!r} is a word of {foreign[word]}"


def claim(text: str, dataset: str) -> Iterator[str]:
    """Nothing that is true of some rows only."""
    photos = frozenset[str]() if dataset in PHOTOGRAPHED else listed("photos")
    for word in _said(text, listed("claims") | photos):
        yield f"{word!r} is not true of every row"


def profanity(text: str, dataset: str) -> Iterator[str]:
    """No swear word, insult or word of pornography; they are known by their hashes."""
    for word in sorted(set(words(text))):
        if hashlib.sha256(word.encode()).hexdigest()[:8] in listed("profane"):
            yield f"{word[0]}{'*' * (len(word) - 1)}"
