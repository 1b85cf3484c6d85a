"""Instructions from rows: which template, which rejects, and everything else as it was."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import derived_rows
from helpers.derived_rows import row
from hypothesis import given, settings
from hypothesis import strategies as st

from instruct_imagen_data import instructions, schema, shards, tasks, templates
from instruct_imagen_data.errors import ConservationError, UsageError
from instruct_imagen_data.instructions import Marker
from instruct_imagen_data.schema import Derived, Slot
from instruct_imagen_data.stages import instruct
from instruct_imagen_data.templates import Templates

TemplatesOf = Callable[[str], Templates]


@pytest.fixture(scope="module")
def templates_of(tmp_path_factory: pytest.TempPathFactory) -> TemplatesOf:
    folder = derived_rows.write_templates(tmp_path_factory.mktemp("templates"))
    return lambda name: templates.read(folder / f"{name}.toml")


def table_of(*rows: Derived) -> pa.Table:
    return schema.table_of(Derived, rows)


def expected(one: Derived, given: Templates) -> tuple[str, str]:
    """(instruction, template id) by the contract alone."""
    references = [(ref.marker, ref.text) for ref in one.references]
    slots = {slot.name: slot.value for slot in one.slots}
    values = templates.values_of(one.caption, references, slots)
    drawn = given.draw(one.key, one.split, values)
    assert drawn is not None
    return instructions.render(drawn.text, values).payload, drawn.id


@pytest.mark.parametrize("dataset", tasks.DATASETS)
def test_every_dataset(dataset: str, templates_of: TemplatesOf) -> None:
    rows = [row(dataset, number) for number in range(60)]
    before, known = table_of(*rows), templates_of(dataset)
    made = instruct.instruct(before, "p-000", known)
    assert made.rejects.num_rows == 0
    assert made.rows.schema.equals(schema.schema_of(schema.Example), check_metadata=True)
    assert made.rows.select(before.column_names).equals(before.replace_schema_metadata())
    found = made.rows.to_pylist()
    texts = [(one["instruction"], one["template_id"]) for one in found]
    assert texts == [expected(one, known) for one in rows]
    splits = {one.id: one.split for one in known.templates}
    assert [splits[one["template_id"]] for one in found] == [one.split for one in rows]
    assert len({one["template_id"] for one in found}) > 8
    if tasks.DATASETS[dataset].slots:  # a template that needs a slot is for rows that have it
        needy = {f"{dataset}/{number:03d}" for number in range(0, derived_rows.WORDINGS, 4)}
        assert {one["template_id"] in needy for one in found if one["slots"]} == {True, False}
        assert not [one for one in found if one["template_id"] in needy and not one["slots"]]


def test_words_are_read_from_any_arrow_layout() -> None:
    """Sliced and in chunks, with several, one and no reference: compared with `to_pylist`."""
    rows = [row(name, n) for n in range(8) for name in ("suti", "natural", "style_transfer")]
    whole = table_of(*rows)
    chunked = pa.concat_tables([whole.slice(0, 5), whole.slice(5, 0), whole.slice(5, 9)])
    for table in (whole, whole.slice(3, 11), chunked, chunked.slice(4, 7), whole.slice(0, 0)):
        found = list(instruct.words_of(table))
        assert [one.number for one in found] == list(range(table.num_rows))
        for one, other in zip(found, table.to_pylist(), strict=True):
            for name in ("key", "task", "dataset", "caption", "split"):
                assert getattr(one, name) == other[name]
            assert list(one.references) == [(r["marker"], r["text"]) for r in other["references"]]
            assert one.slots == {slot["name"]: slot["value"] for slot in other["slots"]}


def without(one: Derived, **changes: Any) -> Derived:
    """A row whose first reference is changed."""
    first, *others = one.references
    return dataclasses.replace(one, references=(dataclasses.replace(first, **changes), *others))


BAD = {
    "another dataset": (row("natural", 1, dataset="suti"), "malformed", "dataset is 'suti'"),
    "another task": (row("natural", 1, task="style_transfer"), "malformed", "task is 'style_tr"),
    "no split": (row("natural", 1, split="test"), "malformed", "split is 'test'"),
    "no reference": (row("suti", 1, references=()), "malformed", "markers are none"),
    "from zero": (without(row("depth_webli", 1), marker=0), "malformed", "markers are 0"),
    "a gap": (without(row("style_transfer", 1), marker=3), "malformed", "markers are 2, 3"),
    "no marker": (without(row("suti", 1), marker=None), "malformed", "None"),
    "one too many": (
        row("natural", 1, references=row("suti", 0).references), "malformed", "markers are 1",
    ),
    "two texts": (without(row("suti", 2), text="dog"), "malformed", "not one text"),
    "null text": (without(row("depth_webli", 2), text=None), "malformed", "not one text"),
    "no caption": (row("natural", 1, caption=""), "no_template", "train, of nothing"),
    "no caption, slots": (row("wikiart", 1, caption=""), "no_template", "artist, style"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_rejects(name: str, templates_of: TemplatesOf) -> None:
    bad, reason, detail = BAD[name]
    dataset = "natural" if name.startswith(("another", "one too")) else bad.dataset
    rows = [row(dataset, 10), bad, row(dataset, 11)]
    made = instruct.instruct(table_of(*rows), "p-003", templates_of(dataset))
    assert made.rows["key"].to_pylist() == [rows[0].key, rows[2].key]
    assert made.rows["image"].to_pylist()[1]["bytes"] == rows[2].image.bytes
    (reject,) = made.rejects.to_pylist()
    assert (reject["key"], reject["stage"], reject["reason"]) == (bad.key, "instruct", reason)
    assert detail in reject["detail"]
    assert reject["origin"] == "part-p-003.parquet#1"


def test_no_template_of_a_split(templates_of: TemplatesOf) -> None:
    known = templates_of("natural")
    trained = [one for one in known.templates if one.split == "train"]
    only_train = dataclasses.replace(known, templates=tuple(trained))
    rows = [row("natural", number) for number in range(14)]
    made = instruct.instruct(table_of(*rows), "p", only_train)
    assert set(made.rows["split"].to_pylist()) == {"train"}
    assert [one["key"] for one in made.rejects.to_pylist()] == [rows[0].key, rows[7].key]
    assert set(made.rejects["detail"].to_pylist()) == {"validation, of caption"}


hostile = st.text(st.sampled_from("ab[]{}#ref12 \n\0\u202e\u0301"), min_size=1) | st.sampled_from(
    [
        "[ref#1]", "[ref#2] and [ref#", "[[ref#1]]", "{caption}", "{ref#1}", "{ref#2}{mark#1}",
        "<extra_id_0>", "\u202e gnp.exe", "ends in [", "[[[", "a\0b", "\x1b[31m", "a" * 100_000,
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(hostile, hostile, hostile), min_size=1, max_size=3), st.integers(0, 99))
def test_hostile_words_forge_nothing(
    templates_of: TemplatesOf, texts: list[tuple[str, str, str]], number: int
) -> None:
    """Markers are the template's, each in its place, and all other text is as it was given."""
    known = templates_of("styled")
    rows = []
    for offset, (caption, text, style) in enumerate(texts):
        slots = (Slot("style", style), Slot("artist", text))
        one = row("styled", 100 * offset + number, caption=caption, slots=slots)
        rows.append(without(one, text=text))
    made = instruct.instruct(table_of(*rows), "p", known)
    assert made.rejects.num_rows == 0
    for one, found in zip(rows, made.rows.to_pylist(), strict=True):
        wording = derived_rows.template("styled", int(found["template_id"][-3:]))
        values = {"caption": one.caption} | {slot.name: slot.value for slot in one.slots}
        meant = ""  # each marker is "\1", which no text here holds
        for piece in instructions.pieces(wording):
            if isinstance(piece, str):
                meant += piece
            elif piece.name.startswith("ref#"):
                meant += f"\1 {one.references[0].text}"
            else:
                meant += "\1" if piece.name.startswith("mark#") else values[piece.name]
        segments = instructions.parse(found["instruction"])
        assert {part.number for part in segments if isinstance(part, Marker)} == {1}
        assert "".join("\1" if isinstance(s, Marker) else s for s in segments) == meant


