"""Neighbourhoods of five pictures from a finished corpus, in five phases.

choose -> cells -> duplicates -> mine -> gather; each fills a directory and writes its manifest
last, so a job that was stopped continues with the phase, and in it with the files, it was at.
"""

import dataclasses
import functools
import sys

import apache_beam as beam

from instruct_imagen_data import schema, shards, storage
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.cell import RUNS, SAMPLES
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages.cells import ClusterCells, FindBands
from instruct_imagen_data.stages.choose import ChooseRows, Limits
from instruct_imagen_data.stages.duplicates import DropDuplicates, FindLinks
from instruct_imagen_data.stages.duplicates.verdicts import Judge
from instruct_imagen_data.stages.gather import GatherNeighbourhoods, index_rows
from instruct_imagen_data.stages.mine import MineNeighbours
from instruct_imagen_data.stages.phase import FinishPhase, ReadGroups
from pipelines import job

VERB = "neighbours"


@dataclasses.dataclass(frozen=True)
class Options:
    """Finds neighbourhoods: five pictures of one thing, no two of them copies.

    Every row of the corpus ends in a neighbourhood or in _rejects/ with a reason; verdicts/ says
    of each whether it stays, and its split.

    Attributes:
        corpus: Directory that `instruct-imagen corpus` filled.
        output: Directory to fill.
        models: Model set whose thresholds are used; the corpus' own by default.
        source_column: Field of the images, or name in their metadata, that tells sources apart;
            quality is cut within each. Without it, all rows are of one source.
        quality_quantile: Share of each source that is dropped for low quality.
        min_similarity: Cosine of picture and caption a pair must reach; the set's by default.
        overlap: Neighbourhoods that a picture may be in.
        validation_share: Share of the pictures (with their copies) that is held out.
        max_reject_rate: Share of rejects above which the job fails, after all is written.
        overwrite: Replace an output of other options.
        plan: Print what would be done, and stop.
    """

    corpus: str
    output: str
    models: str = ""
    source_column: str = ""
    quality_quantile: float = 0.3
    min_similarity: float | None = None
    overlap: int = 1
    validation_share: float = 0.01
    max_reject_rate: float = 1.0
    overwrite: bool = False
    plan: bool = False


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where a job reads and writes, and all that its output depends on."""

    corpus: str
    output: str
    limits: Limits
    judge: Judge
    overlap: int
    source_column: str

    def folder(self, phase: str) -> str:
        """Directory of a phase."""
        return storage.join(self.output, "_phases", phase)


def choose(root: beam.Pipeline, s: Settings) -> None:
    """Quality, domain, and whether the caption describes the picture."""
    groups = root | ReadGroups(s.corpus)
    chosen = groups | ChooseRows(s.corpus, s.folder("choose"), s.limits, s.source_column)
    start = {"rows_in": 0, "reasons": {}, "domains": {}}
    chosen | FinishPhase(s.folder("choose"), "choose", start)


def cells(root: beam.Pipeline, s: Settings) -> None:
    """Vectors to their cells, clusters, and the links between copies."""
    groups = root | ReadGroups(s.corpus)
    found = groups | ClusterCells(s.corpus, s.folder("choose"), s.folder("cells"))
    links = found | FindLinks(s.judge.rule, s.folder("cells"))
    bands = found | FindBands(s.folder("choose"))
    start = {"bands": {}, "cells": [], "clusters": 0}
    (links, bands) | beam.Flatten() | FinishPhase(s.folder("cells"), "cells", start)


def duplicates(root: beam.Pipeline, s: Settings) -> None:
    """One survivor among copies; verdicts on all rows."""
    groups = root | ReadGroups(s.corpus)
    folders = (s.folder(phase) for phase in ("choose", "cells", "duplicates"))
    judged = groups | DropDuplicates(*folders, s.output, s.judge)
    judged | FinishPhase(s.folder("duplicates"), "duplicates", {"edges": 0})


def mine(root: beam.Pipeline, s: Settings) -> None:
    """Neighbourhoods of the survivors, as row numbers."""
    groups = root | ReadGroups(s.corpus)
    resolved = storage.join(s.folder("duplicates"), "resolved.arrow")
    mined = groups | MineNeighbours(
        s.folder("cells"), resolved, s.folder("mine"), s.output, s.judge.rule.cosine, s.overlap
    )
    mined | FinishPhase(s.folder("mine"), "mine", {"neighbourhoods": 0})


def gather(root: beam.Pipeline, s: Settings) -> None:
    """Pictures to their neighbourhoods; rejects; the job's manifest."""
    groups = root | ReadGroups(s.corpus)
    pictures = storage.join(s.folder("gather"), "runs")
    gathered = groups | GatherNeighbourhoods(s.corpus, s.folder("mine"), pictures, s.output)
    gathered | FinishPhase(
        s.output,
        VERB,
        start={"rows_in": 0, "rows": {}, "reasons": {}, "used": 0, "parts": []},
        copied={
            "neighbourhoods": s.folder("mine"),
            "clusters": s.folder("cells"),
            "bands": s.folder("cells"),
            "edges": s.folder("duplicates"),
        },
        emptied=(pictures, *(storage.join(s.folder("cells"), one) for one in (RUNS, SAMPLES))),
        indexed=index_rows,
    )


