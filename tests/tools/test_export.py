"""Exported corpora come back as the rows they were, whatever is in them."""

import dataclasses
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from helpers import instructed
from hypothesis import given
from hypothesis import strategies as st

from instruct_imagen_data import instructions, schema, shards, storage, tasks
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.instructions import InstructionError, Marker
from instruct_imagen_data.schema import Encoded, Example
from instruct_imagen_data.tools import export, finished
from instruct_imagen_data.tools.export import omnigen, placeholders, plan, rows, tars

READ = {"webdataset": tars.read, "omnigen-jsonl": omnigen.read}
Command = Callable[..., Any]
Corpus = tuple[Path, dict[str, list[Example]]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("train")
    return folder, instructed.write_all(folder)


def shard_names(output: Path, split: str) -> Iterator[str]:
    for one in json.loads((output / shards.MANIFEST).read_text())["shards"]:
        name = one["file"].rpartition(".")[0]
        if name.startswith(split):
            yield name


@pytest.mark.parametrize("to", list(READ))
def test_everything_comes_back(command: Command, tmp_path: Path, corpus: Corpus, to: str) -> None:
    source, wanted = corpus
    done = command("export", "--to", to, source, tmp_path / "out")
    assert (done.code, done.out) == (
        0,
        f"{tmp_path / 'out'}: rows 214 train, 46 validation; datasets 11; shards 22\n",
    )
    assert "260/260" in done.err  # the bar's end
    for split in ("train", "validation"):
        found = [
            READ[to](str(tmp_path / "out"), name) for name in shard_names(tmp_path / "out", split)
        ]
        rows_in_order = [row for some in wanted.values() for row in some if row.split == split]
        assert pa.concat_tables(found).equals(
            schema.table_of(Example, rows_in_order), check_metadata=True
        )


@pytest.mark.parametrize("to", list(READ))
def test_the_same_corpus_gives_the_same_bytes(
    command: Command,
    tmp_path: Path,
    corpus: Corpus,
    tree: Callable[[Path], dict[str, str]],
    to: str,
) -> None:
    for name in ("a", "b"):
        assert command("export", "--to", to, corpus[0], tmp_path / name).code == 0
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_what_a_tar_holds(command: Command, tmp_path: Path, corpus: Corpus) -> None:
    source, wanted = corpus
    assert (
        command("export", "--to", "webdataset", source / "edge_webli", tmp_path / "out").code == 0
    )
    assert [path.name for path in sorted((tmp_path / "out").rglob("*.tar"))] == 2 * [
        "edge_webli-00000.tar"
    ]
    with tarfile.open(tmp_path / "out" / "train" / "edge_webli-00000.tar") as tar:
        members = tar.getmembers()
        row = wanted["edge_webli"][0]
        assert [one.name.removeprefix(row.key) for one in members[:6]] == [
            ".jpg", ".json", ".ref1.jpg", ".ref1.variant1.png", ".ref1.variant2.png",
            ".ref1.variant3.png",
        ]  # fmt: skip
        assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in members} == {
            (0, 0, 0, "", 0o644)
        }
        by_key: dict[str, list[str]] = {}
        for one in members:
            by_key.setdefault(one.name.split(".")[0], []).append(one.name)
        assert list(by_key) == [one.key for one in wanted["edge_webli"] if one.split == "train"]
        assert all(names == sorted(names) for names in by_key.values())
        told = json.loads(tar.extractfile(f"{row.key}.json").read())  # type: ignore[union-attr]
    assert told.keys() == {field.name for field in dataclasses.fields(Example)}
    assert told["instruction"] == row.instruction
    (reference,) = told["references"]
    assert reference["marker"] == 1
    assert (reference["role"], reference["text"]) == ("edge", row.references[0].text)
    assert reference["aligned"] is True
    assert reference["image"]["file"] == f"{row.key}.ref1.jpg"
    assert [one["name"] for one in reference["variants"]] == ["depth", "mask", "odd/name"]


def their_reader(line: dict[str, Any], images: Path) -> tuple[list[str], list[bytes]]:
    """What OmniGen's loader makes of a line: literal texts, and the pictures between them."""
    tags = [int(one) for one in re.findall(r"<\|image_(\d+)\|>", line["instruction"])]
    unique = sorted(set(tags))
    assert unique == list(range(1, len(unique) + 1))
    assert len(unique) == len(line["input_images"])
    files = [(images / one).read_bytes() for one in line["input_images"]]
    texts = re.split(r"<img><\|image_\d+\|></img>", line["instruction"])
    assert not any(re.search(r"<\|image|</?img>|<cfg>|<\|end\|>", text) for text in texts)
    return texts, [files[tag - 1] for tag in tags]


