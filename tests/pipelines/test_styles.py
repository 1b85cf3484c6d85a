"""Style transfer and styled generation: which pairs there are, and what is made of them."""

import io
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import PIL.Image
import pytest

from instruct_imagen_data import keys, licences, shards
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.sources import paintings

Command = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
Tree = Callable[[Path], dict[str, str]]
BOTH = pytest.mark.parametrize("dataset", ["style_transfer", "styled"])
PAINTED = "Bold_Cutout"  # the style of the unreadable ones
PER_STYLE = 4  # of the run that the fixture `examples` is; so many for styled, too
UNREADABLE = {"no-one_half.jpg": "truncated", "no-one_text.jpg": "not_an_image",
              "no-one_gone,-away.jpg": "empty_image"}  # fmt: skip


@pytest.fixture(scope="module")
def contents(finished_corpus: Path, finished_neighbourhoods: Path) -> dict[str, dict[str, Any]]:
    """Key to caption, licence, split and picture of the kept rows of the corpus, by key."""
    found = duckdb.sql(
        "SELECT i.key, i.caption, i.licence, v.split, i.image.bytes AS image"
        f" FROM '{finished_corpus}/images/*.parquet' i"
        f" JOIN '{finished_neighbourhoods}/verdicts/*.parquet' v USING (key, origin)"
        " WHERE v.kept ORDER BY i.key"
    )
    names = found.columns
    return {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}


@pytest.fixture(scope="module")
def styles(small_sets: Path) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Key of a painting to its path, split and facts."""
    folder = small_sets / "paintings"
    found = {}
    for group in paintings.read(str(folder)).groups:
        path = folder / group.name
        data = path.read_bytes() if path.exists() else b""
        key = keys.pair_key(f"file:{group.name}", "", data)
        found[key] = (group.name, group.split, dict(group.facts))
    return found


def picture(encoded: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(encoded)).convert("RGB"))


def drawn(name: str, split: str, contents: dict[str, dict[str, Any]], dataset: str) -> list[str]:
    """Keys of the contents of a style, as DESIGN has it: drawn by hash out of all, by key."""
    known = [key for key, row in contents.items() if row["split"] == split]
    numbers: list[int] = []
    for turn in range(4 * PER_STYLE):
        number = keys.draw64(name, f"{dataset}/{turn}") % len(known) if known else 0
        if known and number not in numbers and len(numbers) < PER_STYLE:
            numbers.append(number)
    return known if len(known) <= PER_STYLE else [known[number] for number in numbers]


@BOTH
def test_every_pair_is_a_row_or_a_reject(
    dataset: str, examples: Any, contents: Any, styles: Any, rows_of: Rows
) -> None:
    wanted = {
        keys.derived_key(dataset, (content, style)): (content, style)
        for style, (name, split, _) in styles.items()
        for content in drawn(name, split, contents, dataset)
    }
    assert max(Counter(style for _, style in wanted.values()).values()) == PER_STYLE
    rows = {row["key"]: row for row in rows_of(examples.folder / dataset)}
    rejects = {row["key"]: row for row in rows_of(examples.folder / dataset, shards.REJECTS)}
    assert rows.keys() | rejects.keys() == wanted.keys()
    assert not rows.keys() & rejects.keys()
    assert {key: tuple(row["sources"]) for key, row in rows.items()} == {
        key: wanted[key] for key in rows
    }
    verb = dataset.replace("_", "-")
    manifest = shards.require_finished(str(examples.folder / dataset), verb)
    assert manifest["rows_in"] == len(wanted)
    assert manifest["rows"] == {dataset: len(rows), "_rejects": len(rejects)}


@BOTH
def test_the_best_of_each_style_are_kept(
    dataset: str, examples: Any, styles: Any, rows_of: Rows
) -> None:
    """Half of each style's results for styled, all for transfer; a style that cannot be read."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    unreadable: Counter[str] = Counter()
    for row in rows_of(examples.folder / dataset, shards.REJECTS):
        if row["reason"] in ("style_rank", "copy", "caption"):
            reasons[row["detail"]][row["reason"]] += 1  # which style it is
        else:
            unreadable[row["reason"]] += 1
            assert row["detail"].startswith(f"{PAINTED}/no-one_")  # which one cannot be read
    per_style = Counter(row["sources"][1] for row in rows_of(examples.folder / dataset))
    for key, (name, split, _) in styles.items():
        if split == "validation" or name.split("/")[1] in UNREADABLE:
            continue
        counted = reasons[name]
        if dataset == "styled":
            assert counted["style_rank"] == PER_STYLE // 2
        assert per_style[key] + counted.total() == PER_STYLE


