"""Derived rows: nothing is lost between sources and datasets, and parts are whole or not there."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from instruct_imagen_data import keys, schema, shards
from instruct_imagen_data.errors import ConservationError, UsageError
from instruct_imagen_data.schema import Check, Derived, Encoded, RejectRow
from instruct_imagen_data.stages import derived
from instruct_imagen_data.stages.blocks import Reject
from instruct_imagen_data.stages.derived import Made, SourceBlock, Terms, made
from instruct_imagen_data.stages.finish import FinishDatasets, finish_dataset


def row(dataset: str, *sources: str) -> Derived:
    return Derived(
        key=keys.derived_key(dataset, sources),
        task="text_to_image",
        dataset=dataset,
        caption="a thing",
        image=Encoded(b"pixels", "a.jpg"),
        width=4,
        height=3,
        references=(),
        slots=(),
        checks=(),
        licence="CC0",
        sources=sources,
        split="train",
    )


def reject(key: str, reason: str = "verdict") -> RejectRow:
    return RejectRow(key, f"o#{key}", "", "test", reason, "", "", "", None, None)


def block(
    part: str, names: str, refused: str = "", datasets: tuple[str, ...] = ("natural",)
) -> Any:
    """A block whose rows are letters; those of `refused` come as rejects."""
    rejects = schema.table_of(RejectRow, [reject(key) for key in refused])
    rows = [key for key in names if key not in refused]
    return SourceBlock(part, datasets, tuple(names), rows, rejects)


@pytest.mark.parametrize(
    ("names", "rows", "rejects", "lost"),
    [
        ("ab", [("a",), ("b",)], "", None),
        ("ab", [("a", "b")], "", None),  # one row of two parents
        ("ab", [("a",), ("a", "b")], "", None),  # a parent of two rows
        ("ab", [("a", "z")], "b", None),  # a parent from elsewhere
        ("aab", [("a",)], "ab", None),  # copies: one is used, the other rejected
        ("aab", [], "aab", None),
        ("", [], "", None),
        ("ab", [("a",)], "", "b"),
        ("ab", [("a",)], "ab", "a"),
        ("ab", [("a",)], "bb", "b"),
        ("aab", [("b",)], "a", "a"),
        ("a", [("a",)], "z", "z"),
    ],
)
def test_conservation(names: str, rows: list[tuple[str, ...]], rejects: str, lost: Any) -> None:
    found = made([row("natural", *one) for one in rows], [reject(key) for key in rejects])
    check = functools.partial(derived.check_conservation, block("p-000", names), "natural", found)
    if lost is None:
        check()
    else:
        with pytest.raises(ConservationError, match=rf"natural, part p-000: .*\['{lost}'\]"):
            check()


@pytest.mark.parametrize(
    ("values", "limit", "worst"),
    [((), 0.9, None), ((0.5, 0.7), 0.5, None), ((0.9, 0.4, 0.6), 0.5, 1), ((0.0,), 0.0, None)],
)
def test_the_worst_condition_decides(values: Any, limit: float, worst: Any) -> None:
    checks = [Check(f"c{n}", value) for n, value in enumerate(values)]
    terms = Terms(min_check=limit)
    if worst is None:
        assert terms.check(checks) == tuple(checks)
        return
    with pytest.raises(Reject) as caught:
        terms.check(checks)
    assert (caught.value.reason, caught.value.detail) == ("check", f"c{worst}")
    assert (caught.value.value, caught.value.limit) == (values[worst], limit)


def test_licences_of_all_parents() -> None:
    parents = ["CC BY 4.0", "", "MIT; CC0"]
    assert Terms().licence(parents) == "CC BY 4.0; CC0; MIT; unknown"
    assert Terms("commercial").licence(["CC0", "MIT"]) == "CC0; MIT"
    for bad in (parents, ["CC BY-NC 4.0", "MIT"]):
        with pytest.raises(Reject) as caught:
            Terms("commercial").licence(bad)
        assert caught.value.reason == "licence"


class Nothing:
    """No networks."""


def letters(source: SourceBlock, _: Any, lost: str = "") -> Mapping[str, Made]:
    """Each letter is a row of each dataset, but vowels; `lost` is a bug."""
    good = [key for key in source.rows if key not in "aeiou" + lost]
    bad = [reject(key, "vowel") for key in source.rows if key in "aeiou"]
    return {name: made([row(name, key) for key in good], bad) for name in source.datasets}


DATASETS = ("depth_webli", "natural")
BLOCKS = {"x-000": ("abc", "b"), "x-001": ("de", ""), "y-000": ("", "")}


def run(output: Path, wanted: list[derived.Todo], function: Any = letters) -> None:
    blocks = [block(one.part, *BLOCKS[one.part], one.datasets) for one in wanted]
    with beam.Pipeline(runner="FnApiRunner") as root:
        written = (
            root
            | beam.Create(blocks)
            | derived.DeriveBlocks("derive", Nothing, function)
            | derived.WriteDerived(str(output))
        )
        written | FinishDatasets(str(output), "test", DATASETS)


def begin(output: Path) -> None:
    inputs = {part: len(names) for part, (names, _) in BLOCKS.items()}
    for name in DATASETS:
        shards.write_json(str(output / name), shards.JOB, {"job": "test", "inputs": inputs})


def test_from_blocks_to_datasets(tmp_path: Path, tree: Any) -> None:
    begin(tmp_path)
    wanted = derived.todo(str(tmp_path), DATASETS, BLOCKS)
    assert wanted == [derived.Todo(part, DATASETS) for part in BLOCKS]
    run(tmp_path, wanted)
    assert derived.todo(str(tmp_path), DATASETS, BLOCKS) == []
    for name in DATASETS:
        folder = tmp_path / name
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))
        parts = [f"part-{part}.parquet" for part in BLOCKS]
        assert files == sorted([*parts, *(f"_rejects/{one}" for one in parts)])
        found = shards.read_part(str(tmp_path), name, "x-000", Derived)
        assert found["key"].to_pylist() == [keys.derived_key(name, ("c",))]
        rejects = shards.read_part(str(folder), shards.REJECTS, "x-000", RejectRow)
        assert rejects["reason"].to_pylist() == ["verdict", "vowel"]  # the block's own first
        manifest = json.loads((folder / shards.MANIFEST).read_text())
        assert (manifest["job"], manifest["dataset"]) == ("test", name)
        assert manifest["rows_in"] == 5
        assert manifest["rows"] == {name: 2, shards.REJECTS: 3}
        assert manifest["reasons"] == {"verdict": 1, "vowel": 2}
        assert [one["part"] for one in manifest["parts"]] == list(BLOCKS)
        hashes = tree(folder)
        for one in manifest["parts"]:
            assert one["sha256"] == {name: hashes[f"part-{one['part']}.parquet"]}


def test_what_is_missing_alone_is_made(tmp_path: Path, tree: Any) -> None:
    begin(tmp_path)
    run(tmp_path, derived.todo(str(tmp_path), DATASETS, BLOCKS))
    whole = tree(tmp_path)
    for name, part in [("natural", "x-001"), ("natural", "y-000"), ("depth_webli", "y-000")]:
        (tmp_path / name / "_rejects" / f"part-{part}.parquet").unlink()  # its rows may be there
    with pytest.raises(UsageError, match=r"2 of 3 parts are not there, such as x-001"):
        finish_dataset(str(tmp_path / "natural"), "test", "natural")
    wanted = derived.todo(str(tmp_path), DATASETS, BLOCKS)
    assert wanted == [derived.Todo("x-001", ("natural",)), derived.Todo("y-000", DATASETS)]
    before = (tmp_path / "depth_webli" / "part-x-001.parquet").stat()
    run(tmp_path, wanted)
    assert tree(tmp_path) == whole
    assert (tmp_path / "depth_webli" / "part-x-001.parquet").stat() == before


@pytest.mark.parametrize("lost", ["c", "dataset"])
def test_a_stage_that_loses_rows_fails(tmp_path: Path, lost: str) -> None:
    function = functools.partial(letters, lost=lost)
    if lost == "dataset":
        function = lambda source, _: {}  # noqa: E731
    with pytest.raises(ConservationError, match=r"part x-000"):
        run(tmp_path, derived.todo(str(tmp_path), DATASETS, BLOCKS), function)
    assert not list(tmp_path.rglob("part-x-000.parquet"))


def test_parts_are_read_back_as_they_were(tmp_path: Path) -> None:
    reference = schema.Reference(
        1, "edge", "edge image", Encoded(b"map", "e.png"), True,
        (schema.Variant("depth", Encoded(b"other", "d.png")),),
    )  # fmt: skip
    one = dataclasses.replace(
        row("edge_webli", "k"), references=(reference,), checks=(Check("edge_f1", 0.75),)
    )
    whole = derived.DerivedBlock("p-000", 1, {"edge_webli": made([one], [])})
    assert derived.commit(whole, str(tmp_path)) == "p-000"
    (found,) = shards.read_part(str(tmp_path), "edge_webli", "p-000", Derived).to_pylist()
    assert found["references"][0]["variants"] == [
        {"name": "depth", "image": {"bytes": b"other", "path": "d.png"}}
    ]
    assert found["checks"] == [{"name": "edge_f1", "value": 0.75}]
    done = shards.read_commit(str(tmp_path / "edge_webli"), "p-000")
    assert (done.rows_in, done.rows) == (1, {"edge_webli": 1, "_rejects": 0})
