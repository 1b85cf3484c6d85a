"""The pictures of a finished corpus that `neighbours` kept: what later jobs derive from."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import RejectRow
from instruct_imagen_data.stages.derived import SourceBlock, Todo, todo

NOT_KEPT = "verdict"  # reason of the rows that `neighbours` refused; its reason is the detail


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A picture that may be derived from, and its split."""

    image: schema.Image
    split: str


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A finished corpus, and the verdicts on its rows.

    Attributes:
      folder: What `instruct-imagen corpus` filled.
      neighbourhoods: What `instruct-imagen neighbours` filled from it.
      parts: Part to rows, in order.
      models: Model set that the corpus was measured with.
    """

    folder: str
    neighbourhoods: str
    parts: Mapping[str, int]
    models: str

    def settings(self) -> dict[str, str]:
        """What a derived dataset depends on: hashes of the corpus and of what judged it."""
        manifest = shards.require_finished(self.folder, "corpus")
        judged = shards.read_job(self.neighbourhoods) or {}
        return {
            "corpus_parts": _digest([[one["part"], one["sha256"]] for one in manifest["parts"]]),
            "verdicts": _digest([judged["settings"], judged["inputs"]]),
        }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def open_corpus(folder: str, neighbourhoods: str = "") -> Corpus:
    """A finished corpus with its verdicts.

    Args:
      neighbourhoods: Where they are; by default they are looked for beside the corpus.

    Raises:
      UsageError: the corpus or its verdicts are not finished, not found, or not the only ones.
    """
    manifest = shards.require_finished(folder, "corpus")
    parts = {one["part"]: one["rows"]["scores"] for one in manifest["parts"]}
    judged = neighbourhoods or _beside(folder, parts)
    shards.require_finished(judged, "neighbours")
    if (shards.read_job(judged) or {"inputs": {}})["inputs"] != parts:
        raise UsageError(f"{judged} was not made from {folder}: other parts or rows")
    models = (shards.read_job(folder) or {"settings": {}})["settings"].get("models", "")
    return Corpus(folder, judged, parts, models)


def _beside(corpus: str, parts: Mapping[str, int]) -> str:
    """The one folder beside a corpus that holds `neighbours` of it."""
    found = []
    for folder in storage.list_folders(storage.parent(corpus)):
        if storage.find(storage.join(folder, shards.JOB)):
            job = shards.read_job(folder)
            if job and job["job"] == "neighbours" and job["inputs"] == parts:
                found.append(folder)
    if not found:
        raise UsageError(
            f"no verdicts on {corpus} are beside it: run `instruct-imagen neighbours --corpus "
            f"{corpus} --output ...`, or name its output by --neighbourhoods"
        )
    if len(found) > 1:
        raise UsageError(
            f"several folders hold verdicts on {corpus} ({', '.join(found)}): "
            "name one by --neighbourhoods"
        )
    return found[0]


def read_judged(corpus: Corpus, part: str, columns: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """(some columns of schema.Image, schema.Verdict) of the rows of one part.

    Raises:
      UsageError: the verdicts are on other rows than the corpus holds.
    """
    images = shards.read_part(corpus.folder, "images", part, schema.Image, [*columns])
    verdicts = shards.read_part(corpus.neighbourhoods, "verdicts", part, schema.Verdict)
    if verdicts["key"].to_pylist() != images["key"].to_pylist():
        raise UsageError(f"{corpus.neighbourhoods}: part {part} judges other rows than the corpus'")
    return images, verdicts


def read_kept(wanted: Todo, corpus: Corpus, stage: str) -> SourceBlock:
    """The kept pictures of one part; for each other row a reject that names its verdict.

    Raises:
      UsageError: the verdicts are on other rows than the corpus holds.
    """
    columns = schema.schema_of(schema.Image).names
    images, verdicts = read_judged(corpus, wanted.part, columns)
    kept = images.filter(verdicts["kept"])
    splits = verdicts["split"].filter(verdicts["kept"]).to_pylist()
    rows = [
        Kept(schema.Image(**{**row, "image": schema.Encoded(**row["image"])}), split)
        for row, split in zip(kept.to_pylist(), splits, strict=True)
    ]
    rejects = refused(images.select(["key", "origin", "url", "sha256"]), verdicts, stage)
    return SourceBlock(
        wanted.part, wanted.datasets, tuple(images["key"].to_pylist()), rows, rejects
    )


def refused(images: pa.Table, verdicts: pa.Table, stage: str) -> pa.Table:
    """schema.RejectRow of the rows that were not kept.

    Args:
      images: key, origin, url and sha256 of the rows.
      verdicts: schema.Verdict of the same rows.
    """
    pairs = zip(images.to_pylist(), verdicts.to_pylist(), strict=True)
    rows = [
        RejectRow(
            **image,
            stage=stage,
            reason=NOT_KEPT,
            detail=verdict["reason"],
            survivor=verdict["survivor"],
            value=verdict["value"],
            threshold=verdict["threshold"],
        )
        for image, verdict in pairs
        if not verdict["kept"]
    ]
    return schema.table_of(RejectRow, rows)


@dataclasses.dataclass(eq=False)
class ReadKept(beam.PTransform):
    """SourceBlocks of the corpus' parts that a dataset still lacks.

    Attributes:
      corpus: Where the parts are.
      output: Directory that holds a folder a dataset.
      datasets: Names in tasks.DATASETS.
      stage: Name for reject rows.
    """

    corpus: Corpus
    output: str
    datasets: tuple[str, ...]
    stage: str

    def expand(self, root: PBegin) -> PCollection[SourceBlock]:
        wanted = todo(self.output, self.datasets, self.corpus.parts)
        return (
            root
            | "Parts" >> beam.Create(wanted)
            | "Spread" >> beam.Reshuffle()  # names, not pictures
            | "Read" >> beam.Map(functools.partial(read_kept, corpus=self.corpus, stage=self.stage))
        )