@BOTH
def test_what_every_row_is(
    dataset: str, examples: Any, contents: Any, styles: Any, small_sets: Path, rows_of: Rows
) -> None:
    rows = rows_of(examples.folder / dataset)
    assert rows
    for row in rows:
        content, style = row["sources"]
        name, split, facts = styles[style]
        assert row["split"] == split == contents[content]["split"]
        assert row["caption"] == (contents[content]["caption"] if dataset == "styled" else "")
        assert row["task"] == {"styled": "styled_generation"}.get(dataset, dataset)
        assert row["licence"] == keys.join_licences(
            [contents[content]["licence"], "Public domain", "Apache-2.0"]
        )
        assert row["slots"] == [
            {"name": "style", "value": facts["style"]},
            {"name": "artist", "value": facts["artist"]},
        ]
        told = [(one["marker"], one["role"], one["text"], one["aligned"])
                for one in row["references"]]  # fmt: skip
        assert told[0] == (1, "style", facts["style"], False)
        assert told[1:] == ([] if dataset == "styled" else [(2, "content", "content image", True)])
        target = picture(row["image"]["bytes"])
        assert target.shape == (row["height"], row["width"], 3)
        original = PIL.Image.open(io.BytesIO(contents[content]["image"])).convert("RGB")
        assert abs(row["width"] / row["height"] - original.width / original.height) < 0.03
        assert min(target.shape[:2]) == min(96, *original.size)
        resized = original.resize((row["width"], row["height"]), PIL.Image.Resampling.BOX)
        before = np.asarray(resized, float)
        if dataset == "style_transfer":
            shown = picture(row["references"][1]["image"]["bytes"])
            assert np.abs(shown - before).mean() < 8
        assert np.abs(target - before).mean() > 8  # it is another picture
        painted = picture((small_sets / "paintings" / name).read_bytes())
        shown = PIL.Image.open(io.BytesIO(row["references"][0]["image"]["bytes"]))
        assert abs(shown.width / shown.height - painted.shape[1] / painted.shape[0]) < 0.03


@BOTH
def test_checks_are_what_the_networks_say(
    dataset: str, examples: Any, contents: Any, rows_of: Rows
) -> None:
    """Measured again of the stored pictures, all at once."""
    models = model_set.load_set("embedded")
    clip = model_set.load_role(models, "image_text", "fp32", "cpu")
    rows = rows_of(examples.folder / dataset)

    def vectors(encoded: list[bytes]) -> np.ndarray:
        found: np.ndarray = clip.images([clip.prepare(picture(one)) for one in encoded])
        return found

    target = vectors([row["image"]["bytes"] for row in rows])
    style = vectors([row["references"][0]["image"]["bytes"] for row in rows])
    if dataset == "styled":
        name, other = "caption_similarity", clip.texts([row["caption"] for row in rows])
    else:
        name = "content_similarity"
        other = vectors([row["references"][1]["image"]["bytes"] for row in rows])
    for row, near, like in zip(rows, (target * style).sum(1), (target * other).sum(1), strict=True):
        checks = {check["name"]: check["value"] for check in row["checks"]}
        assert checks == {
            "style_similarity": pytest.approx(max(0, near), abs=1e-4),
            name: pytest.approx(max(0, like), abs=1e-4),
        }
        assert near < models.filters.copy
        if dataset == "styled":
            assert like >= models.filters.caption
    for row in rows_of(examples.folder / dataset, shards.REJECTS):
        if row["reason"] == "caption":
            assert row["value"] < row["threshold"] == pytest.approx(models.filters.caption)
        elif row["reason"] == "copy":
            assert row["value"] >= row["threshold"] == pytest.approx(models.filters.copy)


