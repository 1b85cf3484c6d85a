"""Markers survive whatever captions hold; templates give what they promise."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instruct_imagen_data.instructions import (
    Instruction,
    InstructionError,
    Marker,
    beside,
    cited,
    compose,
    markers,
    names,
    parse,
    render,
    renumber,
    validate,
    wanted,
)

NASTY = st.lists(
    st.sampled_from(
        ["[", "]", "[[", "ref#", "[ref#2]", "[[ref#1]", "{caption}", "{ref#1}", "{", "}", "1]",
         "\n", "<extra_id_0>", "\u202e", "\u0000", "é", " "]
    ) | st.text(max_size=4),
    max_size=8,
).map("".join)  # fmt: skip
SEGMENTS = st.lists(NASTY | st.integers(1, 12).map(Marker), max_size=7)


def merged(segments: list[str | Marker]) -> tuple[str | Marker, ...]:
    found: list[str | Marker] = []
    for one in segments:
        if isinstance(one, str) and found and isinstance(found[-1], str):
            found[-1] += one
        elif one != "":
            found.append(one)
    return tuple(found)


@given(SEGMENTS)
@example(["[", Marker(1)])
@example(["[[", "ref#1]", Marker(2), "ref#3]"])
def test_parse_inverts_compose(segments: list[str | Marker]) -> None:
    assert parse(compose(segments)) == merged(segments)


def test_a_literal_is_stored_with_its_bracket_doubled() -> None:
    assert compose(["see [ref#1]"]) == "see [[ref#1]"
    assert compose(["see ", Marker(1)]) == "see [ref#1]"
    assert compose(["plain [text] with (brackets)"]) == "plain [text] with (brackets)"


@given(NASTY, NASTY, NASTY)
def test_no_caption_breaks_or_forges_a_marker(caption: str, subject: str, style: str) -> None:
    made = render(
        "Show {ref#2} as [{caption}{mark#1}, again {mark#2}.",
        {"caption": caption, "ref#1": style, "ref#2": subject},
    )
    assert markers(made.payload) == (2, 1, 2)
    gap = " " if subject else ""
    assert parse(made.payload) == merged(
        [
            "Show ",
            Marker(2),
            gap + subject + " as [" + caption,
            Marker(1),
            ", again ",
            Marker(2),
            ".",
        ]
    )
    assert parse(made.context[0]) == merged([Marker(1), " " if style else "", style])
    validate(made, [1, 2, 2], [caption, subject, style])


@given(SEGMENTS)
def test_renumbering_touches_markers_alone(segments: list[str | Marker]) -> None:
    swap = {number: 13 - number for number in range(1, 13)}
    text = compose(segments)
    assert renumber(renumber(text, swap), swap) == text
    assert markers(renumber(text, swap)) == tuple(13 - number for number in markers(text))


@pytest.mark.parametrize(
    "text", ["[ref#", "[ref#]", "[ref#0]", "[ref#x]", "[[[ref#01]", "a [ref#1"]
)
def test_an_unfinished_marker_is_named(text: str) -> None:
    with pytest.raises(InstructionError, match="is no marker: write"):
        parse(text)


def test_render_fills_slots() -> None:
    made = render(
        "Paint {caption}, keeping the layout of the {ref#1}.",
        {"caption": "a boat", "ref#1": "depth map"},
    )
    assert made == Instruction(
        "Paint a boat, keeping the layout of the [ref#1] depth map.", ("[ref#1] depth map",)
    )


def test_a_missing_slot_is_named() -> None:
    with pytest.raises(InstructionError, match=r"needs style: there is \['caption'\]"):
        render("{caption} in {style}", {"caption": "a boat"})


@pytest.mark.parametrize(
    "text", ["{Caption}", "a { b", "}", "{ref#}", "{ref#0}", "a [ref#1] b", "{{x}}"]
)
def test_a_malformed_template_is_refused(text: str) -> None:
    with pytest.raises(InstructionError, match="holds a brace or a marker"):
        names(text)


def test_what_a_template_needs_and_cites() -> None:
    text = "{ref#2} like {mark#1}, {caption}, {style}"
    assert cited(text) == (1, 2)
    assert wanted(text) == {"ref#1", "ref#2", "caption", "style"}


@pytest.mark.parametrize(
    ("payload", "context", "references", "match"),
    [
        ("see [ref#1]", (), (), "its payload and its context differ in"),
        ("see it", ("[ref#1] cat",), (1,), "its payload and its context differ in"),
        ("see [ref#1]", ("[ref#1] cat",), (1, 2), "its pictures and its context differ in"),
        ("see [ref#2]", ("[ref#2] cat",), (2,), "do not run from 1"),
        ("see [ref#1]", ("a cat",), (1,), "does not begin with its one marker"),
        ("{caption} [ref#1]", ("[ref#1] cat",), (1,), re.escape("slot {caption} was left")),
    ],
)
def test_what_does_not_belong_together_is_refused(
    payload: str, context: tuple[str, ...], references: tuple[int, ...], match: str
) -> None:
    with pytest.raises(InstructionError, match=match):
        validate(Instruction(payload, context), references)


def test_a_reference_without_text_is_its_marker() -> None:
    assert beside(3, "") == "[ref#3]"
