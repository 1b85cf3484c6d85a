"""The card and the Croissant metadata say what is on disk, and the tools that read them can."""

import hashlib
import io
import json
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instruct_imagen_data import card, mixture, schema, shards
from instruct_imagen_data.card.write import CROISSANT, README
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Check, Encoded, Example, Reference, Slot

HOSTILE = "CC-BY |4.0 <script>[x](y)"


def picture(seed: int) -> bytes:
    sink = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(sink, "JPEG")
    return sink.getvalue()


def example(number: int, dataset: str, task: str, references: int, split: str) -> Example:
    return Example(
        key=hashlib.sha256(f"{dataset}{number}".encode()).hexdigest(), task=task, dataset=dataset,
        instruction="Show [ref#1] cat" if references else "Show it", template_id=f"{dataset}/001",
        caption="a cat", image=Encoded(picture(number), f"{number}.jpg"), width=32, height=24,
        references=tuple(
            Reference(1, "subject", "cat", Encoded(picture(9 + n), f"{n}.jpg"), False, ())
            for n in range(references)
        ),
        slots=(Slot("style", "ink"),), checks=(Check("caption_similarity", 0.5),),
        licence=HOSTILE if number else "CC0-1.0", sources=("a", "b"), split=split,
    )  # fmt: skip


def write_dataset(folder: Path, name: str, rows: list[Example]) -> None:
    sha256 = shards.write_part(str(folder), name, "00000", schema.table_of(Example, rows))
    splits = dict(Counter(row.split for row in rows))
    manifest = {
        "job": "instruct", "dataset": name, "rows_in": len(rows) + 2,
        "rows": {name: len(rows), "_rejects": 2}, "splits": splits, "reasons": {"no_template": 2},
        "parts": [{"part": "00000", "rows": {name: len(rows)}, "sha256": {name: sha256}}],
    }  # fmt: skip
    weights = {"set": "0" * 64, "image_text": "ab" * 32}
    made = {"models": "embedded", "size": 256, "weights": weights}
    derived = {"job": "subject", "settings": made}
    used = {
        "sha256": "cd" * 32, "count": 100, "generators": ["a hand"],
        "reviewers": ["another hand (person)"],
    }  # fmt: skip
    job = {
        "job": "instruct",
        "settings": {"derived": derived, "templates": used},
        "inputs": {},
        "paths": {},
    }
    (folder / name / shards.MANIFEST).write_text(json.dumps(manifest))
    (folder / name / shards.JOB).write_text(json.dumps(job))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "train"
    natural = [example(n, "natural", "text_to_image", 0, "train") for n in range(3)]
    write_dataset(folder, "natural", natural)
    suti = [example(0, "suti", "subject_to_image", 2, "train")]
    suti.append(example(1, "suti", "subject_to_image", 3, "validation"))
    write_dataset(folder, "suti", suti)
    mixed = mixture.of_rows({"natural": 3, "suti": 1})
    (folder / mixture.FILE).write_text(mixture.write(mixed))
    return folder


def test_the_card_says_what_is_there(corpus: Path) -> None:
    card.write(str(corpus))
    text = (corpus / README).read_text()
    assert "5 examples of 2 datasets" in text
    assert "| natural | text_to_image | 3 | 0 |" in text
    assert "| suti | subject_to_image | 1 | 1 |" in text
    assert "| suti | subject | 256 | image_text abababababab | no_template 2 |" in text
    assert "| suti | 100 | a hand | another hand (person) | cdcdcdcdcdcd |" in text
    assert "| natural | CC0-1.0 | 1 |" in text
    assert "| natural | CC-BY \\|4.0 \\<script\\>\\[x\\](y) | 2 |" in text


def test_the_same_corpus_gives_the_same_bytes(corpus: Path) -> None:
    card.write(str(corpus))
    first = [(corpus / name).read_bytes() for name in (README, CROISSANT)]
    card.write(str(corpus))
    assert [(corpus / name).read_bytes() for name in (README, CROISSANT)] == first


def test_the_hubs_own_reader_takes_the_header(corpus: Path) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    card.write(str(corpus))
    found = huggingface_hub.DatasetCard.load(corpus / README)
    assert [one["config_name"] for one in found.data.configs] == ["natural", "suti"]
    assert found.data.size_categories == ["n<1K"]


def test_datasets_opens_the_folder_by_its_card(corpus: Path) -> None:
    datasets = pytest.importorskip("datasets")
    card.write(str(corpus))
    rows = datasets.load_dataset(
        str(corpus), "suti", split="train", cache_dir=str(corpus / "cache")
    )
    assert rows.num_rows == 2
    assert rows[0]["image"].size == (32, 24)
    assert [one["image"].size for one in rows[1]["references"]] == [(32, 24)] * 3


def test_croissant_is_valid_and_reads_every_field(corpus: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports
        mlcroissant = pytest.importorskip("mlcroissant")
        card.write(str(corpus))
        found = mlcroissant.Dataset(str(corpus / CROISSANT))
        assert not found.metadata.ctx.issues.errors
        rows = list(found.records("suti"))
    assert len(rows) == 2
    assert rows[0]["suti/instruction"] == b"Show [ref#1] cat"
    assert rows[0]["suti/image"].size == (32, 24)
    assert [one["suti/references/image"].size for one in rows[1]["suti/references"]] == [
        (32, 24)
    ] * 3
    assert [one["suti/references/marker"] for one in rows[1]["suti/references"]] == [1, 1, 1]
    names = {field.name for field in schema.schema_of(Example)}
    assert {name.split("/")[1] for name in rows[0]} == names
    hashes = {
        one["@id"]: one.get("sha256")
        for one in json.loads((corpus / CROISSANT).read_text())["distribution"]
    }
    part = "suti/part-00000.parquet"
    assert hashes[part] == hashlib.sha256((corpus / part).read_bytes()).hexdigest()


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished dataset of instructions: run instruct"):
        card.write(str(tmp_path))
