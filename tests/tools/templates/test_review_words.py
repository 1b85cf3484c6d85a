"""What follows from decisions: which wording stands, and how far two reviewers agree."""

from collections.abc import Callable

import pytest

from instruct_imagen_data.tools.templates.drafts import Decision, Draft
from instruct_imagen_data.tools.templates.review import words
from instruct_imagen_data.tools.templates.review.words import Accepted

Make = Callable[..., Decision]
ONE = "2026-11-25T12:00:00+00:00"
TWO = "2026-11-26T12:00:00+00:00"


@pytest.fixture
def one(draft: Callable[..., Draft]) -> Draft:
    return draft("styled", "{caption} as {ref#1}")


def test_the_last_word_counts(one: Draft, decision: Make) -> None:
    said = [
        decision(one, "accept", "Ann"),
        decision(one, "reject", "Bo"),
        decision(one, "edit", "Ann", "X"),
    ]
    (found,) = words.last_words(said).values()
    assert {name: made.decision for name, made in found.items()} == {"Ann": "edit", "Bo": "reject"}
    assert list(found) == ["Bo", "Ann"]  # who spoke last comes last


def test_what_stands(one: Draft, decision: Make) -> None:
    yes, bo = decision(one, "accept", "Ann", at=ONE), decision(one, "accept", "Bo", at=TWO)
    edit, other = decision(one, "edit", "Cy", "Y", TWO), decision(one, "edit", "Di", "Z", ONE)
    no = decision(one, "reject", "Ed")
    assert words.accepted([]) is None
    assert words.accepted([yes]) == Accepted(one.text, "Ann", "person", "2026-11-25")
    assert words.accepted([yes, bo]) == Accepted(one.text, "Ann, Bo", "person", "2026-11-26")
    assert words.accepted([edit, bo]) == Accepted("Y", "Cy", "person", "2026-11-26")
    assert words.accepted([edit, other]) == Accepted("Z", "Di", "person", "2026-11-25")
    assert words.accepted([no]) is None
    assert words.accepted([yes, no, bo]) is None


def test_an_agent_alone_is_no_person(one: Draft, decision: Make) -> None:
    agent = Decision(one.id, "accept", one.text, "", "bot", "agent", ONE)
    found = words.accepted([agent])
    assert found is not None
    assert found.reviewer_kind == "agent"
    both = words.accepted([agent, decision(one, "accept", "Ann")])
    assert both is not None
    assert (both.reviewer_kind, both.reviewed_by) == ("person", "bot, Ann")


def said(decision: Make, draft: Callable[..., Draft], pairs: list[str]) -> words.Words:
    """Last words of Ann and Bo, a draft a pair: "ae" is accept by Ann, edit by Bo; "-" is none."""
    verdicts = {"a": "accept", "e": "edit", "r": "reject"}
    made = []
    for number, pair in enumerate(pairs):
        of = draft("styled", f"{number} {{caption}} {{ref#1}}")
        for name, letter in zip(("Ann", "Bo"), pair, strict=True):
            if letter != "-":
                made.append(decision(of, verdicts[letter], name, f"{name} {number}"))
    return words.last_words(made)


def test_agreement_by_hand(decision: Make, draft: Callable[..., Draft]) -> None:
    # Ann: 5 a, 2 e, 3 r; Bo: 4 a, 2 e, 4 r. Same on 4 + 1 + 3 = 8 of 10: 0.8.
    # By chance: 0.5 * 0.4 + 0.2 * 0.2 + 0.3 * 0.4 = 0.36; kappa = (0.8 - 0.36) / 0.64 = 0.6875.
    pairs = ["aa"] * 4 + ["ae", "ee", "er", "rr", "rr", "rr", "a-", "-r"]
    (found,) = words.agreements(said(decision, draft, pairs))
    assert (found.first, found.second, found.both, found.same) == ("Ann", "Bo", 10, 8)
    assert found.share == pytest.approx(0.8)
    assert found.kappa == pytest.approx(0.6875)


def test_agreement_at_its_ends(decision: Make, draft: Callable[..., Draft]) -> None:
    (opposed,) = words.agreements(said(decision, draft, ["ar", "ra"]))
    assert (opposed.share, opposed.kappa) == (0, -1)
    (alike,) = words.agreements(said(decision, draft, ["aa", "rr"]))
    assert (alike.share, alike.kappa) == (1, 1)
    (constant,) = words.agreements(said(decision, draft, ["aa", "aa"]))
    assert (constant.share, constant.kappa) == (1, None)
    assert words.agreements(said(decision, draft, ["a-", "-a"])) == []
