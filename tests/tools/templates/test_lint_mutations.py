"""Good templates, each spoiled in one way: every spoiled one is caught by the rule that should."""

import dataclasses
import re
from collections.abc import Callable, Iterator

import pytest

from instruct_imagen_data import tasks, templates
from instruct_imagen_data.templates import Template
from instruct_imagen_data.tools.templates.lint import lint
from instruct_imagen_data.tools.templates.lint.read import Read
from instruct_imagen_data.tools.templates.lint.tokens import tokens

EVERY = 20  # of each file every 20th template is spoiled: 55 in all
SLOT = r"\{[a-z#0-9]+\}"
# Dataset -> a word that belongs to other tasks, and that comes in for one of NOUNS.
FOREIGN = {
    "natural": "reference", "wikiart": "sketch", "depth_webli": "silhouette",
    "mask_webli": "sketch", "edge_webli": "mask", "sketch2image": "depth", "suti": "portrait",
    "celeba": "style", "celeba_hq": "contour", "styled": "mask", "style_transfer": "face",
}  # fmt: skip
NOUNS = "picture|image|scene|view|painting|work|words|text|caption|title|place|shapes|lines|face"


def good() -> list[tuple[str, Template]]:
    """(dataset, template) of some shipped templates."""
    return [
        (name, one)
        for name in tasks.DATASETS
        for one in templates.read(templates.path_of(name)).templates[::EVERY]
    ]


def rules(dataset: str, *texts: str) -> set[str]:
    """Rules that find something in a file of these texts."""
    by = ("a hand", "another", "person", "2026-11-25")
    rows = [
        Template(f"{dataset}/{n:03}", text, "train", *by) for n, text in enumerate(texts, start=1)
    ]
    return {one.rule for one in lint([Read(f"{dataset}.toml", dataset, tuple(rows), ())])}


def first(pattern: str, into: str) -> Callable[[str], str]:
    """A change of the first place where a pattern is found; none where it is not."""
    return lambda text: re.sub(pattern, into, text, count=1)


# Kind -> (how a text is spoiled, the rule that must see it).
ALONE: dict[str, tuple[Callable[[str], str], str]] = {
    "the caption is dropped": (first(r"\{caption\}", "a red bus"), "slots"),
    "a marker is dropped": (first(r"\{(?:ref|mark)#2\}|\{(?:ref|mark)#1\}(?!.*#1)", "it"), "slots"),
    "a slot is misspelt": (first(r"\{(cap|re|ma)", r"{\1p"), "slots"),
    "a slot has a capital": (first(r"\{caption", "{Caption"), "slots"),
    "a slot has no number": (first(r"#1\}", "}"), "slots"),
    "a marker of another task": (first(SLOT, "{ref#7}"), "slots"),
    "a stray brace": (first(r" ", " {"), "slots"),
    "a brace is lost": (first(r"\}", ""), "slots"),
    "braces are doubled": (first(rf"({SLOT})", r"{\1}"), "slots"),
    "a marker is written out": (first(r"\{(?:ref|mark)#1\}", "[ref#1]"), "slots"),
    "the caption twice": (first(r"(.*\{caption\}.*)\Z", r"\1 {caption}"), "caption"),
    "an article before the caption": (first(r"(?<=\w )\{caption", "a {caption"), "article"),
    "an article before a marker": (
        first(r"(?:the|my|this|our) \{ref#1\}", "a {ref#1}"),
        "article",
    ),
    "many of a marker": (first(r"(?:the|my|this|our) \{ref#1\}", "these {ref#1}"), "article"),
    "a slot in the plural": (first(rf"({SLOT})(?!\w)", r"\1s"), "plural"),
    "a slot in the genitive": (first(r"(\{(?:caption|ref#1)\})", r"\1's colours"), "plural"),
    "a slot glued to a word": (first(r"(\w) \{", r"\1{"), "glued"),
    "a slot with a hyphen": (first(rf"({SLOT})", r"\1-like"), "glued"),
    "the caption as a subject": (first(r"\"?\{caption\}\"?", "{caption} is there"), "subject"),
    "a word twice": (first(r"\b([A-Za-z]{2,}) (?=[a-z])", r"\1 \1 "), "doubled"),
    "two articles": (first(r"\b(the|a|an) (?=[a-z])", r"the \1 "), "doubled"),
    "a comma twice": (first(r", ", ",, "), "doubled"),
    "a quotation mark is lost": (first(r'"', ""), "quotes"),
    "a bracket is lost": (first(r"\Z|\.\Z", " (as said."), "quotes"),
    "square brackets": (first(rf"({SLOT})", r"[\1]"), "quotes"),
    "two spaces": (first(r" ", "  "), "spacing"),
    "no space after a comma": (first(r", (?=\w)", ","), "spacing"),
    "a space before a sign": (first(r"(?<=[a-z}])[,.](?= |\Z)", " ,"), "spacing"),
    "a space at the end": (first(r"\Z", " "), "spacing"),
    "a look-alike": (first("e", "е"), "characters"),
    "a space of no width": (first(r" ", " \u200b"), "characters"),
    "a control character": (first(r" ", " \x07"), "characters"),
    "a small letter after a stop": (
        lambda text: re.sub(
            r"(?<=[a-z\"}]\. )([A-Z])(?=[a-z])", lambda one: one[1].lower(), text, count=1
        ),
        "case",
    ),
    "an for a": (first(r"\ba (?=[b-df-gj-np-tv-z][a-z])", "an "), "a_or_an"),
    "a for an": (first(r"\ban (?=[aio][a-z])", "a "), "a_or_an"),
    "it breaks off": (first(r"\.?\Z", ", and the"), "ending"),
    "another task's word": (first(rf"\b(?:{NOUNS})\b(?!\}})", "OTHER"), "leak"),
    "another task's clause": (first(r"\.?\Z", ", as an OTHER would have it"), "leak"),
    "a claim": (first(r"\.?\Z", ", photorealistic, 8k"), "claim"),
    "profanity": (first(r"\b(the|a|an) ", r"\1 damned "), "profanity"),
}


