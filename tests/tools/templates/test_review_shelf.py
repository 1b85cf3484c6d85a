"""Accepted drafts in the template files: once each, comments kept, no id given twice."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from instruct_imagen_data import keys, templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.drafts import Decision, Draft
from instruct_imagen_data.tools.templates.lint.read import read as lint_read
from instruct_imagen_data.tools.templates.review import shelf

BEFORE = """# Paintings.
task = "styled_generation"  # one reference

# who wrote them
[provenance]
generator = "a hand"
reviewed_by = "another"
reviewer_kind = "agent"
reviewed_on = "2026-11-25"

# short ones
[[template]]
id = "styled/001"
text = "{caption} like {ref#1}"  # terse

[[template]]
id = "styled/007"
text = "{ref#1}: {caption}"

# nothing follows
"""
TEXTS = (
    "{caption} in the style of {ref#1}",
    'Say "{caption}" \\ {ref#1}\nnow',
    "{caption} as {ref#1}",
)

Make = Callable[..., Decision]


class Case:
    """A template file, three drafts, and decisions on them."""

    def __init__(self, folder: Path, found: list[Draft], decision: Make) -> None:
        self.drafts, self.folder, self.make = folder / "drafts", folder, decision
        self.found = found
        self.path = folder / "styled.toml"
        drafts.append("styled", found, str(self.drafts))

    def decide(self, number: int, said: str, reviewer: str = "Ann", text: str = "") -> None:
        made = self.make(self.found[number], said, reviewer, text)
        drafts.decide("styled", made, str(self.drafts))

    def move(self) -> None:
        shelf.move("styled", str(self.drafts), str(self.folder))

    def rows(self, name: str = "template") -> list[tuple[str, str]]:
        found = tomllib.loads(self.path.read_text()).get(name, [])
        return [(row["id"], row["text"]) for row in found]


@pytest.fixture
def case(tmp_path: Path, draft: Callable[..., Draft], decision: Make) -> Case:
    made = Case(tmp_path, [draft("styled", text) for text in TEXTS], decision)
    made.path.write_text(BEFORE)
    return made


def test_accepted_ones_follow_with_all_that_is_known(case: Case) -> None:
    case.decide(0, "accept")
    case.decide(1, "accept")
    case.decide(2, "reject")
    case.move()
    after = case.path.read_text()
    assert after.startswith(BEFORE)  # comments and order are as they were
    assert case.rows()[2:] == [("styled/008", TEXTS[0]), ("styled/009", TEXTS[1])]
    found = templates.read(case.path).templates
    assert [one.text for one in found[2:]] == list(TEXTS[:2])
    assert {(one.generator, one.reviewed_by, one.reviewer_kind) for one in found[2:]} == {
        ("writer-1", "Ann", "person")
    }
    assert [one.reviewed_on for one in found] == ["2026-11-25"] * 4
    assert tomllib.loads(after)["template"][2]["draft"] == case.found[0].id


def test_moving_again_changes_nothing(case: Case) -> None:
    case.decide(0, "accept")
    case.decide(1, "edit", text="{caption} after {ref#1}")
    case.move()
    once = case.path.read_bytes()
    stamp = case.path.stat().st_mtime_ns
    for _ in range(3):
        case.move()
    assert case.path.read_bytes() == once
    assert case.path.stat().st_mtime_ns == stamp  # it was not even written
    assert not [path for path in case.folder.iterdir() if path.suffix == ".tmp"]


def test_ids_are_never_given_twice(case: Case) -> None:
    case.decide(0, "accept")
    case.move()
    case.decide(0, "reject")
    case.move()
    assert len(case.rows()) == 2
    assert case.rows("retired") == [("styled/008", TEXTS[0])]
    case.decide(0, "edit", text="{caption} after {ref#1}")
    case.move()
    case.decide(0, "edit", text="{caption} by {ref#1}")
    case.decide(1, "accept")
    case.move()
    assert sorted(case.rows()[2:]) == [
        ("styled/010", "{caption} by {ref#1}"),
        ("styled/011", TEXTS[1]),
    ]
    assert [name for name, _ in case.rows("retired")] == ["styled/008", "styled/009"]
    text = case.path.read_text()
    for comment in ("# Paintings.", "# one reference", "# short ones", "# terse", "# nothing"):
        assert comment in text
    assert len(templates.read(case.path).templates) == 4
    assert {one.rule for one in lint_read(case.path, "x").findings} <= {"split"}


def test_a_second_reviewer_is_added_and_a_rejection_takes_it_out(case: Case) -> None:
    case.decide(0, "accept", "Ann")
    case.move()
    case.decide(0, "accept", "Bo")
    case.move()
    found = templates.read(case.path).templates
    assert [(one.id, one.reviewed_by) for one in found[2:]] == [("styled/008", "Ann, Bo")]
    case.decide(0, "reject", "Cy")
    case.move()
    assert len(templates.read(case.path).templates) == 2


def test_a_missing_file_is_begun_and_one_in_ten_is_for_validation(
    tmp_path: Path, draft: Callable[..., Draft], decision: Make
) -> None:
    found = [draft("styled", f"{number}: {{caption}} {{ref#1}}") for number in range(20)]
    case = Case(tmp_path, found, decision)
    for number in range(20):
        case.decide(number, "accept")
        case.move()
    read = templates.read(case.path).templates
    assert [one.id for one in read] == [f"styled/{number:03d}" for number in range(1, 21)]
    held = [one.id for one in read if one.split == "validation"]
    assert held == ["styled/010", "styled/020"]
    assert lint_read(case.path, "x").findings == ()


def test_what_is_no_template_stays_out(case: Case) -> None:
    drafts.append(
        "styled", [Draft("styled/d-x", "no slot", "w", "", 1.0, 0, "", "")], str(case.drafts)
    )
    made = Decision("styled/d-x", "accept", "no slot", "", "Ann", "person", "2026-11-25")
    drafts.decide("styled", made, str(case.drafts))
    case.move()
    assert case.path.read_text() == BEFORE


def test_templates_of_other_drafts_are_left_alone(case: Case) -> None:
    case.decide(0, "accept")
    case.move()
    whole = case.path.read_text()
    shelf.move("styled", str(case.folder / "elsewhere"), str(case.folder))
    assert case.path.read_text() == whole


def test_a_file_that_is_no_toml_is_one_line(case: Case) -> None:
    case.path.write_text("task = ")
    case.decide(0, "accept")
    with pytest.raises(UsageError, match=r"styled\.toml cannot be read as templates"):
        case.move()


def test_any_order_of_decisions_gives_a_sound_file(case: Case) -> None:
    given: dict[str, str] = {}  # id -> the one text that it ever had
    said: dict[int, dict[str, tuple[str, str]]] = {}
    for turn in range(60):
        number = keys.draw64(f"{turn}", "draft") % 3
        verdict = ("accept", "edit", "reject")[keys.draw64(f"{turn}", "verdict") % 3]
        reviewer = ("Ann", "Bo")[keys.draw64(f"{turn}", "reviewer") % 2]
        text = f"{{caption}} by {{ref#1}}, {turn % 4}/{number}" if verdict == "edit" else ""
        case.decide(number, verdict, reviewer, text)
        case.move()
        of_draft = said.setdefault(number, {})
        of_draft.pop(reviewer, None)
        of_draft[reviewer] = (verdict, text or TEXTS[number])
        wanted = []
        for words in said.values():
            verdicts = [verdict for verdict, _ in words.values()]
            if "reject" not in verdicts:
                edits = [text for verdict, text in words.values() if verdict == "edit"]
                wanted.append(edits[-1] if edits else [text for _, text in words.values()][-1])
        assert sorted(text for _, text in case.rows()[2:]) == sorted(wanted)
        for name, written in case.rows() + case.rows("retired"):
            assert given.setdefault(name, written) == written
    assert len(case.rows("retired")) > 5
    assert case.path.read_text().startswith(BEFORE.partition("# nothing")[0])
    templates.read(case.path)


def test_a_file_whose_only_template_goes_and_comes_back(
    tmp_path: Path, draft: Callable[..., Draft], decision: Make
) -> None:
    case = Case(tmp_path, [draft("styled", TEXTS[0])], decision)
    for said, rows in [("accept", 1), ("reject", 0), ("accept", 1), ("reject", 0), ("accept", 1)]:
        case.decide(0, said)
        case.move()
        assert len(case.rows()) == rows
    assert case.rows() == [("styled/003", TEXTS[0])]
