"""`diff` says what two builds differ in, by dataset, field and reason."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import instructed

from instruct_imagen_data import shards, tasks
from instruct_imagen_data.schema import Check, Encoded, Example
from instruct_imagen_data.tools import diff, finished
from instruct_imagen_data.tools.diff import builds

Command = Callable[..., Any]


def build(make: Callable[..., Any], dataset: str = "edge_webli", count: int = 40) -> list[Any]:
    return [make(dataset, number) for number in range(count)]


def difference(first: Path, second: Path, dataset: str = "edge_webli") -> builds.Difference:
    one, other = (
        {found.dataset: found for found in finished.open_examples(str(folder))}.get(dataset)
        for folder in (first, second)
    )
    return builds.compare(dataset, (one, other), lambda rows: None)


def test_equal_builds(command: Command, tmp_path: Path) -> None:
    for name in ("a", "b"):
        instructed.write_all(tmp_path / name)
    done = command("diff", tmp_path / "a", tmp_path / "b")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "no difference"
    assert done.out.splitlines()[1:-1] == [
        f"{name:<16}{count:>11}{count:>11}{0:>11}{0:>11}{0:>11}"
        for name in tasks.DATASETS
        for count in [130 if name == "natural" else 13]
    ]


@pytest.mark.parametrize("make", [instructed.derived, instructed.example])
def test_other_parts_of_the_same_rows_are_equal(tmp_path: Path, make: Callable[..., Any]) -> None:
    rows = build(make)
    instructed.write(tmp_path / "a", "edge_webli", [rows[:7], rows[7:]])
    instructed.write(tmp_path / "b", "edge_webli", [[], rows[30:], rows[20:30], rows[:20], []])
    found = difference(tmp_path / "a", tmp_path / "b")
    assert found == builds.Difference("edge_webli", (40, 40), {}, {}, 0, {})
    assert found.equal


def other_reference(row: Any, **changes: object) -> Any:
    one = dataclasses.replace(row.references[0], **changes)
    return dataclasses.replace(row, references=(one,))


def deep(row: Any) -> Any:
    """The last variant's picture, and of it the last byte."""
    *most, last = row.references[0].variants
    image = Encoded(last.image.bytes[:-1] + b"?", last.image.path)
    variants = (*most, dataclasses.replace(last, image=image))
    return other_reference(row, variants=variants)


CHANGES: dict[str, list[Callable[[Any], Any]]] = {
    "instruction": [lambda row: dataclasses.replace(row, instruction=row.instruction + "!")],
    "template": [lambda row: dataclasses.replace(row, template_id="edge_webli/other")],
    "caption": [lambda row: dataclasses.replace(row, caption=row.caption + " ")],
    "image": [
        lambda row: dataclasses.replace(row, image=instructed.encoded(999)),
        lambda row: dataclasses.replace(row, width=row.width + 1),
    ],
    "references": [
        deep,
        lambda row: other_reference(row, text="other"),
        lambda row: other_reference(row, aligned=not row.references[0].aligned),
        lambda row: dataclasses.replace(row, references=()),
    ],
    "slots": [lambda row: dataclasses.replace(row, slots=())],
    "checks": [lambda row: dataclasses.replace(row, checks=(Check("edge_f1", 0.5),))],
    "licence": [lambda row: dataclasses.replace(row, licence="CC0")],
    "sources": [lambda row: dataclasses.replace(row, sources=row.sources[:1])],
    "split": [lambda row: dataclasses.replace(row, split="validation")],
    "task": [lambda row: dataclasses.replace(row, task="edge")],
}


@pytest.mark.parametrize(
    ("field", "change"), [(name, one) for name, some in CHANGES.items() for one in some]
)
def test_each_field_is_looked_at(tmp_path: Path, field: str, change: Callable[[Any], Any]) -> None:
    rows = build(instructed.example, count=6)
    other = [change(row) if number in (1, 3) else row for number, row in enumerate(rows)]
    instructed.write(tmp_path / "a", "edge_webli", [rows])
    instructed.write(tmp_path / "b", "edge_webli", [other])
    found = difference(tmp_path / "a", tmp_path / "b")
    assert found == builds.Difference("edge_webli", (6, 6), {}, {}, 2, {field: 2})


def test_fields_are_all_columns() -> None:
    columns = [column for some in builds.FIELDS.values() for column in some]
    assert sorted([*columns, "key", "dataset"]) == sorted(
        field.name for field in dataclasses.fields(Example)
    )
    assert set(CHANGES) == set(builds.FIELDS)