def spoiled() -> Iterator[tuple[str, str, str, str]]:
    """(kind, rule, dataset, text) of every template spoiled in every way that it can be."""
    for dataset, one in good():
        for kind, (change, rule) in ALONE.items():
            text = change(one.text).replace("OTHER", FOREIGN[dataset])
            if text != one.text:
                yield kind, rule, dataset, text


# Kind -> (how a copy is made that is added to the file of the original, the rule that must see it).
COPIES: dict[str, tuple[Callable[[str], str], str]] = {
    "a copy": (lambda text: text, "duplicate"),
    "a copy in capitals": (
        lambda text: "".join(
            one if one.startswith("{") else one.upper() for one in re.split(f"({SLOT})", text)
        ),
        "duplicate",
    ),
    "a copy with other signs": (lambda text: re.sub(r"[,.:;\"]", " ", text), "duplicate"),
    "a copy with its first word changed": (first(r"[A-Za-z]+(?!\})", "Zebra"), "near_duplicate"),
    "a copy with a word added": (first(r" ", " really "), "near_duplicate"),
    "a copy with its halves swapped": (
        lambda text: " ".join(
            text.split()[len(text.split()) // 2 :] + text.split()[: len(text.split()) // 2]
        ),
        "near_duplicate",
    ),
}


def copied() -> Iterator[tuple[str, str, str, str, str]]:
    """(kind, rule, dataset, text, copy) of every template of four words and more."""
    for dataset, one in good():
        for kind, (change, rule) in COPIES.items():
            if len(set(tokens(one.text))) >= 4:
                yield kind, rule, dataset, one.text, change(one.text)


def test_the_good_ones_are_clean() -> None:
    for dataset, one in good():
        assert not rules(dataset, one.text), one


def test_at_least_200_mutations_are_all_caught() -> None:
    found = list(spoiled())
    missed = [
        f"{kind}: {text!r} ({dataset})"
        for kind, rule, dataset, text in found
        if rule not in rules(dataset, text)
    ]
    assert not missed, "\n".join(missed)
    assert len({text for *_, text in found}) >= 1000
    assert {kind for kind, *_ in found} == set(ALONE)


def test_copies_are_all_caught() -> None:
    found = list(copied())
    missed = [
        f"{kind}: {copy!r} of {text!r}"
        for kind, rule, dataset, text, copy in found
        if rule not in rules(dataset, text, copy)
    ]
    assert not missed, "\n".join(missed)
    assert len(found) >= 200


def test_most_swaps_of_style_and_content_are_caught() -> None:
    """Not all can be: "Blend {ref#1} and {ref#2}" is right either way."""
    swapped = [
        re.sub("#([12])", lambda one: f"#{3 - int(one[1])}", one.text)
        for one in templates.read(templates.path_of("style_transfer")).templates
    ]
    caught = [text for text in swapped if rules("style_transfer", text) & {"roles", "style_name"}]
    assert len(caught) >= 70


@pytest.mark.parametrize(
    ("old", "new", "into"),
    [
        ("depth", "edge", "edge_webli"),
        ("mask", "sketch", "sketch2image"),
        ("edge", "mask", "mask_webli"),
    ],
)
def test_templates_carried_to_another_control_are_caught(old: str, new: str, into: str) -> None:
    of = next(name for name in ("depth_webli", "mask_webli", "edge_webli") if old in name)
    rows = templates.read(templates.path_of(of)).templates
    there = [
        dataclasses.replace(one, id=f"{into}/{n:03}", text=re.sub(rf"\b{old}\b", new, one.text))
        for n, one in enumerate(rows, start=1)
    ]
    files = [Read(of, of, rows, ()), Read(into, into, tuple(there), ())]
    caught = {one.id for one in lint(files) if one.rule in ("duplicate", "near_duplicate")}
    assert caught == {one.id for one in there}
