"""The job `corpus`, end to end in this process: what becomes of a planted web and of odd inputs."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from instruct_imagen_data import index, schema, shards
from pipelines import corpus as corpus_job
from pipelines import runners

Job = Callable[..., Any]
WriteTar = Callable[..., Path]
Samples = Callable[..., dict[str, bytes]]
Tree = Callable[[Path], dict[str, str]]
RECORDS = {"images": schema.Image, "scores": schema.Score, "embeddings": schema.Embedding}


def rows(folder: Path, dataset: str) -> list[dict[str, Any]]:
    """All rows of a dataset, in the order of the parts."""
    parts = shards.list_parts(str(folder), dataset)
    tables = [shards.read_part(str(folder), dataset, part, None) for part in parts]
    return pa.concat_tables([table.replace_schema_metadata() for table in tables]).to_pylist()


def origins(folder: Path) -> list[str]:
    return [row["origin"] for name in ("images", shards.REJECTS) for row in rows(folder, name)]


def test_a_planted_web(web: Path, tmp_path: Path, corpus: Job, tree: Tree) -> None:
    out = tmp_path / "out"
    done = corpus(f"{web}/*.tar", out, "--block-rows", 25)
    assert (done.code, done.lines) == (0, [])
    truth = {row["origin"]: row for row in pq.read_table(web / "truth.parquet").to_pylist()}
    defects = Counter(row["defect"] for row in truth.values() if row["defect"])

    kept, rejected = rows(out, "images"), rows(out, shards.REJECTS)
    assert sorted(origins(out)) == sorted(truth)
    assert {row["origin"]: row["reason"] for row in rejected} == {
        origin: row["defect"] for origin, row in truth.items() if row["defect"]
    }
    manifest = shards.require_finished(str(out), "corpus")
    assert manifest["rows_in"] == len(truth)
    assert manifest["reasons"] == dict(sorted(defects.items()))
    assert manifest["rows"]["images"] == len(kept) == len(truth) - len(rejected)
    assert f"{len(truth)} rows in, {len(kept)} kept, {len(rejected)} rejected" in done.out

    parts = [one["part"] for one in manifest["parts"]]
    assert parts == [f"0000{tar}-{block:03d}" for tar in (0, 1) for block in range(4)]
    for part in parts:  # the same rows in the same order
        found = [shards.read_part(str(out), name, part, record) for name, record in RECORDS.items()]
        assert found[0]["key"].equals(found[1]["key"])
        assert found[0]["key"].equals(found[2]["key"])
    hashes = tree(out)
    for one in manifest["parts"]:
        for name, digest in one["sha256"].items():
            assert hashes[f"{name}/part-{one['part']}.parquet"] == digest
    assert sorted(str(row["key"]) for row in index.find(str(out), "")) == sorted(
        row["key"] for row in [*kept, *rejected]
    )
    assert not [name for name in hashes if name.endswith(".tmp")]


def test_a_second_start_does_nothing(
    tmp_path: Path, corpus: Job, write_tar: WriteTar, samples: Samples, tree: Tree
) -> None:
    write_tar(tmp_path / "web" / "0.tar", samples(range(4)))
    first = corpus(tmp_path / "web", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    second = corpus(tmp_path / "web", tmp_path / "out")
    assert second.code == 0
    assert second.out == f"corpus: nothing to do, {tmp_path / 'out'} is finished\n{first.out}"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_plan_writes_nothing(
    tmp_path: Path, corpus: Job, write_tar: WriteTar, samples: Samples
) -> None:
    write_tar(tmp_path / "web" / "0.tar", samples(range(4)))
    plan = corpus(tmp_path / "web", tmp_path / "out", "--plan", "--min-side", 70)
    assert (plan.code, plan.lines) == (0, [])
    for words in ("1 inputs", "min_side = 70", "precision = ", "ReadBlocks", "Measure", "Finish"):
        assert words in plan.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web"]


def test_added_inputs_continue_and_shift_nothing(
    tmp_path: Path, corpus: Job, write_tar: WriteTar, samples: Samples, tree: Tree
) -> None:
    web, out = tmp_path / "web", tmp_path / "out"
    write_tar(web / "b" / "1.tar", samples(range(5)))
    assert corpus(f"{web}/*/*.tar", out, "--block-rows", 3).code == 0
    first = tree(out)
    write_tar(web / "b" / "0.tar", samples(range(5, 9)))
    write_tar(web / "a" / "1.tar", samples(range(9, 12)))  # a file of the same name
    done = corpus(f"{web}/*/*.tar", out, "--block-rows", 3)
    assert done.code == 0
    assert "12 rows in, 12 kept" in done.out
    second = tree(out)
    for name, digest in first.items():
        if name.endswith(".parquet") and not name.startswith(index.FOLDER):
            assert second[name] == digest
    assert {path.split("/")[1] for path in second if path.startswith("images/")} == {
        *(f"part-{stem}-00{n}.parquet" for stem in ("1", "0") for n in (0, 1)),
        "part-a.1-000.parquet",
    }
    assert {"a/1.tar#000000009", "1.tar#000000000"} < set(origins(out))


def test_where_the_input_lies_changes_no_byte(
    tmp_path: Path,
    corpus: Job,
    write_tar: WriteTar,
    samples: Samples,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_tar(tmp_path / "x y" / "web" / "0.tar", samples(range(4)))
    shutil.copytree(tmp_path / "x y", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "x y")
    trees = []
    for number, given in enumerate(
        ["web", "web/", "./web/*.tar", f"{tmp_path}/x y/web/0.tar", f"{tmp_path}/elsewhere/*/*"]
    ):
        out = tmp_path / f"out {number}" / ""
        assert corpus(given, out).code == 0
        trees.append(tree(out))
        assert corpus(f"file://{tmp_path}/x y/web", out).out.startswith("corpus: nothing to do")
    jobs = {one.pop(shards.JOB) for one in trees[:-1]}
    assert len(jobs) == 1
    assert trees[-1].pop(shards.JOB) not in jobs  # it names the paths
    assert all(one == trees[0] for one in trees)


def test_odd_inputs(tmp_path: Path, corpus: Job, write_tar: WriteTar, samples: Samples) -> None:
    """Equal names in two folders, a stem like a block's, spaces, no rows, a cut tar, gzip."""
    web, out = tmp_path / "web", tmp_path / "out"
    for name, numbers in [
        ("x/a.tar", range(5)),
        ("y/a.tar", range(5, 7)),
        ("x/a-000.tar", range(7, 10)),
        ("x/b c.é#1.tar", range(10, 12)),
        ("y/empty.tar", range(0)),
    ]:
        write_tar(web / name, samples(numbers))
    write_tar(web / "y" / "g.tar.gz", samples(range(12, 14)), "w:gz")
    cut = write_tar(web / "y" / "cut.tar", samples(range(14, 18)))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (web / "y" / "zero.tar").touch()
    done = corpus(f"{web}/*/*", out, "--block-rows", 2)
    assert (done.code, done.lines) == (0, [])
    found = origins(out)
    assert len(set(found)) == len(found)
    assert {"x/a.tar#000000000", "y/a.tar#000000005", "b c.é#1.tar#000000010"} < set(found)
    reasons = Counter(row["reason"] for row in rows(out, shards.REJECTS))
    assert reasons == {"unreadable_shard": 2}
    assert len(rows(out, "images")) == len(found) - 2 >= 14
    commits = list(shards.read_commits(str(out)))
    assert Counter(
        shards.stem_and_index(one.part)[0] for one in commits if one.last
    ) == dict.fromkeys(["x.a", "y.a", "a-000", "b c.é#1", "empty", "g", "cut", "zero"], 1)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_other_formats_give_the_same_pictures(
    tmp_path: Path, corpus: Job, write_tar: WriteTar, samples: Samples, kind: str, picture: Job
) -> None:
    write_tar(tmp_path / "0.tar", samples(range(6)))
    assert corpus(tmp_path / "0.tar", tmp_path / "tar").code == 0
    urls = [f"https://example.com/{n}/picture.jpg" for n in range(6)]
    captions = [f"waves number {n}" for n in range(6)]
    source = tmp_path / f"0.{kind}"
    if kind == "parquet":
        images = [{"bytes": picture(n), "path": f"{n}.jpg"} for n in range(6)]
        pq.write_table(pa.table({"image": images, "TEXT": captions, "URL": urls}), source)
    else:
        for n in range(6):
            (tmp_path / f"{n}.jpg").write_bytes(picture(n))
        names = [f"{n}.jpg" for n in range(6)]
        if kind == "csv":
            lines = ["file_name,text,url", *map(",".join, zip(names, captions, urls, strict=True))]
        else:
            columns = zip(names, captions, urls, strict=True)
            lines = [json.dumps({"file_name": n, "text": c, "url": u}) for n, c, u in columns]
        source.write_text("\n".join(lines))
    assert corpus(source, tmp_path / "other").code == 0
    want, got = rows(tmp_path / "tar", "images"), rows(tmp_path / "other", "images")
    assert [row["origin"] for row in got] == [f"0.{kind}#{n}" for n in range(6)]
    for name in ("key", "image", "caption", "url", "phash"):
        assert [row[name] for row in got] == [row[name] for row in want]
    vectors = [rows(tmp_path / name, "embeddings") for name in ("tar", "other")]
    assert vectors[0] == vectors[1]


