"""The datasets of stage 2 in the report: counts, checks, and galleries that show what they say."""

import base64
import hashlib
import io
import itertools
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from instruct_imagen_data import cli, keys, schema, shards, tasks
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Check, Derived, Encoded, Reference, RejectRow
from instruct_imagen_data.stages import derived
from instruct_imagen_data.stages.finish import finish_dataset
from instruct_imagen_data.tools import finished
from instruct_imagen_data.tools.report import examples, page

ROWS = 23  # of a dataset, in two parts
HOSTILE = '<script>alert("1")</script>'
LOST = {"verdict": 2, "no_object": 5, "check": 5}


def picture(number: int, kind: str = "JPEG") -> bytes:
    """A picture of one colour, which tells its number."""
    sink = io.BytesIO()
    PIL.Image.new("RGB", (60, 40), (number % 256, 10 * number % 256, 77)).save(sink, kind)
    return sink.getvalue()


def checks_of(dataset: str, number: int) -> tuple[Check, ...]:
    """Two checks of which now one, now the other is worse."""
    first, second = (keys.unit(f"{dataset}/{number}", name) for name in ("a", "b"))
    return Check("edge_f1", first), Check("style_similarity", second)


def row(dataset: str, number: int) -> Derived:
    task = tasks.TASKS[tasks.DATASETS[dataset].task]
    count = 5 if task.references in (("subject",), ("face",)) else 1
    references = [
        Reference(marker, role, f"{role} text", Encoded(picture(marker + one), "r.jpg"), False, ())
        for marker, role in enumerate(task.references, 1)
        for one in range(count)
    ]
    key = keys.derived_key(dataset, (f"{number}",))
    caption = f"{HOSTILE} number {number}" if task.captioned else ""
    return Derived(
        key, task.name, dataset, caption, Encoded(picture(number), "t.jpg"), 60, 40,
        tuple(references), (), checks_of(dataset, number), "CC0", (f"{number}",), "train",
    )  # fmt: skip


