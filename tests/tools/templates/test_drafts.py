"""Drafts and decisions: logs that only grow, and lose nothing when a writer is killed."""

import dataclasses
import datetime
import hashlib
import json
from pathlib import Path

import pytest

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.drafts import Decision, Draft


def draft(text: str, **other: object) -> Draft:
    found = Draft(
        drafts.draft_id("wikiart", text), text, "writer-1", "curator", 1.0, 7, "ab" * 32,
        "2026-11-25T12:00:00+00:00",
    )  # fmt: skip
    return dataclasses.replace(found, **other)  # type: ignore[arg-type]


def decision(of: Draft, **other: object) -> Decision:
    found = Decision(of.id, "accept", of.text, "", "Ann", "person", drafts.now())
    return dataclasses.replace(found, **other)  # type: ignore[arg-type]


ONE, TWO, THREE = (
    draft(text) for text in ("Paint {caption}.", "{caption}, as art", "été: {caption}")
)


def test_ids_are_of_the_text() -> None:
    sha = hashlib.sha256(b"Paint {caption}.").hexdigest()
    assert ONE.id == f"wikiart/d-{sha[:8]}"
    assert len({ONE.id, TWO.id, THREE.id, drafts.draft_id("natural", ONE.text)}) == 4


def test_drafts_come_back_in_order_each_once(tmp_path: Path) -> None:
    folder = str(tmp_path / "made" / "here")
    assert drafts.read("wikiart", folder) == []
    drafts.append("wikiart", [THREE, ONE], folder)
    drafts.append("wikiart", [draft(ONE.text, seed=8), TWO], folder)
    drafts.append("natural", [TWO], folder)
    assert drafts.read("wikiart", folder) == [THREE, ONE, TWO]
    lines = (tmp_path / "made" / "here" / "wikiart.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == [
        THREE.text, ONE.text, ONE.text, TWO.text,
    ]  # fmt: skip
    assert json.loads(lines[0]) == dataclasses.asdict(THREE)


def test_a_torn_last_line_is_no_draft_and_goes_away(tmp_path: Path) -> None:
    path = drafts.path_of("wikiart", str(tmp_path))
    drafts.append("wikiart", [ONE], str(tmp_path))
    whole = path.read_bytes()
    for cut in (b"{", json.dumps(dataclasses.asdict(TWO)).encode(), "é".encode()[:1]):
        path.write_bytes(whole + cut)
        assert drafts.read("wikiart", str(tmp_path)) == [ONE]
    drafts.append("wikiart", [THREE], str(tmp_path))
    assert drafts.read("wikiart", str(tmp_path)) == [ONE, THREE]
    assert len(path.read_bytes().splitlines()) == 2


def test_a_reviewer_sees_what_is_left_for_him(tmp_path: Path) -> None:
    folder = str(tmp_path)
    drafts.append("wikiart", [ONE, TWO, THREE], folder)
    assert drafts.undecided("wikiart", "Ann", folder) == [ONE, TWO, THREE]
    made = [
        decision(TWO),
        decision(ONE, decision="reject", text="", reason="says oil"),
        decision(THREE, reviewer="Bo", reviewer_kind="agent", decision="edit", text="{caption}"),
    ]
    for each in made:
        drafts.decide("wikiart", each, folder)
    assert drafts.decisions("wikiart", folder) == made
    assert drafts.undecided("wikiart", "Ann", folder) == [THREE]
    assert drafts.undecided("wikiart", "Bo", folder) == [ONE, TWO]
    assert drafts.undecided("wikiart", "Cy", folder) == [ONE, TWO, THREE]
    with drafts.decisions_path("wikiart", folder).open("a") as torn:
        torn.write('{"draft": "wikiart/d-')
    assert drafts.decisions("wikiart", folder) == made


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"decision": "maybe"}, "'maybe' is none of accept, edit, reject"),
        ({"reviewer": " "}, "needs a reviewer"),
        ({"reviewer_kind": "cat"}, "of kind person or agent"),
        ({"text": " "}, "has a text"),
        ({"decision": "reject"}, "what is rejected has none"),
    ],
)
def test_half_a_decision_is_refused(tmp_path: Path, other: dict[str, str], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        drafts.decide("wikiart", decision(ONE, **other), str(tmp_path))
    assert drafts.decisions("wikiart", str(tmp_path)) == []


def test_wrong_files_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no dataset wikiarts; known are natural, wikiart"):
        drafts.path_of("wikiarts")
    drafts.path_of("wikiart", str(tmp_path)).write_text('{"text": "a"}\n')
    with pytest.raises(UsageError, match=r"wikiart.jsonl: a line is no draft: .*missing"):
        drafts.read("wikiart", str(tmp_path))
    drafts.decisions_path("wikiart", str(tmp_path)).write_text("[]\n")
    with pytest.raises(UsageError, match=r"decisions.jsonl: no JSON object in the line '\[\]'"):
        drafts.decisions("wikiart", str(tmp_path))


def test_times_are_utc() -> None:
    time = datetime.datetime.fromisoformat(drafts.now())
    assert time.utcoffset() == datetime.timedelta(0)
    assert abs(datetime.datetime.now(datetime.UTC) - time) < datetime.timedelta(minutes=1)
