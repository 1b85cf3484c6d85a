"""What a model is asked, and which of its texts are too close to others."""

import json

import pytest

from instruct_imagen_data import tasks, templates
from instruct_imagen_data.tools.templates.generate import personas, prompt, sift
from instruct_imagen_data.tools.templates.generate.run import estimate


@pytest.mark.parametrize("dataset", tasks.DATASETS)
def test_each_dataset_tells_of_its_slots_and_of_no_other(dataset: str) -> None:
    asked = prompt.build(dataset, 3, [], []).user
    lines = asked.splitlines()
    told = {line[3 : line.index("}")] for line in lines if line.startswith("- {")}
    assert told == templates.known_slots(dataset)
    captioned = tasks.TASKS[tasks.DATASETS[dataset].task].captioned
    assert ("caption may be" in asked) is captioned
    for role in ("depth", "mask", "edge image", "hand drawing", "person", "content image"):
        own = {"depth_webli": "depth", "mask_webli": "mask", "edge_webli": "edge image",
               "sketch2image": "hand drawing", "celeba": "person", "celeba_hq": "person",
               "style_transfer": "content image"}.get(dataset)  # fmt: skip
        first = lines[0]
        assert (role in first) is (role == own), first


def test_a_prompt_is_made_of_what_is_given_alone() -> None:
    given = ("wikiart", 4, ["One: {caption}", "Two: {caption}"], ["Three: {caption}"])
    assert prompt.build(*given).sha256() == prompt.build(*given).sha256()
    for place, other in ((0, "natural"), (1, 5), (2, ["One: {caption}"]), (3, [])):
        changed = [*given]
        changed[place] = other
        assert prompt.build(*changed).sha256() != prompt.build(*given).sha256()  # type: ignore[arg-type]


def test_templates_that_are_there_are_shown_and_their_first_words_are_used_up() -> None:
    accepted = [f'Paint "{n}": {{caption}}' for n in range(50)] + ["Once: {caption}"]
    offered = [f"Wanted {n}: {{caption}}" for n in range(40)]
    shown = [
        json.loads(line[2:])
        for line in prompt.build("wikiart", 0, accepted, offered).user.splitlines()
        if line.startswith('- "')
    ]
    assert len(shown) == 24
    assert set(shown[:12]) <= set(accepted)
    assert shown[12:] == offered[-12:]
    other = prompt.build("wikiart", 1, accepted, offered).user
    assert json.dumps(shown[0]) not in other or json.dumps(shown[1]) not in other
    assert "No template begins with one of these words: paint, wanted." in other
    assert "begins with" not in prompt.build("wikiart", 0, ["Once: {caption}"], []).user


def test_no_two_of_a_run_are_asked_for_in_the_same_manner() -> None:
    names = [one.name for one in personas.PERSONAS]
    assert len(set(names)) == len(names) == 20
    assert len({personas.manner(number) for number in range(420)}) == 420


@pytest.mark.parametrize(
    ("one", "other", "index"),
    [
        ("Paint {caption}", "PAINT: {caption}!", 1),
        ("Paint {caption}", "Draw {caption}", 1 / 3),
        ("Paint {ref#1}", "Paint {mark#1}", 1 / 3),
        ("a b c", "d e f", 0),
        ("", "", 1),
        ("don't stop", "don’t stop", 1 / 3),
    ],
)
def test_nearness_counts_words_and_slots(one: str, other: str, index: float) -> None:
    found = sift.jaccard(frozenset(sift.tokens(one)), frozenset(sift.tokens(other)))
    assert found == pytest.approx(index)


def test_texts_are_compared_with_all_that_are_there() -> None:
    known = sift.Known(["One two three: {caption}", "Draw {caption} at once, my good friend"])
    assert known.like("one, two: three {caption}") == sift.DUPLICATE
    assert known.like("{caption}: three two one") == sift.NEAR_DUPLICATE
    assert known.like("One two four: {caption}") == sift.NEAR_DUPLICATE  # 3 of 5
    assert known.like("One six four: {caption}") == ""  # 2 of 6
    known.add("One six four: {caption}")
    assert known.like("One six four: {caption}") == sift.DUPLICATE


@pytest.mark.parametrize(("left", "requests"), [(1, 1), (7, 1), (8, 2), (100, 14)])
def test_an_estimate_expects_three_of_four_to_be_usable(left: int, requests: int) -> None:
    asked = prompt.build("wikiart", 0, [], [])
    found = estimate(asked, left)
    assert found.requests == requests
    assert found.tokens.written == requests * 450
    assert found.tokens.read == requests * (len(asked.system + asked.user) // 4)
