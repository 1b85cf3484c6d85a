"""A server's model that writes templates: other ones for each seed, all of them fit for wikiart."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from helpers.chat_server import good

KEY = "sk-verysecretkey-0123456789"


def written(seed: int, count: int = 10) -> list[str]:
    """Templates of made-up words that no other seed has."""
    texts = []
    for number in range(count):
        digits = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()
        words = [f"zo{''.join('bcdfghklmnprstvz'[int(d, 16)] + 'o' for d in digits[i : i + 4])}"
                 for i in range(0, 24, 4)]  # fmt: skip
        texts.append(f"{' '.join(words).capitalize()}: {{caption}}")
    return texts


def said(texts: Sequence[Any]) -> dict[str, Any]:
    """The completion that holds texts."""
    return good(json.dumps({"templates": list(texts)}))


def usual(asked: dict[str, Any]) -> dict[str, Any]:
    """What the model answers, by the seed of the request."""
    return said(written(asked.get("seed", 0)))