def test_omnigen_reads_its_lines(command: Command, tmp_path: Path, corpus: Corpus) -> None:
    source, wanted = corpus
    out = tmp_path / "out"
    assert command("export", "--to", "omnigen-jsonl", source, out).code == 0
    files = sorted(map(str, out.rglob("*.jsonl")), key=lambda one: "natural" in one)
    found = datasets.load_dataset(  # as their trainer does, all files at once
        "json", data_files=files, cache_dir=str(tmp_path / "cache")
    )["train"]
    rows_by_key = {row.key: row for some in wanted.values() for row in some}
    assert len(found) == len(rows_by_key) == 260
    for line in found:
        row = rows_by_key[json.loads(line["example"])["key"]]
        assert line["task_type"] == row.task
        assert (out / line["output_image"]).read_bytes() == row.image.bytes
        texts, pictures = their_reader(line, out)
        cited = instructions.markers(row.instruction)
        assert pictures == [
            one.image.bytes for marker in cited for one in row.references if one.marker == marker
        ]
        literal = "".join(
            one for one in instructions.parse(row.instruction) if isinstance(one, str)
        )
        assert "".join(texts).replace("<|", "<") == literal


NASTY = st.lists(
    st.sampled_from(["<", "|", "img>", "/img>", "<img>", "<|image_1|>", "<cfg>", "[ref#1]", "<|"])
    | st.text(max_size=3),
    max_size=8,
).map("".join)


@given(NASTY, st.lists(st.tuples(st.integers(1, 3), NASTY), max_size=5), st.integers(1, 3))
def test_placeholders_are_those_of_the_markers(
    head: str, cited: list[tuple[int, str]], pictures: int
) -> None:
    stored = instructions.compose([head, *(one for k, text in cited for one in (Marker(k), text))])
    markers = [k for k in sorted({k for k, _ in cited}) for _ in range(pictures)]
    written = placeholders.write(stored, markers)
    assert placeholders.read(written, markers) == stored
    found = [int(one) for one in re.findall(r"<\|image_(\d+)\|>", written)]
    assert found == [n for k, _ in cited for n, one in enumerate(markers, 1) if one == k]
    assert len(found) == written.count("<img>") == written.count("</img>")
    assert "<cfg>" not in written


def test_placeholders_that_make_no_sense() -> None:
    with pytest.raises(InstructionError, match=r"cites \[1\], its pictures are \[\]"):
        placeholders.write("see [ref#1]", [])
    with pytest.raises(InstructionError, match="there is no picture 2"):
        placeholders.read("<img><|image_2|></img>", [1])
    for text in ("<img><|image_2|></img>", "<img><|image_1|></img> <img><|image_2|></img>"):
        with pytest.raises(InstructionError, match="is not where its marker needs it"):
            placeholders.read(text, [1, 1])


