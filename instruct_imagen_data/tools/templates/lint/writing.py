"""Rules about writing: characters, spaces, quotes, doubled words, capitals, how a text ends."""

import re
import unicodedata
from collections.abc import Iterator

from instruct_imagen_data.tools.templates.lint.tokens import excerpt

_SIGNS = "“”‘’–—…·×→"  # beyond ASCII, beside Latin letters with accents
_SPACING = (
    (re.compile(r"\A\s|\s\Z"), "a space at an end"),
    (re.compile(r"  +"), "two spaces"),
    (re.compile(r" \n|\n |\n\n\n"), "a space at a line's end, or two empty lines"),
    (re.compile(r"(?<=\S) +(?:[,;:!?](?!\S)|\.(?=\s|\Z))"), "a space before a sign"),
    (re.compile(r"[,;](?=[A-Za-z{“]|\"[A-Za-z{])"), "no space after a sign"),
    (re.compile(r"(?:(?<=[A-Za-z}]):|(?<=[a-z}\"”)])[.!?])(?=[A-Z{“])"), "no space after a sign"),
)
_WORDS_TWICE = re.compile(r"\b([A-Za-z']+) +\1\b", re.I)
_ARTICLE = "the|a|an|my|your|our|its|their"
_ARTICLES_TWICE = re.compile(
    rf"\b({_ARTICLE}) +(?!\1\b)(?:{_ARTICLE}|his|this|these|those)\b", re.I
)
_SIGNS_TWICE = re.compile(
    r",,|;;|,\.|(?<!etc)(?<!\.[a-z])\.,|;\.|:\.|,;|(?<!\.)\.\.(?!\.)|\.{4,}|[!?]\.|,[!?]"
)
_OPENS = re.compile(r"(?<![A-Za-z])['‘]\{")
_CLOSES = re.compile(r"['’](?![A-Za-z])")
_NUMBERED = re.compile(r"(?<!\S)(?:[0-9]+|[a-z])\)")  # 1) 2) a) b)
_PAIRS = {"(": ")", "“": "”"}
_EMPTY = re.compile(r"\"\"|\(\s*\)|“\s*”")
_SENTENCE = re.compile(r"(?<![.…])[.!?] +([A-Za-z])")
_SHORT = re.compile(r"\b(?:e\.g|i\.e|etc|vs|approx|no|a\.k\.a|incl|min|max)\.\s+\Z", re.I)
_AS_CONSONANT = r"(?:one|once|un[ia]|us[aeiu]|ut[io]|ubi|eu|ewe)[a-z]*\b"  # you, won
_A_VOWEL = re.compile(rf"(?:\ba|(?<![A-Za-z] )\bA) +(?!{_AS_CONSONANT})[aeiou][a-z]*")
_AN_CONSONANT = re.compile(
    r"\b[Aa]n +(?!(?:hour|heir|hono|hones|homage|herb|hist)[a-z]*\b)[b-df-hj-np-tv-z][a-z]+"
)
_OPEN_END = re.compile(r"(?:[,;({&+/–—-]|\b(?:the|a|an|and|or|but|my|your|our))\s*\Z", re.I)


def characters(text: str, dataset: str) -> Iterator[str]:
    """ASCII, Latin letters with accents, and a few signs: no control characters or look-alikes."""
    for one in sorted(set(text)):
        latin = "À" <= one <= "ſ" and one.isalpha()
        if not (" " <= one <= "~" or one == "\n" or one in _SIGNS or latin):
            yield f"the character U+{ord(one):04X} {unicodedata.name(one, 'without a name')}"


def spacing(text: str, dataset: str) -> Iterator[str]:
    """Single spaces between words, one after a comma, none before it and none at the ends."""
    for pattern, message in _SPACING:
        for found in pattern.finditer(text):
            yield f"{message}: {excerpt(text, *found.span())}"


def doubled(text: str, dataset: str) -> Iterator[str]:
    """No word twice in a row, no two articles, no two signs."""
    for pattern in (_WORDS_TWICE, _ARTICLES_TWICE, _SIGNS_TWICE):
        for found in pattern.finditer(text):
            yield f"twice in a row: {excerpt(text, *found.span())}"


def quotes(text: str, dataset: str) -> Iterator[str]:
    """What is opened is closed; nothing is quoted that is empty; square brackets are markers'."""
    if text.count('"') % 2:
        yield "a quotation mark has no partner"
    open_ones = []
    for one in _NUMBERED.sub("", text):
        if one in _PAIRS:
            open_ones.append(_PAIRS[one])
        elif one in _PAIRS.values() and (not open_ones or open_ones.pop() != one):
            yield f"{one!r} closes nothing"
    for one in open_ones:
        yield f"{one!r} is missing"
    for found in _OPENS.finditer(text):
        if not _CLOSES.search(text, found.end()):
            yield f"a quotation mark has no partner: {excerpt(text, *found.span())}"
    for found in re.finditer(r"\}['’](?![A-Za-z])", text):
        if not re.search(r"(?<![A-Za-z])['‘]", text[: found.start()]):
            yield f"a quotation mark has no partner: {excerpt(text, *found.span())}"
    if re.search(r"[\[\]]", text):
        yield "square brackets are for markers"
    for found in _EMPTY.finditer(text):
        yield f"nothing between quotation marks or brackets: {excerpt(text, *found.span())}"


def case(text: str, dataset: str) -> Iterator[str]:
    """Sentences all begin with a capital, or (chats, tags) none does."""
    first = re.match(r"[\"'“(]*([A-Za-z])", text)
    starts = [(first.start(1), first[1])] if first else []
    for found in _SENTENCE.finditer(text):
        if not _SHORT.search(text[: found.start(1)]):
            starts.append((found.start(1), found[1]))
    small = [place for place, letter in starts if letter.islower()]
    if small and len(small) < len(starts):
        yield f"a sentence begins with a small letter: {excerpt(text, small[0], small[0])}"


def a_or_an(text: str, dataset: str) -> Iterator[str]:
    """ "a" before a consonant, "an" before a vowel, as they are spoken."""
    for pattern in (_A_VOWEL, _AN_CONSONANT):
        for found in pattern.finditer(text):
            yield f"a or an: {excerpt(text, *found.span())}"


def ending(text: str, dataset: str) -> Iterator[str]:
    """It does not break off at a comma, an article or a conjunction."""
    found = _OPEN_END.search(text)
    if found:
        yield f"it breaks off: {excerpt(text, *found.span())}"
