"""`instruct-imagen templates lint`: files and fields, copies, meanings, what is printed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instruct_imagen_data import tasks, templates
from instruct_imagen_data.templates import Template
from instruct_imagen_data.tools.templates import lint
from instruct_imagen_data.tools.templates.lint import meaning, pairs
from instruct_imagen_data.tools.templates.lint.read import Read, read

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
text = "{caption}, as {artist} did it in {ref#1}"
reviewed_by = "a third"
"""


def write(folder: Path, text: str, name: str = "styled") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def file_of(dataset: str, *texts: str) -> Read:
    by = ("a hand", "another", "person", "2026-11-25")
    rows = [Template(f"{dataset}/{n:03}", text, "train", *by) for n, text in enumerate(texts, 1)]
    return Read(f"{dataset}.toml", dataset, tuple(rows), ())


def test_the_shipped_templates_are_clean(command: Callable[..., Any]) -> None:
    done = command("templates", "lint")
    assert done.out.splitlines()[-1] == "1,100 of 1,100 templates lint clean; findings: 0"
    assert done.code == 0
    table = done.out.splitlines()[1:12]
    assert [line.split()[:2] for line in table] == [
        [f"{name}.toml", "100"] for name in tasks.DATASETS
    ]


def test_findings_are_lines(tmp_path: Path, command: Callable[..., Any]) -> None:
    path = write(tmp_path, GOOD.replace("the style", "the the style").replace("{artist}", "he"))
    done = command("templates", "lint", path)
    assert done.code == 1
    first, empty, head, row, *_, last = done.out.splitlines()
    assert (
        first == f"{path}: styled/001: doubled: twice in a row: 'caption}} in the the style of {{r'"
    )
    assert empty == ""
    assert (
        " ".join(head.split()) == "file templates words first words first verbs self-BLEU findings"
    )
    assert " ".join(row.split()) == "styled.toml 2 7/7.5/8 1.00 bits 0.00 bits 0.04 1"
    assert last == "1 of 2 templates lint clean; findings: 1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lint", "nowhere/styled.toml"], "templates lint: no such file: nowhere/styled.toml"),
        (
            ["lint", "--model", "paper"],
            "templates lint: unknown flag --model: did you mean --models?",
        ),
        (["lint", "--models", "nothing"], "templates lint: no model set 'nothing'"),
        (["lnit"], "templates: unknown subcommand 'lnit': did you mean lint?"),
        (["xyzzy"], "templates: unknown subcommand 'xyzzy': known are lint, generate, review"),
        ([], "templates: no subcommand: known are lint, generate, review"),
    ],
)
def test_wrong_use(command: Callable[..., Any], arguments: list[str], said: str) -> None:
    done = command("templates", *arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(f"instruct-imagen {said}")
    assert done.err.count("\n") == 1


def test_a_file_twice_is_wrong_use(tmp_path: Path, command: Callable[..., Any]) -> None:
    path = write(tmp_path, GOOD)
    assert command("templates", "lint", path, path).code == 2


def test_help(command: Callable[..., Any]) -> None:
    done = command("templates", "--help")
    assert done.code == 0
    assert "  lint        check template files, rule by rule" in done.out
    assert "1 where something was" in " ".join(command("templates", "lint", "--help").out.split())


@pytest.mark.parametrize(
    ("old", "new", "place", "rule", "message"),
    [
        ("[provenance]", "[provenance", "", "toml", "no TOML: "),
        ("styled_generation", "style_transfer", "", "dataset", 'task is not "styled_generation"'),
        ("task =", "weight = 2\ntask =", "", "fields", "unknown weight"),
        (
            "generator =",
            'mood = "good"\ngenerator =',
            "",
            "fields",
            "[provenance] has unknown mood",
        ),
        ('text = "Paint', 'words = "Paint', "styled/001", "fields", "no text"),
        ('text = "Paint', 'words = "Paint', "styled/001", "fields", "unknown field words; known"),
        ('id = "styled/001"', "id = 1", "1", "fields", "no id"),
        ("styled/001", "style/001", "style/001", "id", "an id is styled/ and three digits"),
        ("styled/001", "styled/1", "styled/1", "id", "an id is styled/ and three digits"),
        ("styled/002", "styled/001", "styled/001", "id", "2 templates share it"),
        ('by = "another"', 'by = ""', "styled/001", "reviewed", "nobody reviewed it"),
        ('"person"', '"cat"', "styled/002", "reviewed", "nobody reviewed it"),
        ("2026-11-25", "today", "styled/002", "reviewed", "reviewed_on 'today' is no date"),
        ('generator = "a hand"', "", "styled/001", "reviewed", "no generator"),
        ('by = "a third"', 'by = "b"\nsplit = "test"', "styled/002", "split", "'test' is neither"),
    ],
)
def test_faults_of_a_file(
    tmp_path: Path, old: str, new: str, place: str, rule: str, message: str
) -> None:
    assert old in GOOD
    assert not read(write(tmp_path, GOOD), "styled.toml").findings
    found = read(write(tmp_path, GOOD.replace(old, new)), "styled.toml").findings
    assert [one for one in found if (one.id, one.rule) == (place, rule) and message in one.message]


def test_a_file_of_no_dataset(tmp_path: Path) -> None:
    found = read(write(tmp_path, GOOD, "painted"), "painted.toml")
    assert [(one.rule, one.message[:18]) for one in found.findings] == [
        ("dataset", "no dataset painted")
    ]
    assert [one.rule for one in lint.lint([found])] == ["dataset"]


@pytest.mark.parametrize("text", ["", 'template = "none"', "template = [1]", "provenance = 3"])
def test_a_file_of_something_else(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f'task = "styled_generation"\n{text}')
    assert "fields" in {one.rule for one in lint.lint([read(path, "styled.toml")])}


@pytest.mark.parametrize(("held", "clean"), [(0, False), (1, False), (2, True), (3, False)])
def test_a_tenth_is_for_validation(tmp_path: Path, held: int, clean: bool) -> None:
    rows = [
        f'[[template]]\nid = "styled/{n:03}"\ntext = "{{caption}} {{ref#1}}"\n'
        + ('split = "validation"\n' if n < held else "")
        for n in range(20)
    ]
    found = read(write(tmp_path, GOOD.partition("[[template]]")[0] + "".join(rows)), "styled.toml")
    wanted = [] if clean else [("split", f"{held} of 20 are for validation, where 2 should be")]
    assert [(one.rule, one.message) for one in found.findings] == wanted


def test_copies_and_near_copies() -> None:
    file = file_of(
        "depth_webli",
        "Paint this along the {ref#1}: {caption}",
        "PAINT this, along the {ref#1}; {caption}",  # the same
        "Paint this beside the {ref#1}: {caption}",  # 5 of 7 tokens are common
        "Lay out the {ref#1}: {caption}",  # 3 of 8
    )
    found = [(one.id, one.rule, one.message.split(",")[0]) for one in pairs.findings([file])]
    assert found == [
        ("depth_webli/002", "duplicate", "the same words as depth_webli/001"),
        ("depth_webli/003", "near_duplicate", "0.71 of its words are those of depth_webli/001"),
        ("depth_webli/003", "near_duplicate", "0.71 of its words are those of depth_webli/002"),
    ]


def test_copies_between_files() -> None:
    depth = file_of("depth_webli", "Bring depth into {caption} as the depth map ({mark#1}) has it")
    edge = file_of("edge_webli", "Bring edges into {caption} as the edge image ({mark#1}) has it")
    suti = file_of("suti", "Bring life into {caption} as the good thing ({mark#1}) has it")
    found = list(pairs.findings([depth, edge, suti]))
    assert [(one.file, one.id, one.rule) for one in found] == [
        ("edge_webli.toml", "edge_webli/001", "duplicate")
    ]


def test_jaccard_by_brute_force() -> None:
    texts = [one.text for one in templates.read(templates.path_of("suti")).templates]
    changed = [text.replace("the", "that", 1) for text in texts[:30]]
    said = [set(pairs.tokens(text)) for text in (*texts, *changed)]
    expected = {
        (f"suti/{one + 1:03}", f"suti/{other + 1:03}")
        for other in range(len(said))
        for one in range(other)
        if len(said[one] & said[other]) >= pairs.NEAR * len(said[one] | said[other])
    }
    found = {
        (one.message.split(",")[0][-8:], one.id)
        for one in pairs.findings([file_of("suti", *texts, *changed)])
    }
    assert found == expected
    assert len(found) > 20


def letters(texts: Any) -> np.ndarray:
    """An encoder: how often a text has each letter."""
    counts = np.array([[one.lower().count(chr(97 + n)) for n in range(26)] for one in texts], float)
    return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True))