@pytest.mark.parametrize("to", list(READ))
def test_a_killed_export_goes_on_after_the_last_whole_shard(
    command: Command,
    tmp_path: Path,
    corpus: Corpus,
    tree: Callable[[Path], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    to: str,
) -> None:
    source, _ = corpus
    assert command("export", "--to", to, source, tmp_path / "whole").code == 0
    form = export.FORMATS[to]
    written: list[str] = []

    def dies_in_the_third(output: str, name: str, given: Iterator[rows.Row]) -> None:
        written.append(name)

        def some() -> Iterator[rows.Row]:
            yield next(given)
            raise KeyboardInterrupt

        form.write(output, name, some() if len(written) == 3 else given)

    patched = {to: dataclasses.replace(form, write=dies_in_the_third)}
    with monkeypatch.context() as patch:
        patch.setattr(export, "FORMATS", patched)
        with pytest.raises(KeyboardInterrupt):
            command("export", "--to", to, source, tmp_path / "killed")
    there = {path.name for path in (tmp_path / "killed").glob(f"*/*{form.suffix}")}
    assert there == {name.split("/")[1] + form.suffix for name in written[:2]}
    assert not (tmp_path / "killed" / shards.MANIFEST).exists()

    def counts(output: str, name: str, given: Iterator[rows.Row]) -> None:
        written.append(name)
        form.write(output, name, given)

    monkeypatch.setattr(export, "FORMATS", {to: dataclasses.replace(form, write=counts)})
    assert command("export", "--to", to, source, tmp_path / "killed").code == 0
    assert len(written) == 3 + 22 - 2  # the two that were whole are not made again
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_shards_are_bounded_and_hold_each_row_once(corpus: Corpus) -> None:
    source, wanted = corpus
    (natural,) = finished.open_examples(str(source / "natural"))
    limit = 40_000
    planned = plan.shards_of(natural, limit)
    groups = 3  # of 100, 27 and 3 rows
    assert [len(one.groups) for one in planned if one.split == "train"] != [groups]
    for split in plan.SPLITS:
        mine = [one for one in planned if one.split == split]
        assert [one.number for one in mine] == list(range(len(mine)))
        found = [row["key"] for one in mine for row in plan.rows_of(one)]
        assert found == [row.key for row in wanted["natural"] if row.split == split]
    for one in planned:
        size = sum(len(row["image"]["bytes"]) for row in plan.rows_of(one))
        assert size <= limit or len(one.groups) == 1
        assert one.rows == len(list(plan.rows_of(one)))


def test_parts_without_rows(command: Command, tmp_path: Path) -> None:
    rows = [instructed.example("suti", number) for number in range(4)]
    instructed.write(tmp_path / "train", "suti", [[], rows, []])
    for to, read in READ.items():
        done = command("export", "--to", to, tmp_path / "train", tmp_path / to)
        assert (done.code, done.out) == (
            0,
            f"{tmp_path / to}: rows 4 train; datasets 1; shards 1\n",
        )
        found = read(str(tmp_path / to), "train/suti-00000")
        assert found.equals(schema.table_of(Example, rows))


def test_wrong_use(command: Command, tmp_path: Path, corpus: Corpus) -> None:
    source, _ = corpus
    derived = [instructed.derived("natural", number) for number in range(3)]
    instructed.write(tmp_path / "derived", "natural", [derived])
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "folder").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    unfinished = tmp_path / "unfinished"
    instructed.write(unfinished, "natural", [[instructed.example("natural", 0)]])
    instructed.write(unfinished, "suti", [[instructed.example("suti", 0)]])
    (unfinished / "suti" / shards.MANIFEST).unlink()
    for arguments, line in [
        (("tar", source, tmp_path / "o"), "--to tar: known are webdataset, omnigen-jsonl"),
        (("webdataset", tmp_path / "derived", tmp_path / "o"), "has no instructions yet: run"),
        (("webdataset", tmp_path / "empty", tmp_path / "o"), "holds no finished dataset"),
        (("webdataset", tmp_path / "none", tmp_path / "o"), "holds no finished dataset"),
        (("webdataset", tmp_path / "file", tmp_path / "o"), "file is a file: name the directory"),
        (("webdataset", source, tmp_path / "file"), "file is a file: name a folder"),
        (("webdataset", source, source), "is the source, too"),
        (("webdataset", source, tmp_path / "full"), "holds something else"),
        (("webdataset", unfinished, tmp_path / "o"), "suti is not finished"),
    ]:
        done = command("export", "--to", *arguments)
        assert (done.code, len(done.lines)) == (2, 1), arguments
        assert line in done.err
    assert not (tmp_path / "o").exists()


def test_an_output_of_other_rows_is_refused(
    command: Command, tmp_path: Path, corpus: Corpus
) -> None:
    assert command("export", "--to", "webdataset", corpus[0] / "suti", tmp_path / "out").code == 0
    for to, source in (("omnigen-jsonl", "suti"), ("webdataset", "celeba")):
        done = command("export", "--to", to, corpus[0] / source, tmp_path / "out")
        assert done.code == 2
        assert "was filled from other rows or with another --to" in done.err


def test_rows_that_no_format_can_hold(command: Command, tmp_path: Path) -> None:
    row = instructed.example("natural", 0)
    for number, (odd, message) in enumerate(
        [
            (dataclasses.replace(row, key="../../evil"), r"key '../../evil' can be no file name"),
            (dataclasses.replace(row, image=Encoded(b"GIF89a", "")), "no JPEG, PNG or WebP"),
            (dataclasses.replace(row, split="test"), "split 'test'; known are train, validation"),
        ]
    ):
        instructed.write(tmp_path / f"{number}", "natural", [[odd]])
        done = command("export", "--to", "omnigen-jsonl", tmp_path / f"{number}", tmp_path / "out")
        assert done.code == 2
        assert message in done.err
        storage.delete(str(tmp_path / "out"))


def test_a_picture_that_got_lost(command: Command, tmp_path: Path, corpus: Corpus) -> None:
    out = tmp_path / "out"
    assert command("export", "--to", "webdataset", corpus[0] / "suti", out).code == 0
    place = out / "train" / "suti-00000.tar"
    with tarfile.open(place) as whole:
        kept = [(one, whole.extractfile(one).read()) for one in whole.getmembers()[1:]]  # type: ignore[union-attr]
    with tarfile.open(place, "w") as tar:
        for member, data in kept:
            tar.addfile(member, io.BytesIO(data))
    with pytest.raises(UsageError, match="holds no member"):
        tars.read(str(out), "train/suti-00000")


@pytest.mark.parametrize("dataset", tasks.DATASETS)
def test_real_shapes(dataset: str, corpus: Corpus) -> None:
    """The made rows are what the tests need: of every shape that a dataset may have."""
    found = corpus[1][dataset]
    assert {one.split for one in found} == {"train", "validation"}
    for one in found:
        wanted = {reference.marker for reference in one.references}
        assert set(instructions.markers(one.instruction)) == wanted
