"""Templates as tokens: lower-case words and slots, in order. Punctuation is none."""

import re

_TOKEN = re.compile(r"\{[^{}]*\}|[^\W_]+(?:['’-][^\W_]+)*")


def tokens(text: str) -> tuple[str, ...]:
    """Words and slots of a text: "Paint {caption}!" has "paint" and "{caption}"."""
    return tuple(_TOKEN.findall(text.lower()))


def words(text: str) -> tuple[str, ...]:
    """Its tokens that are no slots."""
    return tuple(one for one in tokens(text) if not one.startswith("{"))


def excerpt(text: str, start: int, end: int) -> str:
    """A quoted piece of a text with a little of what stands around it."""
    around = text[max(0, start - 12) : end + 12]
    return repr(" ".join(around.split()) if around.isprintable() else around)
