"""Subjects mined from a corpus: pages of a column that names the true thing, or by address."""

import io
import json
import shutil
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import cli, keys, shards
from instruct_imagen_data.annotators import model_set

Command = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
Tree = Callable[[Path], dict[str, str]]
LARGE, NO_PAGE = "large", "none"
MAX_GROUP, SIZE = 9, 96


def page_names(web: Path) -> dict[str, str]:
    """Sample to page: its entity; two entities share a page, and one is on none."""
    truth = pq.read_table(web / "truth.parquet").to_pylist()
    good = [row for row in truth if row["entity"] and not row["defect"]]
    entities = sorted({row["entity"] for row in good})
    renamed = {entities[0]: LARGE, entities[1]: LARGE, entities[2]: NO_PAGE}
    return {row["origin"].split("#")[1]: renamed.get(row["entity"], row["entity"]) for row in good}


@pytest.fixture(scope="module")
def mined(
    web: Path, write_tar: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, str]]:
    """(folder of a corpus with a column `page`, with its verdicts, key to page of its rows)."""
    folder = tmp_path_factory.mktemp("mined")
    names = page_names(web)
    members: dict[str, bytes] = {}
    for path in sorted(web.glob("*.tar")):
        with tarfile.open(path) as tar:
            for one in tar:
                sample, _, extension = one.name.partition(".")
                data = tar.extractfile(one)
                if sample in names and data is not None:
                    content = data.read()
                    if extension == "json" and names[sample] != NO_PAGE:
                        told = json.loads(content) | {"page": names[sample]}
                        content = json.dumps(told).encode()
                    members[one.name] = content
    write_tar(folder / "00000.tar", members)
    given = ["--input", str(folder / "00000.tar"), "--models", "embedded", "--block-rows", "40"]
    one = "--direct_num_workers=1"
    assert cli.main(["corpus", *given, "--output", str(folder / "corpus"), one]) == 0
    given = ["--corpus", str(folder / "corpus"), "--output", str(folder / "near"), one]
    assert cli.main(["neighbours", *given, "--quality-quantile", "0"]) == 0
    origins = duckdb.sql(f"SELECT key, origin FROM '{folder}/corpus/images/*.parquet'").fetchall()
    return folder, {key: names[origin.split("#")[1]] for key, origin in origins}


def judged(folder: Path) -> dict[str, dict[str, Any]]:
    """Key to url, caption, kept, split and reason of the rows of the corpus."""
    found = duckdb.sql(
        "SELECT key, url, caption, v.kept, v.split, v.reason, i.licence, v.survivor"
        f" FROM '{folder}/corpus/images/*.parquet' i"
        f" JOIN '{folder}/near/verdicts/*.parquet' v USING (key, origin)"
    )
    names = found.columns
    return {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}


def flags_of(folder: Path, out: Path, *more: object) -> tuple[object, ...]:
    given = ("--corpus", folder / "corpus", "--output", out, "--size", SIZE)
    return ("subject", *given, "--max-group", MAX_GROUP, "--targets", 2, *more)