def test_a_lost_row_stops_the_job(templates_of: TemplatesOf) -> None:
    before = table_of(*(row("natural", number) for number in range(4)))
    made = instruct.instruct(before, "p", templates_of("natural"))
    instruct.check_conservation(before, made, "x")
    lost = instruct.Instructed(made.rows.slice(1), made.rejects)
    with pytest.raises(ConservationError, match="rows lost or invented"):
        instruct.check_conservation(before, lost, "x")
    with pytest.raises(ConservationError):
        instruct.check_conservation(before.slice(1), made, "x")


def test_a_part_of_other_rows_is_refused(tmp_path: Path, templates_of: TemplatesOf) -> None:
    rows = [row("natural", number) for number in range(3)]
    derived_rows.write(tmp_path / "in", {"natural": {"p": rows}})
    given = {"natural": templates_of("natural")}
    folders = {"examples": str(tmp_path / "in"), "output": str(tmp_path / "out")}
    with pytest.raises(UsageError, match=r"p\.parquet has 3 rows, its manifest says 4"):
        instruct.instruct_part(instruct.Todo("natural", "p", 4), **folders, given=given)
    (tmp_path / "in" / "natural" / "part-p.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"p\.parquet is damaged"):
        instruct.instruct_part(instruct.Todo("natural", "p", 3), **folders, given=given)
    assert not (tmp_path / "out").exists()


def test_row_groups_of_sixteen(tmp_path: Path, templates_of: TemplatesOf) -> None:
    rows = [row("suti", number) for number in range(50)]
    derived_rows.write(tmp_path, {"suti": {"p": rows}})
    out = tmp_path / "out"
    one = instruct.Todo("suti", "p", 50)
    assert instruct.instruct_part(
        one, examples=str(tmp_path), output=str(out), given={"suti": templates_of("suti")}
    )
    file = pq.ParquetFile(out / "suti" / "part-p.parquet").metadata
    assert [file.row_group(n).num_rows for n in range(4)] == [16, 16, 16, 2]
    commit = shards.read_commit(str(out / "suti"), "p")
    assert commit.splits == {"train": 42, "validation": 8}
    assert commit.rows == {"suti": 50, "_rejects": 0}


def test_a_missing_dataset_is_not_there(tmp_path: Path) -> None:
    parts = {"suti": {"b": [row("suti", 1)], "a": []}, "celeba": {"c": [row("celeba", 2)] * 2}}
    derived_rows.write(tmp_path, parts)
    found = instruct.open_examples(str(tmp_path), tasks.DATASETS)
    assert {name: one.parts for name, one in found.items()} == {
        "suti": {"b": 1, "a": 0}, "celeba": {"c": 2},
    }  # fmt: skip
    digest = found["suti"].digest
    assert digest != found["celeba"].digest
    derived_rows.write(tmp_path, {"suti": {"b": [row("suti", 2)], "a": []}})
    assert instruct.open_examples(str(tmp_path), ["suti"])["suti"].digest != digest


def test_what_holds_no_examples(tmp_path: Path) -> None:
    def refused(match: str, folder: Path = tmp_path) -> None:
        with pytest.raises(UsageError, match=match):
            instruct.open_examples(str(folder), ["suti", "celeba"])

    refused("holds none of the datasets that are wanted: run `instruct-imagen derive")
    refused("holds none", tmp_path / "nowhere")
    derived_rows.write(tmp_path, {"suti": {"a": [row("suti", 1)]}})
    refused("suti was written by 'natural': --examples is the folder that holds", tmp_path / "suti")
    place = tmp_path / "suti"
    job = shards.read_job(str(place)) or {}
    shutil.copytree(place, tmp_path / "celeba")
    refused("celeba holds 'suti', not celeba")
    shutil.rmtree(tmp_path / "celeba")
    job["settings"]["records"]["Derived"] = "other"
    shards.write_json(str(place), shards.JOB, job)
    refused("suti was derived by another version .* derive it again, with --overwrite")
    shards.write_json(str(place), shards.JOB, job | {"job": "instruct"})
    refused("suti holds instructions already: --examples is what `instruct-imagen derive`")
    shards.write_json(str(place), shards.JOB, job)
    (place / shards.MANIFEST).unlink()
    refused("holds no finished natural .* or leave suti out by --only")
