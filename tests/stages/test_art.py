"""Captions of paintings: what is known is told once."""

import pytest

from instruct_imagen_data.stages.art import caption_of
from instruct_imagen_data.stages.blocks import Reject

MONET = {"style": "Impressionism", "artist": "Claude Monet", "title": "Water lilies"}


@pytest.mark.parametrize(
    ("told", "facts", "caption"),
    [
        ("", MONET, "Water lilies, Impressionism painting by Claude Monet"),
        ("a pond", MONET, "a pond, Impressionism painting by Claude Monet"),
        ("a pond by claude monet", MONET, "a pond by claude monet, Impressionism painting"),
        ("Impressionism: a pond", MONET, "Impressionism: a pond, painting by Claude Monet"),
        ("impressionism by Claude Monet", MONET, "impressionism by Claude Monet"),
        ("", {"title": "Water lilies", "style": "", "artist": ""}, "Water lilies"),
        ("", {"style": "Pop", "artist": "", "title": ""}, "Pop painting"),
        ("", {"artist": "Ann"}, "painting by Ann"),
        ("a pond", {}, "a pond"),
    ],
)
def test_captions(told: str, facts: dict[str, str], caption: str) -> None:
    assert caption_of(told, facts) == caption


def test_nothing_is_known() -> None:
    with pytest.raises(Reject) as refused:
        caption_of("", {"style": "", "artist": "", "title": ""})
    assert refused.value.reason == "no_caption"