@pytest.fixture(scope="module")
def by_column(mined: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job's output, by the column that names the true thing."""
    out = tmp_path_factory.mktemp("by-column")
    flags = flags_of(mined[0], out, "--page-column", "page")
    assert cli.main([*map(str, flags), "--direct_num_workers=1"]) == 0
    return out / "suti"


def test_pages_of_a_column(mined: Any, by_column: Path, rows_of: Rows) -> None:
    """Rows are of one page and one split; every row of the corpus is used or rejected once."""
    folder, pages = mined
    known = judged(folder)
    rows, rejects = rows_of(by_column), rows_of(by_column, shards.REJECTS)
    used = {key for row in rows for key in row["sources"]}
    assert sorted([*used, *(row["key"] for row in rejects)]) == sorted(known)
    kept: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key, row in known.items():
        if row["kept"] and pages[key] != NO_PAGE:
            kept[pages[key], row["split"]].add(key)
    looked_at = {page: some for page, some in kept.items() if 3 <= len(some) <= MAX_GROUP}
    assert len(kept[LARGE, "train"]) > MAX_GROUP
    assert len(looked_at) > 5
    whose = {key: page for page, some in kept.items() for key in some}
    assert rows
    for row in rows:
        ((page, split),) = {whose[key] for key in row["sources"]}
        assert page not in (LARGE, NO_PAGE)
        assert (page, split) in looked_at
        assert row["split"] == split
        assert row["caption"] == known[row["sources"][0]]["caption"]
        assert row["licence"] == keys.join_licences(known[key]["licence"] for key in row["sources"])
        assert row["key"] == keys.derived_key("suti", row["sources"])
    for row in rejects:
        one = known[row["key"]]
        if not one["kept"]:
            told = ("verdict", one["reason"], one["survivor"])
            assert (row["reason"], row["detail"], row["survivor"]) == told
        elif whose.get(row["key"]) not in looked_at:
            assert row["reason"] == "page_size"
        else:
            assert row["reason"] in ("unlike", "alike", "duplicate", "group_size")
    # A page that is used gives as many examples as were asked, and one that is not gives none.
    made = Counter(whose[row["sources"][0]] for row in rows)
    assert set(made.values()) == {2}
    for page, some in looked_at.items():
        assert bool(some & used) == (page in made)


def test_nouns_are_found(mined: Any, by_column: Path, rows_of: Rows) -> None:
    _, pages = mined
    found = []
    for row in rows_of(by_column):
        (noun,) = {one["text"] for one in row["references"]}
        found.append(noun == pages[row["sources"][0]].split("/")[0])
    assert len(found) > 6
    assert sum(found) / len(found) > 0.9


def test_groups_are_alike_but_no_copies(by_column: Path, rows_of: Rows) -> None:
    """Cosines of the stored pictures are within the band of the model set."""
    models = model_set.load_set("embedded")
    clip = model_set.load_role(models, "image_text", "fp32", "cpu")
    for row in rows_of(by_column):
        encoded = [row["image"], *(one["image"] for one in row["references"])]
        rgb = [np.asarray(PIL.Image.open(io.BytesIO(one["bytes"])).convert("RGB"))
               for one in encoded]  # fmt: skip
        assert {min(one.shape[:2]) for one in rgb} == {SIZE}
        vectors = clip.images([clip.prepare(one) for one in rgb])
        cosines = (vectors @ vectors.T)[np.triu_indices(len(rgb), 1)]
        low, high = models.filters.subject_low, models.filters.subject_high
        assert low - 1e-3 <= cosines.mean() <= high + 1e-3
        check = next(one for one in row["checks"] if one["name"] == "subject_similarity")
        assert check["value"] == pytest.approx((vectors[1:] @ vectors[0]).mean(), abs=1e-4)


def test_pages_by_address(mined: Any, tmp_path: Path, command: Command, rows_of: Rows) -> None:
    folder, _ = mined
    known = judged(folder)
    assert command(*flags_of(folder, tmp_path, "--min-group", 2)).code == 0

    def page(url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.hostname}{parts.path.rpartition('/')[0]}"

    kept = Counter((page(row["url"]), row["split"]) for row in known.values() if row["kept"])
    rows = rows_of(tmp_path / "suti")
    rejects = {row["key"]: row for row in rows_of(tmp_path / "suti", shards.REJECTS)}
    used = {key for row in rows for key in row["sources"]}
    assert used | rejects.keys() == known.keys()
    assert not used & rejects.keys()
    for key, row in known.items():
        if row["kept"]:
            name = (page(row["url"]), row["split"])
            fits = 2 <= kept[name] <= MAX_GROUP
            assert (key in rejects and rejects[key]["reason"] == "page_size") == (not fits)
            if not fits:
                assert rejects[key]["detail"].startswith(name[0])
    assert any(row["reason"] not in ("verdict", "page_size") for row in rejects.values())
    for row in rows:
        assert len({page(known[key]["url"]) for key in row["sources"]}) == 1


def test_what_is_lost_is_made_again(
    mined: Any, by_column: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    """With the runs of the phases, or without."""
    shutil.copytree(by_column, tmp_path / "suti")
    whole = tree(tmp_path / "suti")
    flags = flags_of(mined[0], tmp_path, "--page-column", "page")
    assert "subject: nothing to do" in command(*flags).out
    parts = shards.list_parts(str(tmp_path / "suti"), shards.REJECTS)
    assert [part for part in parts if part.startswith("pages-")]
    for lost in ([part for part in parts if part.startswith("pages-")], parts[:1], parts):
        for part in lost:
            (tmp_path / "suti" / shards.REJECTS / f"part-{part}.parquet").unlink()
        (tmp_path / "suti" / shards.MANIFEST).unlink()
        if lost is parts:
            shutil.rmtree(tmp_path / "suti" / "_phases")
        assert command(*flags).code == 0
        assert tree(tmp_path / "suti") == whole


def test_other_rules_are_another_job(
    mined: Any, by_column: Path, command: Command, tree: Tree
) -> None:
    before = tree(by_column)
    flags = flags_of(mined[0], by_column.parent)
    done = command(*flags)
    assert done.code == 2
    assert "--page-column was 'page', is now ''" in done.lines[0]
    assert tree(by_column) == before


def test_a_column_that_no_row_has(mined: Any, tmp_path: Path, command: Command) -> None:
    done = command(*flags_of(mined[0], tmp_path, "--page-column", "pgae"))
    assert done.code == 2
    (line,) = done.lines
    assert "--page-column pgae: no kept row of " in line
    assert not (tmp_path / "suti" / shards.MANIFEST).exists()
