"""Rules about slots: that they are there, and that any filling of them makes good English.

A caption is a noun phrase, a sentence or a scrap, with or without article, singular or plural; the
text beside a marker is a noun without article ("depth map") or the name of a style. So neither
stands after "a", is made plural, or is glued to a word; and no verb takes a caption as its subject.
"""

import re
from collections.abc import Iterator

from instruct_imagen_data import templates
from instruct_imagen_data.instructions import InstructionError
from instruct_imagen_data.tools.templates.lint.tokens import excerpt

_ANY = r"\{[a-z#0-9_]+\}"
_REFERENCE = r"\{(?:ref|mark)#[0-9]+\}"
_CAPTION_AFTER = (
    "the|a|an|this|that|these|those|my|your|our|his|her|its|their|some|any|no|each|every|"
    "another|one"
)
_MARKER_AFTER = "these|those|many|several|both|few|all|some|two|three|another|every"
_BEFORE = (
    (rf"(?:a|an) +{_ANY}", "an article before a slot"),
    (rf"(?:{_CAPTION_AFTER}) +\{{caption\}}", "a caption has its own article"),
    (
        r"(?:the|a|an|my|your|our) +[a-z-]+ +\{caption\}",
        "a caption stands where a noun should: set it off",
    ),
    (rf"(?:{_MARKER_AFTER}) +{_REFERENCE}", "a marker is one thing, and a known one"),
)
_ENDINGS = re.compile(r"(\{[a-z#0-9_]+\})(['’]?)(s|es)\b", re.I)
_GLUED = re.compile(rf"[^\W_]{_ANY}|[^\W_]-{_ANY}|{_ANY}[^\W_]|{_ANY}-[^\W_]|\}}\{{")
_VERBS = (
    "is|are|was|were|be|been|has|have|had|does|do|should|must|will|can|could|would|may|might|shall|"
    "stands?|sits?|lies?|appears?|looks?|seems?|shows?|fills?|follows?|takes?|gets?|goes|comes?|"
    "becomes?|needs?|ought|keeps?|matches|exists?|gives?|makes?|deserves?|wants?"
)
_SUBJECT = re.compile(rf"\{{caption\}} +(?:{_VERBS})\b", re.I)


def fit(text: str, dataset: str) -> Iterator[str]:
    """Slots are those of the dataset, all references and the caption among them; no other brace."""
    try:
        templates.check(text, dataset)
    except InstructionError as error:
        yield str(error)
    if "ref#" in re.sub(r"\{(?:ref|mark)#[0-9]+\}", "", text):
        yield 'a marker is written out: "ref#" belongs in a slot'


def once(text: str, dataset: str) -> Iterator[str]:
    """The caption at most once: a second one would be the whole text again."""
    if text.count("{caption}") > 1:
        yield f"{{caption}} stands {text.count('{caption}')} times"


def article(text: str, dataset: str) -> Iterator[str]:
    """No article before a slot that brings its own, or has none."""
    for pattern, message in _BEFORE:
        for found in re.finditer(rf"\b{pattern}", text, re.I):
            yield f"{message}: {excerpt(text, *found.span())}"


def plural(text: str, dataset: str) -> Iterator[str]:
    """No slot in the plural, and none in the genitive but an artist, a style or a bare marker."""
    for found in _ENDINGS.finditer(text):
        slot, apostrophe, _ = found.groups()
        if not apostrophe or slot == "{caption}" or slot.startswith("{ref#"):
            yield f"a slot cannot be bent: {excerpt(text, *found.span())}"


def glued(text: str, dataset: str) -> Iterator[str]:
    """A slot stands apart from words and other slots, by a space or a sign that is no hyphen."""
    for found in _GLUED.finditer(text):
        yield f"a slot is glued to its neighbour: {excerpt(text, *found.span())}"


def subject(text: str, dataset: str) -> Iterator[str]:
    """No verb right after a caption that is not quoted: it may be plural, or a sentence itself."""
    for found in _SUBJECT.finditer(text):
        yield f"a caption is the subject of a verb: {excerpt(text, *found.span())}"
