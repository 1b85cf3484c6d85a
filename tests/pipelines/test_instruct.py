"""`instruct` as a whole: all that it writes, compared; the mixture; wrong use."""

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from helpers import derived_rows
from helpers.derived_rows import row
from helpers.source_jobs import refused

from instruct_imagen_data import instructions, schema, shards, tasks, templates

Command = Callable[..., Any]
Tree = Callable[[Path], dict[str, str]]
SIZES = {"natural": (20, 0, 33), "suti": (17,), "styled": (5, 5), "style_transfer": (9,)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four datasets in a few parts (examples), and templates for all."""
    folder = tmp_path_factory.mktemp("made")
    derived_rows.write(folder / "examples", {name: parts_of(name) for name in SIZES})
    derived_rows.write_templates(folder / "templates")
    return folder


def parts_of(name: str) -> dict[str, list[schema.Derived]]:
    return {
        f"0000{part}-000": [row(name, 100 * part + number) for number in range(size)]
        for part, size in enumerate(SIZES[name])
    }


@pytest.fixture
def run(made: Path, tmp_path: Path, command: Command) -> Command:
    """run(*flags): the job over `made` into `out`."""
    given = ("--examples", made / "examples", "--templates", made / "templates")
    return lambda *flags: command("instruct", *given, "--output", tmp_path / "out", *flags)


def test_all_that_is_written(run: Command, made: Path, tmp_path: Path, tree: Tree) -> None:
    done = run("--total-examples", 1000)
    assert done.code == 0, done
    out = tmp_path / "out"
    parts = {f"{name}/{part}": rows for name in SIZES for part, rows in parts_of(name).items()}
    for place, rows in parts.items():
        name, _, part = place.partition("/")
        given = templates.read(made / "templates" / f"{name}.toml")
        path = out / name / f"part-{part}.parquet"
        table = pq.read_table(path)
        assert table.schema.equals(schema.schema_of(schema.Example))
        assert table.schema.metadata == schema.schema_of(schema.Example).metadata
        wanted = schema.table_of(schema.Derived, rows).to_pylist()
        assert table.to_pylist() == [instructed(one, given) for one in wanted]
        file = pq.ParquetFile(path).metadata
        groups = [file.row_group(n).num_rows for n in range(file.num_row_groups)]
        assert all(size == 16 for size in groups[:-1])
        assert groups[-1:] <= [16]
    files = {f"{place.replace('/', '/part-')}.parquet" for place in parts}
    files |= {f"{place.replace('/', '/_rejects/part-')}.parquet" for place in parts}
    files |= {f"{name}/{file}" for name in SIZES for file in (shards.JOB, shards.MANIFEST)}
    assert set(tree(out)) == files | {"mixture.toml", "README.md", "croissant.json"}


def instructed(one: dict[str, Any], given: templates.Templates) -> dict[str, Any]:
    """A row with its instruction, by the contract alone."""
    references = [(ref["marker"], ref["text"]) for ref in one["references"]]
    slots = {slot["name"]: slot["value"] for slot in one["slots"]}
    values = templates.values_of(one["caption"], references, slots)
    drawn = given.draw(one["key"], one["split"], values)
    assert drawn is not None
    text = instructions.render(drawn.text, values).payload
    return {**one, "instruction": text, "template_id": drawn.id}


def test_the_job_file_and_the_manifest(run: Command, made: Path, tmp_path: Path) -> None:
    assert run().code == 0
    out = str(tmp_path / "out" / "natural")
    job, manifest = shards.read_job(out), shards.read_json(out, shards.MANIFEST)
    assert job is not None
    assert manifest is not None
    given = templates.read(made / "templates" / "natural.toml")
    assert job["job"] == "instruct"
    assert job["settings"]["templates"]["sha256"] == given.sha256
    assert job["settings"]["dataset"] == "natural"
    assert set(job["settings"]) == {"dataset", "examples", "records", "templates", "derived"}
    assert job["settings"]["derived"]["job"] == "natural"
    assert job["inputs"] == {"00000-000": 20, "00001-000": 0, "00002-000": 33}
    assert manifest["rows_in"] == 53
    assert manifest["rows"] == {"_rejects": 0, "natural": 53}
    assert manifest["splits"] == {"train": 45, "validation": 8}
    assert [one["splits"] for one in manifest["parts"]] == [
        {"train": 17, "validation": 3}, {}, {"train": 28, "validation": 5},
    ]  # fmt: skip
    assert manifest["reasons"] == {}


def test_the_mixture(run: Command, made: Path, tmp_path: Path) -> None:
    done = run("--total-examples", 2000)
    path = tmp_path / "out" / "mixture.toml"
    first = path.read_text()
    found = {one["dataset"]: one for one in tomllib.loads(first)["mixture"]}
    # text .20, subject .40, styled .10, transfer .10; control's .20 is spread over them
    wanted = {"natural": 0.25, "suti": 0.5, "styled": 0.125, "style_transfer": 0.125}
    assert {name: one["ratio"] for name, one in found.items()} == wanted
    assert found["natural"]["rows"] == 45
    assert found["suti"]["rows"] == 14
    table = done.out[done.out.index("mixture.toml:") :]
    assert "suti                        14  0.5000       71.4 times" in table
    assert f"depth_webli       left out: not in {made}/examples" in table
    (line,) = done.lines
    assert line.startswith("instruct: suti: replayed more than 50 times in 2,000 draws")
    # nothing is left to do, but the mixture is written anew
    path.unlink()
    again = run()
    assert "nothing to do" in again.out
    assert path.read_text() == first
    assert not again.lines
    capped = run("--total-examples", 2000, "--max-replay", 50)
    assert not capped.lines
    found = {one["dataset"]: one for one in tomllib.loads(path.read_text())["mixture"]}
    assert found["suti"]["ratio"] == 0.35
    assert found["natural"]["ratio"] == 0.325


def test_only_some(run: Command, tmp_path: Path, made: Path) -> None:
    done = run("--only", "suti, celeba")
    assert done.code == 0
    assert f"celeba            left out: not in {made}/examples" in done.out
    assert "natural           left out: not in --only" in done.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "croissant.json", "mixture.toml", "suti",
    ]  # fmt: skip
    assert run().code == 0  # the others come to it, and all are in the mixture
    mixed = tomllib.loads((tmp_path / "out" / "mixture.toml").read_text())["mixture"]
    assert [one["dataset"] for one in mixed] == list(SIZES)


def test_a_dataset_without_training_rows(tmp_path: Path, command: Command, made: Path) -> None:
    rows = {"natural": {"a": [row("natural", 1)]}, "suti": {"a": [row("suti", 7)]}}
    derived_rows.write(tmp_path / "in", rows)
    given = ("--examples", tmp_path / "in", "--templates", made / "templates")
    done = command("instruct", *given, "--output", tmp_path / "out")
    assert done.code == 0
    assert "suti              left out: no training row" in done.out
    derived_rows.write(tmp_path / "none", {"suti": {"a": [row("suti", 7)]}})
    given = ("--examples", tmp_path / "none", "--templates", made / "templates")
    refused(command("instruct", *given, "--output", tmp_path / "o2"), "no training row of any")


def test_rejects_are_told(tmp_path: Path, command: Command, made: Path) -> None:
    rows = [row("natural", number) for number in range(6)]
    rows += [row("natural", 6, caption=""), row("natural", 8, split="x")]
    derived_rows.write(tmp_path / "in", {"natural": {"a": rows[:7], "b": rows[7:]}})
    out = tmp_path / "out"
    given = ("--examples", tmp_path / "in", "--templates", made / "templates", "--output", out)
    for _ in range(2):  # also where there is nothing left to do
        done = command("instruct", *given)
        assert done.code == 3
        assert "2 of 8 rows were rejected, above --max-reject-rate 0.1" in done.lines[-1]
        assert "8 rows in, 6 rows of natural, 2 rejected (25.0%)" in done.out
        assert (out / "mixture.toml").exists()
    assert command("instruct", *given, "--max-reject-rate", 0.3).code == 0
    found = [one for part in ("a", "b") for one in rejects_of(out / "natural", part)]
    assert [(one["key"], one["reason"]) for one in found] == [
        (rows[6].key, "no_template"), (rows[7].key, "malformed"),
    ]  # fmt: skip
    manifest = json.loads((out / "natural" / shards.MANIFEST).read_text())
    assert manifest["reasons"] == {"malformed": 1, "no_template": 1}


def rejects_of(folder: Path, part: str) -> list[dict[str, Any]]:
    path = folder / "_rejects" / f"part-{part}.parquet"
    return list(pq.read_table(path).to_pylist())


def test_the_library_datasets_opens_it(run: Command, tmp_path: Path, made: Path) -> None:
    datasets = pytest.importorskip("datasets")
    assert run("--only", "suti,styled").code == 0
    files = [str(path) for path in sorted((tmp_path / "out").glob("*/*.parquet"))]
    cache = str(tmp_path / "cache")
    found = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
    assert found.num_rows == 27
    assert isinstance(found.features["image"], datasets.Image)
    plain = found.cast_column("image", datasets.Image(decode=False))
    rows = {one.key: one for name in ("suti", "styled") for part in parts_of(name).values()
            for one in part}  # fmt: skip
    for one in plain.remove_columns("references"):
        assert one["image"]["bytes"] == rows[one["key"]].image.bytes
        assert "[ref#1]" in one["instruction"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--only", "sooty"], ["--only sooty: known are natural, wikiart"]),
        (["--max-replay", "50"], ["--max-replay needs --total-examples"]),
        (["--max-replay", "0", "--total-examples", "9"], ["--max-replay 0.0: above 0"]),
        (["--max-replay", "-1", "--total-examples", "9"], ["--max-replay -1.0: above 0"]),
        (["--total-examples", "0"], ["--total-examples 0: at least 1"]),
        (["--max-reject-rate", "2"], ["--max-reject-rate 2.0: from 0 to 1"]),
        (["--template", "x"], ["unknown flag --template", "--templates"]),
        (["--only", "celeba"], ["holds none of the datasets that are wanted", "derive"]),
        (["--runner", "DaskRunner"], ["DaskRunner is refused"]),
    ],
    ids=" ".join,
)
def test_flags(run: Command, tmp_path: Path, flags: list[str], words: list[str]) -> None:
    refused(run(*flags), *words)
    assert not (tmp_path / "out").exists()


def test_templates_that_cannot_be_used(made: Path, tmp_path: Path, command: Command) -> None:
    folder = shutil.copytree(made / "templates", tmp_path / "templates")
    given = ("instruct", "--examples", made / "examples", "--output", tmp_path / "out")
    given = (*given, "--templates", folder, "--only", "natural")
    text = (folder / "natural.toml").read_text()
    (folder / "natural.toml").write_text(text.replace('reviewed_by = "test"', ""))
    refused(command(*given), "natural.toml: template natural/000: nobody reviewed it")
    (folder / "natural.toml").write_text(text.replace("text_to_image", "style_transfer"))
    refused(command(*given), 'natural.toml: task is not "text_to_image"')
    (folder / "natural.toml").unlink()
    refused(command(*given), "no templates for natural at", "leave it out by --only")
    assert not (tmp_path / "out").exists()
    (folder / "natural.toml").write_text(text)
    assert command(*given).code == 0
    (folder / "natural.toml").write_text(f"{text}\n# read again")
    refused(command(*given), "natural holds another job: --templates was", "--overwrite")
    assert command(*given, "--overwrite").code == 0


def test_the_two_kinds_of_folder_are_told_apart(
    run: Command, made: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    examples = shutil.copytree(made / "examples", tmp_path / "examples")
    before = tree(examples)
    given = ("instruct", "--templates", made / "templates", "--examples")
    same = command(*given, examples, "--output", f"{examples}/", "--overwrite")
    refused(same, "is --examples: choose another")
    refused(
        command(*given, made / "examples", "--output", examples, "--overwrite"),
        "natural was written by 'natural', not by 'instruct': choose another --output",
    )
    assert tree(examples) == before
    assert run().code == 0
    refused(
        command(*given, tmp_path / "out", "--output", tmp_path / "more"),
        "natural holds instructions already: --examples is what `instruct-imagen derive` wrote",
    )
    (examples / "natural" / shards.MANIFEST).unlink()
    refused(
        command(*given, examples, "--output", tmp_path / "more"),
        "holds no finished natural", "or leave natural out by --only",
    )  # fmt: skip
    done = command(*given, examples, "--output", tmp_path / "more", "--only", "styled")
    assert done.code == 0


def test_derive_does_not_overwrite_instructions(
    tmp_path: Path, command: Command, made: Path, tree: Tree
) -> None:
    derived_rows.write(tmp_path / "in", {"wikiart": {"a": [row("wikiart", 1)]}})
    given = ("--examples", tmp_path / "in", "--templates", made / "templates")
    assert command("instruct", *given, "--output", tmp_path / "out").code == 0
    before = tree(tmp_path / "out")
    for more in ([], ["--overwrite"]):
        done = command("art", "--art", tmp_path, "--output", tmp_path / "out", *more)
        refused(done, "out/wikiart holds instructions", "choose another --output")
    assert tree(tmp_path / "out") == before


def test_examples_that_were_derived_anew(
    made: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    rows = {name: parts_of(name) for name in ("suti", "styled")}
    given = ("instruct", "--templates", made / "templates", "--examples", tmp_path / "in")
    given = (*given, "--output", tmp_path / "out")
    derived_rows.write(tmp_path / "in", rows)
    assert command(*given).code == 0
    before = tree(tmp_path / "out" / "styled")
    rows["suti"] = {"00000-000": [row("suti", 500)] * 17}
    derived_rows.write(tmp_path / "in", rows)
    refused(command(*given), "suti holds another job: --examples was", "--overwrite")
    assert command(*given, "--only", "suti", "--overwrite").code == 0
    assert command(*given).code == 0
    assert tree(tmp_path / "out" / "styled") == before
    found = pq.read_table(tmp_path / "out" / "suti" / "part-00000-000.parquet")
    assert set(found["key"].to_pylist()) == {row("suti", 500).key}


def test_a_plan_writes_nothing(run: Command, tmp_path: Path) -> None:
    done = run("--plan")
    assert done.code == 0
    assert "instruct: 7 inputs" in done.out
    assert "Instruct" in done.out
    assert not (tmp_path / "out").exists()


def test_finish_finishes_it(run: Command, tmp_path: Path, command: Command, tree: Tree) -> None:
    assert run().code == 0
    before = tree(tmp_path / "out")
    (tmp_path / "out" / "suti" / shards.MANIFEST).unlink()
    done = command("finish", tmp_path / "out" / "suti")
    assert done.code == 0, done
    assert "17 rows of suti" in done.out
    assert tree(tmp_path / "out") == before


def test_every_dataset_has_shipped_templates(tmp_path: Path, command: Command) -> None:
    """Rows of all eleven, with the templates that come with the project."""
    rows = {name: {"a": [row(name, number) for number in range(30)]} for name in tasks.DATASETS}
    derived_rows.write(tmp_path / "in", rows)
    done = command("instruct", "--examples", tmp_path / "in", "--output", tmp_path / "out")
    assert done.code == 0, done
    assert done.out.count("0 rejected") == len(tasks.DATASETS)
    mixed = tomllib.loads((tmp_path / "out" / "mixture.toml").read_text())["mixture"]
    ratios = {one["dataset"]: one["ratio"] for one in mixed}
    assert ratios == {name: one.ratio for name, one in tasks.DATASETS.items()}
