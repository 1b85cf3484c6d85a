"""Accepted drafts into the template files, and out again where somebody takes an acceptance back.

The files follow the decisions: a template that was made of a draft names it (`draft`), so that the
same decisions, read again after a crash, change nothing.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from instruct_imagen_data import storage, tasks, templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.review import words
from instruct_imagen_data.tools.templates.review.findings import findings

TEMPLATE, RETIRED = "template", "retired"


def move(dataset: str, drafts_folder: str, folder: str) -> None:
    """Puts a dataset's template file in the state that the decisions ask for.

    An accepted draft becomes a template with the next free id, one in ten for validation. One that
    was rejected since, or edited to another text, goes to the tables `[[retired]]`, which nobody
    draws from: its id is never given again. Templates that were made of no draft here, and
    comments, stay as they are.

    Raises:
      UsageError: the file cannot be read, or not be written.
    """
    path = templates.path_of(dataset, folder)
    with _alone(path.parent):
        wanted = _wanted(dataset, drafts_folder, folder)
        found = _open(path, dataset)
        before = tomlkit.dumps(found)
        _follow(found, dataset, wanted)
        after = tomlkit.dumps(found)
        if after == before:
            return
        try:
            storage.write_bytes(str(path), after.encode())
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error


Fields = dict[str, str]


def _wanted(dataset: str, drafts_folder: str, folder: str) -> dict[str, Fields | None]:
    """Draft -> fields of its template; None for those that were decided on and are to be none."""
    said = words.last_words(drafts.decisions(dataset, drafts_folder))
    wanted: dict[str, Fields | None] = {}
    for draft in drafts.read(dataset, drafts_folder):
        if draft.id not in said:
            continue
        one = words.accepted(said[draft.id].values())
        if one is None or findings(one.text, dataset, draft.id, folder):
            wanted[draft.id] = None
            continue
        wanted[draft.id] = {
            "text": one.text,
            "generator": draft.generator,
            "reviewed_by": one.reviewed_by,
            "reviewer_kind": one.reviewer_kind,
            "reviewed_on": one.reviewed_on,
            "draft": draft.id,
        }
    return wanted


def _follow(found: tomlkit.TOMLDocument, dataset: str, wanted: Mapping[str, Fields | None]) -> None:
    """Retires, changes and adds templates of drafts, so that the file holds what is wanted."""
    there = set()
    for at, table in reversed(list(enumerate(found.get(TEMPLATE, [])))):
        draft = table.get("draft")
        if draft not in wanted:
            continue
        fields = wanted[draft]
        if fields is None or table["text"] != fields["text"]:
            _tables(found, RETIRED).append(found[TEMPLATE].pop(at))
            continue
        there.add(draft)
        for name, value in fields.items():
            if table.get(name) != value:
                table[name] = value
    if TEMPLATE in found and not found[TEMPLATE]:
        del found[TEMPLATE]  # it would be written as an empty list
    for draft, fields in wanted.items():
        if fields is not None and draft not in there:
            new = {"id": _next_id(found, dataset)} | _split(found) | fields
            _append(_tables(found, TEMPLATE), new)


def _split(found: Mapping[str, Any]) -> Fields:
    """The split of one more template: every tenth of a file is for validation rows."""
    there = found.get(TEMPLATE, [])
    held = sum(table.get("split") == "validation" for table in there)
    return {"split": "validation"} if 10 * (held + 1) <= len(there) + 1 else {}


def _next_id(found: Mapping[str, Any], dataset: str) -> str:
    """The id after the highest that is there or was."""
    given = [0]
    for table in (*found.get(TEMPLATE, []), *found.get(RETIRED, [])):
        name, _, number = str(table.get("id")).rpartition("/")
        if name == dataset and number.isdecimal():
            given.append(int(number))
    return f"{dataset}/{max(given) + 1:03d}"


def _tables(found: tomlkit.TOMLDocument, name: str) -> AoT:
    """An array of tables of the file, made at its end where there is none."""
    if name not in found:
        if not tomlkit.dumps(found).endswith("\n\n"):
            found.add(tomlkit.nl())
        found.append(name, tomlkit.aot())
    tables = found[name]
    if not isinstance(tables, AoT):
        raise UsageError(f"{name} is not written as [[{name}]] tables")
    return tables


def _append(tables: AoT, fields: Fields) -> None:
    if len(tables):
        last: Table = tables[-1]
        if not last.as_string().endswith("\n\n"):
            last.add(tomlkit.nl())
    table = tomlkit.table()
    table.update(fields)
    tables.append(table)


def _open(path: Path, dataset: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.parse(
            f'# Templates of {dataset}.\ntask = "{tasks.DATASETS[dataset].task}"\n\n'
        )
    except (OSError, ValueError, TOMLKitError) as error:
        raise UsageError(f"{path} cannot be read as templates: {error}") from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process or thread at a time reads decisions and writes template files of a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"--templates {folder} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
