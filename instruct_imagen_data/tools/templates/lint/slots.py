"""Rules about slots: that they are there, and that any filling of them makes good English.

A caption is a noun phrase, a sentence or a scrap, with or without article, singular or plural; the
text beside a marker is a noun without article ("depth map") or the name of a style. So neither
stands after "a", is made plural, or is glued to a word; and no verb takes a caption as its subject.
"""

import re
from collections.abc import Iterator

from instruct_imagen_data import tasks, templates
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
_NO_NOUN = (
    "and|or|but|for|to|in|on|of|with|as|is|are|was|has|have|does|do|at|by|from|so|into|over|that|"
    "which|who|this|these|the|a|an|it|if|while|until|when|where|without|not|no|only|than|then|after|"
    "before|painted|shown|given|can|could|would|should|will|must|may|might|gives|decides|says"
)
_BARE_STYLE = re.compile(
    rf"\b(?:the|my|your|our|this|that) \{{ref#1\}}(?![\"”]? +(?!(?:{_NO_NOUN})\b)[a-z])", re.I
)
_STYLE_OF_CONTENT = re.compile(
    r"\b(?:style|manner|palette|brushwork|strokes)(?: of| from)(?: the)? \{(?:ref|mark)#2\}|"
    r"^style(?: \w+)?: (?:the )?\{(?:ref|mark)#2\}|"
    r"\{(?:ref|mark)#2\} (?:style|version|fashion|manner)\b",
    re.I | re.M,
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


def style_name(text: str, dataset: str) -> Iterator[str]:
    """The name of a style has no article but for a noun: "the [ref#1] Realism look"."""
    if _style_is_first(dataset):
        for found in _BARE_STYLE.finditer(text):
            yield f"a style's name with an article and no noun: {excerpt(text, *found.span())}"


def roles(text: str, dataset: str) -> Iterator[str]:
    """Of a style and a content, the second marker is not called the style."""
    if _style_is_first(dataset):
        for found in _STYLE_OF_CONTENT.finditer(text):
            yield f"the style is marker 1: {excerpt(text, *found.span())}"


def _style_is_first(dataset: str) -> bool:
    return tasks.TASKS[tasks.DATASETS[dataset].task].references[:1] == ("style",)
