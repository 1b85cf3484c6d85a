"""The word lists of `words.toml`."""

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any


@functools.cache
def _all() -> Mapping[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text("utf-8"))


@functools.cache
def listed(name: str) -> frozenset[str]:
    """The words of a list: verbs, claims, photos, profane, idioms."""
    return frozenset(_all()[name])


@functools.cache
def families() -> Mapping[str, frozenset[str]]:
    """Condition -> its words and phrases: depth, mask, edge, sketch ..."""
    return {name: frozenset(words) for name, words in _all()["families"].items()}
