"""A template file as far as it can be read, with all that is wrong in it.

`templates.read` refuses a file at its first fault; a linter names them all.
"""

import dataclasses
import datetime
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from instruct_imagen_data import tasks, templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.templates import Template
from instruct_imagen_data.tools.templates.lint.findings import Finding

VALIDATION = 0.1  # share of a file's templates that is kept for validation rows


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """A file that was read.

    Attributes:
      file: As it was named.
      dataset: Name in tasks.DATASETS; '' where there is none of the file's name.
      templates: Those that have an id and a text, in the order of the file; fields that are
        missing are ''.
      findings: What is wrong with the file, its fields, ids, reviews and splits.
    """

    file: str
    dataset: str
    templates: tuple[Template, ...]
    findings: tuple[Finding, ...]


def read(path: Path, name: str) -> Read:
    """A template file, checked as a file; its texts are not looked at.

    Raises:
      UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {path}")
    dataset = path.stem if path.stem in tasks.DATASETS else ""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Read(name, dataset, (), (Finding(name, "", "toml", f"no TOML: {error}"),))
    told = [Finding(name, "", rule, message) for rule, message in _of_file(found, path.stem)]
    rows = found.get("template", [])
    kept = []
    for row in rows if isinstance(rows, list) else []:
        place = str(row.get("id", "")) if isinstance(row, dict) else ""
        told += [Finding(name, place, "fields", message) for message in _of_fields(row)]
        if isinstance(row, dict) and isinstance(row.get("text"), str) and place:
            kept.append(_template(row, found.get("provenance", {})))
    for one in kept:
        told += [Finding(name, one.id, *each) for each in _of_template(one, dataset)]
    told += [Finding(name, *each) for each in _of_all(kept)]
    return Read(name, dataset, tuple(kept), tuple(told))


def _of_file(found: Mapping[str, Any], stem: str) -> Iterator[tuple[str, str]]:
    if stem not in tasks.DATASETS:
        yield "dataset", f"no dataset {stem}; known are {', '.join(tasks.DATASETS)}"
    elif found.get("task") != tasks.DATASETS[stem].task:
        yield "dataset", f'task is not "{tasks.DATASETS[stem].task}"'
    unknown = found.keys() - {"task", "provenance", "template", "retired"}
    if unknown:
        yield "fields", f"unknown {', '.join(sorted(unknown))}"
    provenance = found.get("provenance", {})
    if not isinstance(provenance, dict):
        yield "fields", "[provenance] is no table"
    elif provenance.keys() - set(templates.PROVENANCE):
        unknown = provenance.keys() - set(templates.PROVENANCE)
        yield "fields", f"[provenance] has unknown {', '.join(sorted(unknown))}"
    if not found.get("template") or not isinstance(found["template"], list):
        yield "fields", "it holds no [[template]]"


def _of_fields(row: Any) -> Iterator[str]:
    if not isinstance(row, dict):
        yield "it is no table"
        return
    for name in ("id", "text"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            yield f"no {name}"
    for name in sorted(row.keys() - templates.FIELDS):
        yield f"unknown field {name}; known are {', '.join(sorted(templates.FIELDS))}"


def _template(row: Mapping[str, Any], provenance: Any) -> Template:
    given = provenance if isinstance(provenance, dict) else {}
    by = {name: str(row.get(name, given.get(name, ""))) for name in templates.PROVENANCE}
    return Template(str(row["id"]), row["text"], str(row.get("split", "train")), **by)


def _of_template(one: Template, dataset: str) -> Iterator[tuple[str, str]]:
    if dataset and not re.fullmatch(re.escape(dataset) + r"/[0-9]{3,}", one.id):
        yield "id", f"an id is {dataset}/ and three digits"
    if one.split not in templates.SPLITS:
        yield "split", f"{one.split!r} is neither {' nor '.join(templates.SPLITS)}"
    if not one.generator:
        yield "reviewed", "no generator: who wrote it?"
    if not one.reviewed_by or one.reviewer_kind not in templates.REVIEWER_KINDS:
        kinds = " or ".join(templates.REVIEWER_KINDS)
        yield "reviewed", f"nobody reviewed it: reviewed_by, and reviewer_kind {kinds}"
    try:
        datetime.date.fromisoformat(one.reviewed_on)
    except ValueError:
        yield "reviewed", f"reviewed_on {one.reviewed_on!r} is no date such as 2026-11-25"


def _of_all(found: list[Template]) -> Iterator[tuple[str, str, str]]:
    """(id, rule, message) of what is wrong with the templates of a file taken together."""
    for name, count in Counter(one.id for one in found).items():
        if count > 1:
            yield name, "id", f"{count} templates share it"
    held = sum(one.split == "validation" for one in found)
    if abs(held - VALIDATION * len(found)) >= 1:
        wanted = round(VALIDATION * len(found))
        yield "", "split", f"{held} of {len(found)} are for validation, where {wanted} should be"
