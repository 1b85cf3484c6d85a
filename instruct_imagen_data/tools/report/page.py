"""The page: what was counted and drawn, put into the template."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import jinja2

import instruct_imagen_data
from instruct_imagen_data.tools import finished, reasons, truth
from instruct_imagen_data.tools.finished import Finished, Jobs
from instruct_imagen_data.tools.report import counts, examples, instructed, samples
from instruct_imagen_data.tools.report.samples import Sample

_REFUSED = 5  # rows named for each reason
_GALLERY = 12
_LADDER = 12
_COPIES = 12
_KEPT = 24
_BY_DOMAIN = 7
_MOST_DOMAINS = 16
_FIVES = 30
_DIGITS = 16  # of a hash that are shown


@dataclasses.dataclass(frozen=True)
class Drawn:
    """The rows that are shown, by where on the page."""

    ladder: Sequence[Sample]
    kept: Sequence[Sample]
    copies: Sequence[Sample]
    galleries: Mapping[str, Sequence[Sample]]  # by reason
    by_domain: Mapping[str, Sequence[Sample]]

    def keys(self) -> Iterator[str]:
        """Of every picture that is needed."""
        several = [self.ladder, self.kept, self.copies]
        for rows in [*several, *self.galleries.values(), *self.by_domain.values()]:
            yield from (row.key for row in rows)
        yield from (row.survivor for row in self.copies)


def draw(database: duckdb.DuckDBPyConnection, domains: Sequence[counts.DomainCount]) -> Drawn:
    """The rows to show, from the table `pictures`."""
    with_pictures = [*reasons.UNCHOSEN, *reasons.UNUSED]
    return Drawn(
        ladder=samples.ladder(database, _LADDER),
        kept=samples.draw(database, "fate IS NULL OR fate = ''", _KEPT),
        copies=samples.draw(database, "fate = 'duplicate'", _COPIES),
        galleries={
            reason: samples.draw(database, "fate = $value", _GALLERY, "value", reason)
            for reason in with_pictures
        },
        by_domain={
            one.name: samples.draw(
                database,
                "domain = $value" + (" AND domain_accepted" if one.accepted else ""),
                _BY_DOMAIN,
                "domain_probability DESC",
                one.name,
            )
            for one in domains[:_MOST_DOMAINS]
        },
    )


def render(jobs: Jobs, rows: Sequence[truth.Row]) -> str:
    """The report of finished jobs as one HTML page; `rows` are the truth's, or none."""
    database = finished.connect(jobs)
    counts.prepare(database, jobs)
    domains = counts.domains(database)
    drawn = draw(database, domains)
    neighbours = jobs.neighbours
    manifest = neighbours.manifest if neighbours is not None else {}
    fives = samples.neighbourhoods(database, neighbours, _FIVES) if neighbours is not None else []
    template = _environment().get_template("page.html.j2")
    return template.render(
        vars(drawn),
        pictures=samples.pictures(database, jobs.corpus, drawn.keys()),
        neighbours=neighbours is not None,
        source=_source(jobs.corpus),
        steps=counts.steps(jobs),
        made=manifest.get("neighbourhoods", 0),
        fives=fives,
        truth=rows,
        refused=_refused(database, jobs.corpus.manifest["reasons"]),
        quality=counts.quality(database, jobs),
        similarity=counts.similarity(database, jobs),
        domains=domains,
        widest=max((one.rows for one in domains), default=1),
        rule=neighbours.settings["duplicates"] if neighbours is not None else {},
        evidence=counts.evidence(database, jobs),
        bands=counts.bands(database, jobs),
        datasets=examples.galleries(jobs.examples),
        instructed=instructed.datasets(jobs.instructed),
        jobs=[(job.verb, job.folder, list(_facts(job))) for job in jobs],
        folders=" ".join(job.folder for job in jobs),
    )


def _refused(
    database: duckdb.DuckDBPyConnection, counted: Mapping[str, int]
) -> list[tuple[str, int, list[Any]]]:
    """(reason, rows, some of them) of the pairs that the corpus job could not use."""
    named = {
        reason: database.execute(
            "SELECT origin, detail, url FROM refused WHERE reason = $1 "
            "ORDER BY md5('report' || key), origin LIMIT $2",
            [reason, _REFUSED],
        ).fetchall()
        for reason in counted
    }
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return [(reason, rows, named[reason]) for reason, rows in ordered]


def _source(corpus: Finished) -> str:
    """Where the pairs came from and what measured them, in a line."""
    files = len(corpus.job["inputs"])
    told = [f"{files:,} input file{'s' * (files != 1)}", f"model set {corpus.settings['models']}"]
    return ", ".join([*told, f"precision {corpus.settings['precision']}"])


def _facts(job: Finished) -> Iterator[tuple[str, str]]:
    """What a job worked with: its inputs and settings, hashes cut short."""
    inputs = job.job.get("inputs", {})
    if inputs:
        names = list(inputs)
        span = names[0] if len(names) == 1 else f"{len(names)}, {names[0]} to {names[-1]}"
        yield "inputs", span
    yield "rows", f"{job.manifest['rows_in']:,} in {len(job.manifest.get('parts', []))} parts"
    for name, value in job.settings.items():
        if isinstance(value, dict):
            told = (f"{role} {str(text)[:_DIGITS]}" for role, text in value.items())
            yield name, ", ".join(told)
        elif value not in ("", None):
            yield "--" + name.replace("_", "-"), str(value)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("instruct_imagen_data.tools.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "share": lambda value: f"{100 * value:.1f} %",
        "percent": lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "none",
        "short": lambda value: f"{value:.3g}",
        "ratio": lambda value: f"{min(max(value, 0.6), 2.2):.3f}",  # of a thumbnail in a wall
    }
    environment.globals |= {
        "words": reasons.of,
        "evidence_words": reasons.EVIDENCE,
        "version": instruct_imagen_data.__version__,
    }
    return environment
