"""Measured against a truth that differs from the jobs' rows in known places."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools import finished, truth


@pytest.fixture(scope="module")
def rows(web) -> dict[str, truth.Row]:
    return {row.name: row for row in truth.measure(web.truth, finished.open_jobs(web.folders))}


def counted(row: truth.Row) -> tuple[int, int, int | None]:
    return row.right, row.planted, row.found


def test_defects_and_their_mistakes(rows) -> None:
    assert counted(rows["rows read"]) == (22, 22, 22)
    assert counted(rows["truncated"]) == (1, 1, 1)
    assert counted(rows["too_small"]) == (0, 1, 0)  # it was refused as empty_caption
    assert counted(rows["empty_caption"]) == (0, 0, 1)
    assert rows["empty_caption"].recall is None
    assert rows["too_small"].precision is None


def test_domains_before_acceptance(web, rows) -> None:
    good = [
        row
        for n, row in enumerate(web.rows)
        if row.quality >= 5 and row.domain != "banner" and n != 7
    ]
    assert counted(rows["domain of good pictures"]) == (len(good) - 1, len(good), None)
    accepted = sum(row.fate != "domain" for row in good)
    assert counted(rows["good pictures accepted"]) == (accepted, len(good), None)
    assert counted(rows["reject classes vetoed"]) == (1, 1, None)


def test_bad_quality_and_duplicates(rows) -> None:
    assert counted(rows["bad quality"]) == (3, 4, 3)
    assert counted(rows["duplicate pairs"]) == (1, 1, 1)


def test_neighbourhoods_by_topic_and_entity(rows) -> None:
    assert counted(rows["members of the seed's topic"]) == (8, 8, None)
    assert counted(rows["neighbourhoods of one topic"]) == (2, 2, None)
    assert counted(rows["neighbourhoods of one entity"]) == (0, 2, None)
    assert counted(rows["topics with a neighbourhood"]) == (2, 2, None)


def change(web, path: str, origin: str, **values: str) -> None:
    told = pq.read_table(web.truth)
    changed = [row | values if row["origin"] == origin else row for row in told.to_pylist()]
    pq.write_table(pa.Table.from_pylist(changed, schema=told.schema), path)


def test_pairs_of_copies_are_unordered_and_transitive(web, tmp_path) -> None:
    path = str(tmp_path / "truth.parquet")
    leftover = web.of("leftover")[0]  # a second copy of row 0, which the job let pass
    change(web, path, leftover.origin, duplicate_of=web.rows[0].origin)
    rows = {row.name: row for row in truth.measure(path, finished.open_jobs(web.folders))}
    assert counted(rows["duplicate pairs"]) == (1, 3, 1)


def test_a_member_of_another_topic_is_seen(web, tmp_path) -> None:
    path = str(tmp_path / "truth.parquet")
    change(web, path, web.of("")[3].origin, topic="dog")
    rows = {row.name: row for row in truth.measure(path, finished.open_jobs(web.folders))}
    assert counted(rows["members of the seed's topic"]) == (7, 8, None)
    assert counted(rows["neighbourhoods of one topic"]) == (1, 2, None)


def test_a_corpus_alone_is_measured_as_far_as_it_goes(web) -> None:
    names = [row.name for row in truth.measure(web.truth, finished.open_jobs([web.corpus]))]
    assert "truncated" in names
    assert "bad quality" not in names


def test_the_truth_of_other_rows_is_refused(web, tmp_path) -> None:
    told = pq.read_table(web.truth)
    others = [row | {"origin": "x" + row["origin"]} for row in told.to_pylist()]
    pq.write_table(pa.Table.from_pylist(others, schema=told.schema), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match="tells of other rows"):
        truth.measure(str(tmp_path / "t.parquet"), finished.open_jobs(web.folders))


def test_the_table_is_aligned() -> None:
    rows = [truth.Row("a", 1, 2, 4, ""), truth.Row("longer name", 1000, 0, None, "")]
    head, first, second = truth.table(rows).splitlines()
    assert first.split() == ["a", "1", "2", "4", "50.0%", "25.0%"]
    assert second.split() == ["longer", "name", "1,000", "0"]
    assert head.index("right") + len("right") == second.index("1,000") + len("1,000")