def test_many_differences_counted_by_hand(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pool = build(instructed.example, count=90)
    reasons = ("check", "verdict", "no_object")
    made, lost = [], []
    for _ in range(2):
        rows = [row for row in pool if rng.random() < 0.7]
        for number, row in enumerate(rows):
            for field in rng.permutation(list(CHANGES))[: rng.integers(0, 3)]:
                if rng.random() < 0.5 and field != "sources":
                    row = CHANGES[field][0](row)  # noqa: PLW2901
            rows[number] = row
        kept = {row.key for row in rows}
        rejects = []
        for row in pool:
            if row.key not in kept:
                if rng.random() < 0.5:
                    rejects.append((row.key, str(rng.choice(reasons))))
                rejects += [
                    (parent, str(rng.choice(reasons)))
                    for parent in row.sources
                    if rng.random() < 0.4
                ]
        made.append({row.key: row for row in rows})
        lost.append(rejects)
    for name, rows, rejects in zip("ab", made, lost, strict=True):
        listed = list(rows.values())
        rng.shuffle(listed)
        instructed.write(tmp_path / name, "edge_webli", [listed[:20], listed[20:]], rejects)

    def why(
        here: dict[str, Any], there: dict[str, Any], rejects: list[tuple[str, str]]
    ) -> Counter[str]:
        given = dict(rejects)
        return Counter(
            next((given[one] for one in (key, *row.sources) if one in given), builds.NO_REJECT)
            for key, row in here.items()
            if key not in there
        )

    a, b = made
    both = [(a[key], b[key]) for key in a.keys() & b.keys()]
    fields = Counter(
        name
        for one, other in both
        for name, columns in builds.FIELDS.items()
        if any(getattr(one, column) != getattr(other, column) for column in columns)
    )
    found = difference(tmp_path / "a", tmp_path / "b")
    assert found == builds.Difference(
        "edge_webli", (len(a), len(b)), why(b, a, lost[0]), why(a, b, lost[1]),
        sum(one != other for one, other in both), fields,
    )  # fmt: skip
    assert min(len(found.added), len(found.removed)) >= 3
    assert not found.equal


def test_the_table(command: Command, tmp_path: Path) -> None:
    rows = build(instructed.example, "suti", 10)
    other = [CHANGES["licence"][0](row) for row in rows[:7]]
    instructed.write(tmp_path / "a", "suti", [rows])
    instructed.write(
        tmp_path / "b", "suti", [other], [(rows[8].sources[1], "check"), (rows[9].key, "verdict")]
    )
    instructed.write(tmp_path / "b", "natural", [build(instructed.example, "natural", 3)])
    done = command("diff", tmp_path / "a", tmp_path / "b")
    assert done.code == 1
    assert done.out.splitlines() == [
        "                      first     second      added    removed    changed",
        "natural                   0          3          3          0          0",
        "  added: no reject 3",
        "suti                     10          7          0          3          7",
        "  removed: check 1, no reject 1, verdict 1",
        "  changed: licence 7",
        "2 of 2 datasets differ",
    ]
    assert command("diff", tmp_path / "b", tmp_path / "b").code == 0


def test_equal_parts_are_not_read(tmp_path: Path) -> None:
    rows = build(instructed.derived, count=9)
    instructed.write(tmp_path / "a", "edge_webli", [rows[:3], rows[3:6], rows[6:]])
    instructed.write(tmp_path / "b", "edge_webli", [rows[:3], rows[6:], rows[3:5]])
    one, other = (finished.open_examples(str(tmp_path / name))[0] for name in "ab")
    assert builds.to_read(one, other) == {"00001": 3}
    assert builds.to_read(other, one) == {"00002": 2}
    read: list[int] = []
    found = builds.compare("edge_webli", (one, other), read.append)
    assert (sum(read), found.removed) == (5, {builds.NO_REJECT: 1})


def test_a_row_that_is_there_twice_is_a_difference(tmp_path: Path) -> None:
    rows = build(instructed.derived, count=3)
    instructed.write(tmp_path / "a", "edge_webli", [rows])
    instructed.write(tmp_path / "b", "edge_webli", [[*rows, rows[0]]])
    assert not difference(tmp_path / "a", tmp_path / "b").equal


def test_wrong_use(command: Command, tmp_path: Path) -> None:
    instructed.write(tmp_path / "a", "natural", [build(instructed.example, "natural", 2)])
    instructed.write(tmp_path / "b", "natural", [build(instructed.derived, "natural", 2)])
    (tmp_path / "c").mkdir()
    for folders, line in [
        (("a", "b"), "compare two of a kind"),
        (("a", "c"), "c holds no finished dataset"),
        (("nowhere", "a"), "nowhere holds no finished dataset"),
    ]:
        done = command("diff", *(tmp_path / one for one in folders))
        assert (done.code, len(done.lines)) == (2, 1)
        assert line in done.err
    part = Path(shards.part_path(str(tmp_path / "a"), "natural", "00000"))
    instructed.write(tmp_path / "d", "natural", [build(instructed.example, "natural", 1)])
    part.write_bytes(part.read_bytes()[:-20])
    done = command("diff", tmp_path / "a", tmp_path / "d")
    assert done.code == 2
    assert "is damaged" in done.lines[-1]  # above it, the bar


def test_help_tells_the_exit_codes(command: Command) -> None:
    told = " ".join(command("diff", "--help").out.split())
    assert "Exit code: 0 if both hold the same rows, 1 if they differ, 2 for wrong use." in told


def test_lines_of_reasons_are_by_count() -> None:
    one = builds.Difference("suti", (9, 3), {}, {"check": 5, "verdict": 1}, 0, {})
    assert list(itertools.islice(diff.lines([one]), 2, 3)) == ["  removed: check 5, verdict 1"]
