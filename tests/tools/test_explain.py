"""`explain` for a row of each fate, by each kind of name."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import cli


def explain(capsys, *arguments: str) -> str:
    assert cli.main(["explain", *arguments]) == 0
    return capsys.readouterr().out


def test_a_used_picture_names_its_neighbourhood(web, capsys) -> None:
    row = web.of("")[2]
    text = explain(capsys, row.key, *web.folders)
    assert text.startswith(f"{row.origin}: kept, and in 1 neighbourhood")
    assert "animals, probability 0.80" in text
    assert "the 30% quantile of its source is 5, the floor 2: good enough" in text
    assert f"in neighbourhood {web.rows[0].key[:16]}" in text
    assert "0.510 this picture" in text  # the second cosine to the seed
    assert "0.950 too near" in text
    assert "0.300 too far" in text
    assert f"{web.corpus}/{{images,scores,embeddings}}/part-00000-000.parquet, row 2" in " ".join(
        text.split()
    )


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        ("low_quality", "the 30% quantile of its source is 5, the floor 2: below the quantile"),
        ("domain", "not accepted"),
        ("low_similarity", "0.100 to its caption, at least 0.2 is needed: too low"),
        ("duplicate", "stayed: nearly the same picture, cosine 0.950 (level 0.9)"),
        ("band", "cosine of its fourth neighbour 0.3, needed 0.4"),
        ("no_neighbours", "candidates 2, needed 4"),
        ("leftover", "used up by others, or are too near or too far"),
    ],
)
def test_a_dropped_picture_says_why(web, capsys, fate: str, told: str) -> None:
    row = web.of(fate)[0]
    text = explain(capsys, row.origin, *web.folders)
    assert text.startswith(f"{row.origin}: dropped by neighbours, {fate}.")
    assert told in " ".join(text.split())


def test_below_both_limits(web, capsys) -> None:
    text = explain(capsys, web.of("low_quality")[1].key, *web.folders)
    assert "below the quantile and the floor" in " ".join(text.split())


def test_a_refused_file_says_why(web, capsys) -> None:
    refused = web.refused[0]
    text = explain(capsys, refused.origin, *web.folders)
    assert text.startswith(f"{refused.origin}: refused by corpus, truncated.")
    assert "detail of <truncated>" in text
    assert "_rejects/part-00000-000.parquet, row 0" in " ".join(text.split())


def test_a_copy_and_its_survivor_name_each_other(web, capsys) -> None:
    copy, survivor = web.of("duplicate")[0], web.rows[0]
    assert f"{survivor.key[:16]}" in explain(capsys, copy.key, *web.folders)
    text = " ".join(explain(capsys, survivor.key, *web.folders).split())
    assert (
        f"{copy.key[:16]} “{copy.caption}”: nearly the same picture, cosine 0.950, 7 of 256" in text
    )


def test_names_of_all_kinds_find_the_row(web, capsys) -> None:
    row = web.rows[4]
    names = [row.key, row.key[:8], row.key.upper(), row.origin, row.url]
    told = {
        explain(capsys, name, web.corpus) for name in [*names, row.url.replace("https", "http")]
    }
    assert len(told) == 1
    assert "give the neighbours' directory too" in told.pop()
    assert web.refused[1].origin in explain(capsys, web.refused[1].url, web.corpus)


def test_json_holds_the_same(web, capsys) -> None:
    row = web.of("duplicate")[0]
    told = json.loads(explain(capsys, row.key, *web.folders, "--json"))
    assert told["fate"] == "dropped"
    assert told["reject"]["survivor"] == told["survivor"]["key"] == web.rows[0].key
    assert told["duplicates"] == [
        {"evidence": "vector", "cosine": 0.95, "hamming": 7} | told["survivor"]
    ]
    used = json.loads(explain(capsys, web.rows[3].key, *web.folders, "--json"))
    (five,) = used["neighbourhoods"]
    assert [one["key"] for one in five["members"]] == [one.key for one in web.rows[:5]]
    assert [one["key"] for one in used["candidates"]][:3] == [one.key for one in web.rows[:3]]


def test_unknown_and_ambiguous_names_are_one_line(web, capsys) -> None:
    def refusal(name: str) -> str:
        assert cli.main(["explain", name, web.corpus]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    key = web.rows[0].key
    assert f"the nearest key is {key}" in refusal(key[:12] + "ffffffff")
    assert "00000.tar has no 000000900, but 00000.tar#00000000" in refusal("00000.tar#000000900")
    assert "it read no file 0000.tar, but 0000" in refusal("0000.tar#000000001")
    assert "give a key" in refusal("cat")
    assert "https://nowhere.example/x.jpg" in refusal("https://nowhere.example/x.jpg")


def test_rows_of_one_key_are_listed(tmp_path, web, capsys) -> None:
    folder = tmp_path / "corpus"
    shutil.copytree(web.corpus, folder)
    (file,) = (folder / "_index").glob("*.parquet")
    table = pq.read_table(file)
    twin = table.slice(0, 1).to_pylist()[0] | {"origin": "00009.tar#1"}
    pq.write_table(pa.Table.from_pylist([*table.to_pylist(), twin], schema=table.schema), file)
    assert cli.main(["explain", twin["key"], str(folder)]) == 2
    error = capsys.readouterr().err
    assert "names 2 rows" in error
    assert "00009.tar#1" in error
    assert "give an origin" in error


@pytest.mark.parametrize(
    "part",
    ["corpus/images", "corpus/scores", "corpus/_index", "near/verdicts", "near/candidates",
     "near/neighbourhoods", "near/_index"],
)  # fmt: skip
def test_a_damaged_part_is_named_in_one_line(part, tmp_path, web, capsys) -> None:
    for folder in web.folders:
        shutil.copytree(folder, tmp_path / Path(folder).name)
    files = sorted((tmp_path / part).iterdir())
    for file in files[-1:] if part == "corpus/scores" else files:
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2])
    folders = [str(tmp_path / Path(folder).name) for folder in web.folders]
    row = (
        web.rows[-1] if part in ("corpus/images", "corpus/scores", "near/verdicts") else web.rows[3]
    )
    verbs = [["explain", row.key, *folders]]
    if "_index" not in part and "candidates" not in part:
        verbs.append(["report", *folders, "--output", str(tmp_path / "report.html")])
    for verb in verbs:
        assert cli.main(verb) == 2, verb
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert "is damaged" in error
        assert part in error
        assert "--overwrite" in error