PHASES = {build.__name__: build for build in (choose, cells, duplicates, mine, gather)}


def settings(options: Options, models: model_set.ModelSet) -> Settings:
    """What the phases are told.

    Raises:
      UsageError: a value that makes no sense.
    """
    if not 0 <= options.quality_quantile < 1:
        raise UsageError(f"--quality-quantile {options.quality_quantile}: from 0 to less than 1")
    if not 0 <= options.validation_share <= 1:
        raise UsageError(f"--validation-share {options.validation_share}: from 0 to 1")
    if options.overlap < 1:
        raise UsageError(f"--overlap {options.overlap}: at least 1")
    similarity = options.min_similarity
    if similarity is None:
        similarity = models.image_text.min_similarity
    return Settings(
        corpus=options.corpus,
        output=options.output,
        limits=Limits(options.quality_quantile, models.quality.floor, similarity),
        judge=Judge(models.duplicates, options.validation_share),
        overlap=options.overlap,
        source_column=options.source_column,
    )


def plan(options: Options) -> job.Plan:
    """Five phases over a finished corpus.

    Raises:
      UsageError: no finished corpus, no such model set, a value that makes no sense.
    """
    manifest = shards.require_finished(options.corpus, "corpus")
    corpus_job = shards.read_json(options.corpus, shards.JOB) or {}
    models = model_set.load_set(options.models or corpus_job["settings"]["models"])
    told = settings(options, models)
    rows, parts = manifest["rows"].get("scores", 0), len(manifest["parts"])
    shown = {  # dataset and number of parts that show how far a phase is
        "duplicates": ("verdicts", parts),
        "gather": (shards.REJECTS, parts),
    }
    phases = [
        job.Phase(
            name,
            [options.output if name == "gather" else told.folder(name)],
            functools.partial(_build, name=name, told=told),
            *shown.get(name, ("", 0)),
            rows=rows,
        )
        for name in PHASES
    ]
    resolved = job.settings_of(
        options,
        models=models.name,
        limits=dataclasses.asdict(told.limits),
        duplicates=dataclasses.asdict(told.judge.rule),
        records=schema.versions(schema.Verdict, schema.Neighbourhood, schema.RejectRow),
    )
    inputs = {one["part"]: one["rows"]["scores"] for one in manifest["parts"]}
    return job.Plan(settings=resolved, inputs=inputs, paths={}, phases=phases)


def _build(root: beam.Pipeline, name: str, told: Settings) -> None:
    PHASES[name](root, told)


def main(argv: list[str] | None = None) -> int:
    """The verb `neighbours`."""
    return job.main(VERB, Options, plan, argv)


if __name__ == "__main__":
    sys.exit(main())