def write(folder: Path, dataset: str, rows: int = ROWS) -> Path:
    """A finished dataset."""
    reasons = [reason for reason, count in LOST.items() for _ in range(count)] if rows else []
    rejects = [
        RejectRow(f"{number:03d}", f"o#{number}", "", "test", reason, "", "", "", None, None)
        for number, reason in enumerate(reasons)
    ]
    split = {
        "a-000": (range(rows // 2), rejects[:4]),
        "a-001": (range(rows // 2, rows), rejects[4:]),
    }
    inputs = {part: len(some) for part, (some, _) in split.items()}
    job = {"job": "test", "settings": {"dataset": dataset}, "inputs": inputs, "paths": {}}
    shards.write_json(str(folder / dataset), shards.JOB, job)
    for part, (numbers, lost) in split.items():
        made = derived.made([row(dataset, number) for number in numbers], lost)
        block = derived.DerivedBlock(part, len(numbers) + len(lost), {dataset: made})
        derived.commit(block, str(folder))
    finish_dataset(str(folder / dataset), "test", dataset)
    return folder / dataset


@pytest.fixture(scope="module")
def all_eleven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    for dataset in tasks.DATASETS:
        write(folder, dataset)
    return folder


def shown_pictures(source: str) -> np.ndarray:
    data = base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"), float)


def test_all_datasets_are_found_in_one_folder(web, all_eleven: Path) -> None:
    for given in (all_eleven, f"{all_eleven}/"):
        jobs = finished.open_jobs([*web.folders, str(given)])
        assert sorted(one.dataset for one in jobs.examples) == sorted(tasks.DATASETS)
    names = [one.name for one in examples.galleries(jobs.examples)]
    assert names == list(tasks.DATASETS)  # Table 1's order


@pytest.mark.parametrize("dataset", ["natural", "suti", "style_transfer", "edge_webli"])
def test_a_gallery(all_eleven: Path, dataset: str) -> None:
    (one,) = finished._examples(str(all_eleven / dataset))
    found = examples.gallery(one)
    assert (found.name, found.rows) == (dataset, ROWS)
    assert found.ratio == tasks.DATASETS[dataset].ratio
    assert found.lost == [("check", 5), ("no_object", 5), ("verdict", 2)]
    rows = {row(dataset, number).key: number for number in range(ROWS)}
    # Drawn by a hash of the key.
    ordered = sorted(rows, key=lambda key: hashlib.sha256(f"report{key}".encode()).digest())
    assert [one.key for one in found.drawn] == ordered[:6]
    worst = {key: min(check.value for check in checks_of(dataset, n)) for key, n in rows.items()}
    assert [one.key for one in found.worst] == sorted(ordered[6:], key=worst.__getitem__)[:3]
    for spread, place in zip(found.spreads, (0, 1), strict=True):
        values = sorted(checks_of(dataset, number)[place].value for number in range(ROWS))
        assert spread.name == ("edge f1", "style similarity")[place]
        assert spread.middle == pytest.approx(values[ROWS // 2], abs=1e-6)
        assert values[1] < spread.low < spread.middle < spread.high < values[-2]
    for shown in (*found.drawn, *found.worst):
        number = rows[shown.key]
        whole = row(dataset, number)
        assert shown.caption == whole.caption
        told = [(check.name.replace("_", " "), check.value) for check in whole.checks]
        assert [(name, pytest.approx(value, abs=1e-6)) for name, value in shown.checks] == told
        assert len(shown.references) == min(3, len(whole.references))
        assert shown.more == len(whole.references) - len(shown.references)
        for picture_shown, encoded in zip(
            (*shown.references, shown.target),
            (*(one.image for one in whole.references[:3]), whole.image),
            strict=True,
        ):
            original = PIL.Image.open(io.BytesIO(encoded.bytes)).convert("RGB")
            seen = shown_pictures(picture_shown.source)
            assert seen.shape == (picture_shown.height, picture_shown.width, 3)
            wanted = np.asarray(original, float).mean((0, 1))
            assert np.abs(seen.mean((0, 1)) - wanted).max() < 6
        titles = [one.title for one in shown.references]
        prefix = {"style": "style: "}
        assert titles == [f"{prefix.get(one.role, '')}{one.text}" for one in whole.references[:3]]


def test_the_page_shows_them(web, all_eleven: Path) -> None:
    folders = [*web.folders, str(all_eleven)]
    html = page.render(finished.open_jobs(folders), [])
    assert html == page.render(finished.open_jobs(folders[::-1]), [])
    headings = re.findall(r'<h3 id="dataset-(\w+)">', html)
    assert headings == list(tasks.DATASETS)
    blocks = re.split(r'<h3 id="dataset-', html)[1:]
    for dataset, block in zip(tasks.DATASETS, blocks, strict=True):
        assert f"{ROWS} examples" in block
        assert "Rejected: check 5, no object 5, verdict 2." in block
        assert block.count('class="example"') == 9
        task = tasks.TASKS[tasks.DATASETS[dataset].task]
        per_row = 3 if task.references in (("subject",), ("face",)) else len(task.references)
        assert block.count('<figure class="reference"') == 9 * per_row
        assert block.count('<figure class="target"') == 9
        assert ("+2" in block) == (per_row == 3)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_without_datasets_the_page_is_as_before(web, all_eleven: Path) -> None:
    plain = page.render(finished.open_jobs(web.folders), [])
    assert 'id="examples"' not in plain
    assert "dataset-" not in plain
    whole = page.render(finished.open_jobs([*web.folders, str(all_eleven / "natural")]), [])
    section = re.search(r'<section id="examples">.*?</section>\n', whole, re.DOTALL)
    assert section
    without = whole.replace(section[0], "").replace('<a href="#examples">Examples</a>', "")
    squeezed = ["".join(text.split()) for text in (without, plain)]
    assert squeezed[0] == squeezed[1]


def test_few_rows_or_none(tmp_path: Path) -> None:
    for dataset, rows in (("natural", 0), ("suti", 1), ("wikiart", 7)):
        (one,) = finished._examples(str(write(tmp_path, dataset, rows)))
        found = examples.gallery(one)
        assert found.rows == rows
        assert len(found.drawn) == min(6, rows)
        assert len(found.worst) == max(0, min(3, rows - 6))
        assert len(found.spreads) == (2 if rows else 0)


def test_a_renamed_folder(all_eleven: Path, tmp_path: Path) -> None:
    """The dataset's name is in its manifest: its folder may have another."""
    shutil.copytree(all_eleven / "suti", tmp_path / "my-subjects")
    (one,) = finished._examples(str(tmp_path / "my-subjects"))
    (same,) = finished._examples(str(all_eleven / "suti"))
    assert one.dataset == "suti"
    assert examples.gallery(one) == examples.gallery(same)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["{corpus}", "{all}", "{all}/suti"], ["are both the dataset suti", "give one of each"]),
        (["{corpus}", "{all}/suti", "{all}/suti/"], ["are both the dataset suti"]),
        (["{all}"], ["is a corpus"]),
        (["{corpus}", "{unfinished}"], ["has no _MANIFEST.json"]),
        (["{corpus}", "{other}"], ["was written by 'elsewhere'"]),
    ],
)
def test_wrong_use(
    web, all_eleven: Path, tmp_path: Path, capsys, given: list[str], told: list[str]
) -> None:
    unfinished = write(tmp_path, "natural", 1)
    (unfinished / shards.MANIFEST).unlink()
    (tmp_path / "other").mkdir()
    text = json.dumps({"job": "elsewhere", "dataset": "unheard_of"})
    (tmp_path / "other" / shards.MANIFEST).write_text(text)
    places: Mapping[str, object] = {
        "corpus": web.corpus, "all": all_eleven, "unfinished": unfinished,
        "other": tmp_path / "other",
    }  # fmt: skip
    filled = [text.format(**places) for text in given]
    for several in itertools.islice(itertools.permutations(filled), 2):
        assert cli.main(["report", *several, "--output", str(tmp_path / "r.html")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        for words in told:
            assert words in error
    assert not (tmp_path / "r.html").exists()


def test_a_damaged_part_is_told(web, tmp_path: Path) -> None:
    folder = write(tmp_path, "natural", 4)
    part = folder / "part-a-001.parquet"
    part.write_bytes(part.read_bytes()[:100])
    jobs = finished.open_jobs([web.corpus, str(folder)])
    with pytest.raises(UsageError, match=r"part-a-001\.parquet"):
        page.render(jobs, [])


def test_the_record_is_what_is_written(all_eleven: Path) -> None:
    """What the tests wrote is read back as schema.Derived."""
    table = shards.read_part(str(all_eleven), "suti", "a-000", Derived)
    assert table.schema.names == schema.schema_of(Derived).names
    assert table.num_rows == ROWS // 2