def test_what_is_lost_is_made_again(
    examples: Any, tmp_path: Path, command: Command, tree: Tree
) -> None:
    """A part's files, or the pairs' runs too: the same bytes, and nothing else is touched."""
    out = tmp_path / "out"
    shutil.copytree(examples.folder / "style_transfer", out / "style_transfer")
    folder = out / "style_transfer"
    whole = tree(folder)
    given = ("derive", *examples.flags, "--output", out, "--only", "style_transfer")
    parts = shards.list_parts(str(folder), shards.REJECTS)
    assert len(parts) > 2
    for lost in ("", "_phases"):
        (folder / shards.MANIFEST).unlink()
        (folder / shards.REJECTS / f"part-{parts[1]}.parquet").unlink()
        (folder / f"part-{parts[1]}.parquet").unlink()
        if lost:
            shutil.rmtree(folder / lost)
        kept = {path: path.stat() for path in folder.glob("*.parquet")}
        assert command(*given).code == 0
        assert tree(folder) == whole
        assert {path: path.stat() for path in kept} == kept


def test_threads(examples: Any, tmp_path: Path, command: Command, tree: Tree) -> None:
    flags = [flag for flag in examples.flags if not flag.startswith("--direct")]
    only = ("--only", "wikiart,suti,styled", "--direct_num_workers=2")
    assert command("derive", *flags, "--output", tmp_path, *only).code == 0
    for dataset in ("wikiart", "suti", "styled"):
        assert tree(tmp_path / dataset) == tree(examples.folder / dataset)


@pytest.fixture
def few(small_sets: Path, tmp_path: Path) -> Path:
    """Two paintings in a folder of their own."""
    for path in sorted((small_sets / "paintings").rglob("*_*.jpg"))[:2]:
        (tmp_path / "few" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / "few" / path.parent.name / path.name)
    return tmp_path / "few"


def test_no_strength_leaves_the_content(
    few: Path, finished_corpus: Path, finished_neighbourhoods: Path, tmp_path: Path,
    command: Command, rows_of: Rows,
) -> None:  # fmt: skip
    flags = ("--corpus", finished_corpus, "--art", few, "--size", 96, "--per-style", 3)
    apart = {}
    for strength in (0, 1):
        out = tmp_path / str(strength)
        given = (*flags, "--output", out, "--strength", strength, "--validation-share", 0)
        assert command("style-transfer", *given).code == 0
        rows = rows_of(out / "style_transfer")
        assert len(rows) + len(rows_of(out / "style_transfer", shards.REJECTS)) == 6
        pairs = [(row["image"], row["references"][1]["image"]) for row in rows]
        shown = [[picture(one["bytes"]).astype(float) for one in pair] for pair in pairs]
        apart[strength] = np.mean([np.abs(target - content).mean() for target, content in shown])
    assert apart[0] < 4  # what encoding twice costs
    assert apart[1] > 4 * apart[0]


def test_licences_decide(
    few: Path, finished_corpus: Path, finished_neighbourhoods: Path, contents: Any,
    tmp_path: Path, command: Command, rows_of: Rows,
) -> None:  # fmt: skip
    """Of contents one by one; of a painting for all of its pairs."""
    (few / "metadata.jsonl").write_text(
        f'{{"file_name": "{min(few.rglob("*.jpg")).relative_to(few)}", "licence": "CC0"}}'
    )
    flags = ("--corpus", finished_corpus, "--art", few, "--size", 64, "--per-style", 1000)
    given = (*flags, "--licences", "commercial", "--validation-share", 0, "--min-check", 0)
    assert command("style-transfer", *given, "--output", tmp_path).code == 0
    reasons = Counter(row["reason"] for row in rows_of(tmp_path / "style_transfer", shards.REJECTS))
    train = [row for row in contents.values() if row["split"] == "train"]
    free = [row for row in train if licences.allows_commercial_use(row["licence"])]
    assert reasons["style_licence"] == len(train)
    assert reasons["licence"] == len(train) - len(free) > 0
    rows = rows_of(tmp_path / "style_transfer")
    assert len(rows) + reasons["copy"] == len(free) > 0
    assert all(licences.allows_commercial_use(row["licence"]) for row in rows)
