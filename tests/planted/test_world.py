"""Who lives in the planted world, and what the web says about them."""

from collections import Counter

import pytest

from instruct_imagen_data.planted import DOMAINS, NOUNS, Entity, caption, entities


def test_the_nouns_are_fixed_and_cover_the_domains() -> None:
    nouns = [noun for members in NOUNS.values() for noun in members]
    assert tuple(NOUNS) == DOMAINS
    assert len(nouns) == len(set(nouns)) == 51
    assert min(map(len, NOUNS.values())) >= 6


def test_a_seed_draws_its_own_individuals_of_the_same_nouns() -> None:
    first, again, other = entities(1, 3), entities(1, 3), entities(2, 3)
    assert first == again
    assert [one.noun for one in first] == [one.noun for one in other]
    assert not {one.shape for one in first} & {one.shape for one in other}
    assert len({one.name for one in first}) == len(first)


def test_more_entities_a_noun_keep_the_first_ones() -> None:
    def looks(one: Entity) -> tuple[object, ...]:
        return one.noun, one.colours, one.pattern, one.shape

    few, many = entities(5, 1), entities(5, 4)
    assert [looks(one) for one in many[::4]] == [looks(one) for one in few]


def test_entities_of_a_noun_differ_in_colour() -> None:
    for noun in ("teapot", "butterfly", "cake"):
        colours = [one.colours for one in entities(9, 3) if one.noun == noun]
        assert len(set(colours)) == 3


@pytest.mark.parametrize("noun", ["cat", "mountain lake", "mosaic", "ice cream"])
def test_captions_are_noisy_but_mostly_name_the_noun(noun: str) -> None:
    entity = next(one for one in entities(3, 1) if one.noun == noun)
    texts = [caption(entity, view, 3) for view in range(200)]
    assert texts == [caption(entity, view, 3) for view in range(200)]
    plain = [text.lower().replace("_", " ") for text in texts]
    assert 0.9 < sum(noun in text for text in plain) / len(plain) < 1
    assert len(set(texts)) > 50
    most = Counter(texts).most_common(1)[0][1]
    assert most < 30