def test_meanings_that_are_too_near() -> None:
    texts = [one.text for one in templates.read(templates.path_of("depth_webli")).templates]
    anagram = "Perspective fixed by {ref#1}: {caption}".replace("fixed by", "by fixed")
    found = meaning.compare([file_of("depth_webli", *texts, anagram)], letters)
    (same,) = (one for one in found.findings if one.id == "depth_webli/101")
    assert "it means what depth_webli/080 does (1.00)" in same.message
    assert found.share <= meaning.MOST
    assert 0.9 < found.limit < 1


def test_files_are_not_compared_by_meaning() -> None:
    one, other = file_of("natural", "Paint {caption}"), file_of("wikiart", "Paint {caption}")
    assert meaning.compare([one, other], letters).findings == ()


def test_an_encoder_that_takes_all_for_the_same_says_nothing(command: Callable[..., Any]) -> None:
    """The embedded one knows the planted world, and no other words."""
    done = command("templates", "lint", "--models", "embedded")
    assert "too many: this encoder cannot tell templates apart" in done.out.splitlines()[-1]
    assert done.code == 0


def test_an_encoder_of_real_pictures_finds_the_shipped_apart(
    shared: Path, root: Path, command: Callable[..., Any]
) -> None:
    done = command("templates", "lint", "--models", root / "tests/data/shared_set.toml")
    assert done.out.splitlines()[-1].startswith(
        "meaning: 0% of templates have another at cosine 0.9"
    )
    assert done.code == 0