def test_hugging_face_opens_the_parts(
    tmp_path: Path, corpus: Job, write_tar: WriteTar, samples: Samples
) -> None:
    """The feature metadata says that `image` is a picture."""
    write_tar(tmp_path / "0.tar", samples(range(3)))
    corpus(tmp_path / "0.tar", tmp_path / "out")
    footer = pq.read_schema(tmp_path / "out" / "images" / "part-0-000.parquet").metadata
    features = json.loads(footer[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    vectors = pq.read_schema(tmp_path / "out" / "embeddings" / "part-0-000.parquet").metadata
    feature = json.loads(vectors[b"huggingface"])["info"]["features"]["image_vector"]
    assert feature["feature"] == {"dtype": "float16", "_type": "Value"}


def producers(graph: beam_runner_api_pb2.Pipeline, collection: str) -> Iterator[str]:
    """Full names of all steps that a collection comes from, nearest first."""
    for step in graph.components.transforms.values():
        if collection in step.outputs.values() and not step.subtransforms:
            yield step.unique_name
            for before in set(step.inputs.values()) - {collection}:  # some hand on what they got
                yield from producers(graph, before)


def test_no_picture_crosses_a_shuffle(
    tmp_path: Path, write_tar: WriteTar, samples: Samples
) -> None:
    """What is grouped, or is a side input, are names of inputs and of parts."""
    write_tar(tmp_path / "0.tar", samples(range(3)))
    options = corpus_job.Options(str(tmp_path / "0.tar"), str(tmp_path / "out"), "embedded")
    pipeline = beam.Pipeline(options=runners.pipeline_options([]))
    corpus_job.plan(options).phases[0].build(pipeline)
    graph = pipeline.to_runner_api()
    barriers = []
    for step in graph.components.transforms.values():
        sides = {}
        if step.spec.urn == "beam:transform:pardo:v1":
            payload = beam_runner_api_pb2.ParDoPayload.FromString(step.spec.payload)
            sides = payload.side_inputs
        grouped = step.inputs.values() if "group_by_key" in step.spec.urn else []
        for collection in [*grouped, *(step.inputs[name] for name in sides)]:
            barriers.append((step.unique_name, list(producers(graph, collection))))
    assert barriers
    for name, steps in barriers:
        if "Spread" in name:
            assert not [
                one for one in steps if "Read" in one.split("/")[-1] and "Spread" not in one
            ]
        else:
            assert name.startswith("Finish"), name
    (written,) = (
        step for step in graph.components.transforms.values() if step.unique_name == "WriteBlocks"
    )
    (collection,) = written.outputs.values()
    coder = graph.components.pcollections[collection].coder_id
    assert graph.components.coders[coder].spec.urn == "beam:coder:string_utf8:v1"
