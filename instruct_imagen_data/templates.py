"""Template files: the wordings of each dataset, with who wrote and who reviewed them.

`templates/DATASET.toml` holds them. They are read once, where a job is planned, and travel as
values; a file that nobody reviewed is refused.
"""

import dataclasses
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from instruct_imagen_data import instructions, keys, tasks
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.instructions import InstructionError

SPLITS = ("train", "validation")
REVIEWER_KINDS = ("person", "agent")
PROVENANCE = ("generator", "reviewed_by", "reviewer_kind", "reviewed_on")
FIELDS = {"id", "text", "split", "draft", *PROVENANCE}  # draft: it was made of, see tools


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """One wording of a task.

    Attributes:
      id: Such as "depth_webli/001"; kept for ever, never given to another text.
      text: With slots, see `instructions`.
      split: "train", or "validation": for rows of that split alone.
      generator: Who wrote it: a model's name, or a hand.
      reviewed_by: Who read it and found it right.
      reviewer_kind: person or agent.
      reviewed_on: ISO date.
    """

    id: str
    text: str
    split: str
    generator: str
    reviewed_by: str
    reviewer_kind: str
    reviewed_on: str


@dataclasses.dataclass(frozen=True, slots=True)
class Templates:
    """The templates of a dataset.

    Attributes:
      dataset: Name in tasks.DATASETS.
      templates: In the order of the file.
      sha256: Hex, of the file's bytes.
    """

    dataset: str
    templates: tuple[Template, ...]
    sha256: str

    def usable(self, split: str, given: Iterable[str]) -> tuple[Template, ...]:
        """Those of a split that need nothing but what a row gives (caption, ref#1, style ...)."""
        return _usable(self.templates, split, frozenset(given))

    def draw(self, key: str, split: str, given: Iterable[str]) -> Template | None:
        """The template of a row, by hash of its key; None where none is usable."""
        return pick(self.usable(split, given), key)


def pick(usable: Sequence[Template], key: str, salt: str = "template") -> Template | None:
    """One of some templates, by hash of (key, salt); None where there is none."""
    return usable[keys.draw64(key, salt) % len(usable)] if usable else None


def _usable(
    templates: Sequence[Template], split: str, given: frozenset[str]
) -> tuple[Template, ...]:
    return tuple(
        one for one in templates if one.split == split and instructions.wanted(one.text) <= given
    )


def shipped() -> Path:
    """The folder of the templates that come with the project."""
    return Path(str(resources.files("instruct_imagen_data"))) / "template_files"


def path_of(dataset: str, folder: str = "") -> Path:
    """A dataset's file, in a folder or, by default, among the shipped ones."""
    return (Path(folder) if folder else shipped()) / f"{dataset}.toml"


def known_slots(dataset: str) -> frozenset[str]:
    """Keys of all slots that a dataset's templates may use: caption, style, ref#1 ..."""
    found = tasks.DATASETS[dataset]
    task = tasks.TASKS[found.task]
    references = (f"ref#{number}" for number in range(1, len(task.references) + 1))
    return frozenset((*references, *found.slots, *(["caption"] if task.captioned else [])))


def values_of(
    caption: str, references: Iterable[tuple[int, str]], slots: Mapping[str, str]
) -> dict[str, str]:
    """What a row gives to a template: the value of each slot that it fills.

    Args:
      caption: '' where the task has none.
      references: Marker and text of each picture; those of one marker have one text.
      slots: The row's own, such as style and artist; an empty one is not given.
    """
    given = {name: value for name, value in slots.items() if value}
    if caption:
        given["caption"] = caption
    return given | {f"ref#{number}": text for number, text in references}


def check(text: str, dataset: str) -> None:
    """Whether a template fits its dataset.

    Raises:
      InstructionError: it has a slot of another one, or lacks a reference or the caption.
    """
    found = tasks.DATASETS[dataset]
    task = tasks.TASKS[found.task]
    unknown = instructions.wanted(text) - known_slots(dataset)
    if unknown:
        known = ", ".join(f"{{{one}}}" for one in sorted(known_slots(dataset)))
        odd = ", ".join(f"{{{one}}}" for one in sorted(unknown))
        raise InstructionError(f"{odd} is no slot of {dataset}; it has {known}")
    missing = set(range(1, len(task.references) + 1)) - set(instructions.cited(text))
    if missing:
        raise InstructionError(f"it does not cite {{ref#{min(missing)}}}")
    if task.captioned and "caption" not in instructions.wanted(text):
        raise InstructionError("it does not use {caption}")


def read(path: Path) -> Templates:
    """A template file, checked; drafts and unreviewed files are refused.

    Raises:
      UsageError: no such file, no TOML, of another task, or a template that is not fit for use;
        the message names file and template.
    """
    try:
        data = path.read_bytes()
        found = tomllib.loads(data.decode())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as templates: {error}") from error
    dataset = path.stem
    if dataset not in tasks.DATASETS:
        raise UsageError(f"{path}: no dataset {dataset}; known are {', '.join(tasks.DATASETS)}")
    if found.get("task") != tasks.DATASETS[dataset].task:
        raise UsageError(f'{path}: task is not "{tasks.DATASETS[dataset].task}"')
    templates = []
    for row in found.get("template", []):
        place = f"{path}: template {row.get('id', '?')}"
        templates.append(_template(row, found.get("provenance", {}), dataset, place))
    ids = [one.id for one in templates]
    if len(set(ids)) < len(ids):
        raise UsageError(f"{path}: two templates share an id")
    if not templates:
        raise UsageError(f"{path} holds no template")
    return Templates(dataset, tuple(templates), hashlib.sha256(data).hexdigest())


def _template(
    row: Mapping[str, Any], provenance: Mapping[str, Any], dataset: str, place: str
) -> Template:
    unknown = row.keys() - FIELDS
    if unknown or not {"id", "text"} <= row.keys():
        raise UsageError(f"{place}: has fields {sorted(row)}; known are {sorted(FIELDS)}")
    by = {name: str(row.get(name, provenance.get(name, ""))) for name in PROVENANCE}
    if not by["reviewed_by"] or by["reviewer_kind"] not in REVIEWER_KINDS:
        raise UsageError(
            f"{place}: nobody reviewed it (reviewed_by, and reviewer_kind person or agent); "
            "instruct-imagen templates review"
        )
    split = str(row.get("split", "train"))
    if split not in SPLITS:
        raise UsageError(f"{place}: split {split!r} is neither train nor validation")
    try:
        check(str(row["text"]), dataset)
    except InstructionError as error:
        raise UsageError(f"{place}: {error}") from error
    return Template(str(row["id"]), str(row["text"]), split, **by)
