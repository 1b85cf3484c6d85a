"""Template files: what is read, what is refused, which of them a row may have."""

import hashlib
from pathlib import Path

import pytest

from instruct_imagen_data import templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.instructions import InstructionError

GOOD = """
task = "styled_generation"
[provenance]
generator = "a hand"
reviewed_by = "another"
reviewer_kind = "person"
reviewed_on = "2026-11-25"
[[template]]
id = "styled/001"
text = "Paint {caption} in the style of {ref#1}."
[[template]]
id = "styled/002"
text = "{caption}, as {artist} did {ref#1}"
reviewed_by = "a third"
[[template]]
id = "styled/091"
text = "{ref#1}: {caption}"
split = "validation"
"""


def write(folder: Path, text: str, name: str = "styled") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    found = templates.read(write(tmp_path, GOOD))
    assert found.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert [one.id for one in found.templates] == ["styled/001", "styled/002", "styled/091"]
    assert [one.reviewed_by for one in found.templates] == ["another", "a third", "another"]
    assert [one.split for one in found.templates] == ["train", "train", "validation"]


def test_a_row_gets_what_it_can_fill(tmp_path: Path) -> None:
    found = templates.read(write(tmp_path, GOOD))
    bare = templates.values_of("a fox", [(1, "Realism"), (1, "Realism")], {"artist": ""})
    assert bare == {"caption": "a fox", "ref#1": "Realism"}
    assert [one.id for one in found.usable("train", bare)] == ["styled/001"]
    full = templates.values_of("a fox", [(1, "Realism")], {"artist": "A. N."})
    assert {found.draw(f"key{n}", "train", full) for n in range(40)} == set(found.templates[:2])
    assert found.draw("key", "validation", full) == found.templates[2]
    assert found.draw("key", "train", {"ref#1": "Realism"}) is None


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('reviewed_by = "another"', "", "template styled/001: nobody reviewed it"),
        ('kind = "person"', 'kind = "nobody"', "template styled/001: nobody reviewed it"),
        ('"styled_generation"', '"style_transfer"', 'task is not "styled_generation"'),
        ("{caption}, as", "as", "template styled/002: it does not use {caption}"),
        ("{artist}", "{genre}", r"\{genre\} is no slot of styled; it has \{artist\}, \{caption\}"),
        ("did {ref#1}", "did", "template styled/002: it does not cite {ref#1}"),
        ("styled/002", "styled/001", "two templates share an id"),
        ('split = "validation"', 'split = "test"', "neither train nor validation"),
        ('split = "validation"', 'weight = "1"', "has fields"),
        ("[provenance]", "[provenance", "cannot be read as templates"),
    ],
)
def test_an_unfit_file_is_refused(tmp_path: Path, old: str, new: str, match: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError, match=match):
        templates.read(write(tmp_path, GOOD.replace(old, new)))


def test_a_file_of_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no dataset painted; known are natural"):
        templates.read(write(tmp_path, GOOD, "painted"))


def test_style_transfer_has_no_caption() -> None:
    templates.check("{ref#2} redone as {ref#1}", "style_transfer")
    with pytest.raises(InstructionError, match=r"\{caption\} is no slot of style_transfer"):
        templates.check("{ref#2} {caption} as {ref#1}", "style_transfer")
