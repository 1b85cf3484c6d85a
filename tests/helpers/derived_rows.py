"""Small finished datasets of derived rows, and template files, for the tests of what reads them.

Pictures are random bytes: nothing that moves them may look at them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from instruct_imagen_data import keys, schema, shards, tasks
from instruct_imagen_data.schema import Check, Derived, Encoded, Reference, RejectRow, Slot, Variant

TEXTS = {
    "depth": "depth map", "mask": "object mask", "edge": "edge image", "sketch": "sketch",
    "subject": "cat", "face": "person", "style": "Realism", "content": "content image",
}  # fmt: skip
WORDINGS = 20  # templates a file: the last four are for validation


def noise(name: str, size: int = 300) -> bytes:
    """Bytes that are no picture, other ones for each name."""
    return hashlib.shake_128(name.encode()).digest(size)


def row(dataset: str, number: int, /, **changes: Any) -> Derived:
    """A row of a dataset: every seventh is of the validation split, every third has no slots."""
    task = tasks.TASKS[tasks.DATASETS[dataset].task]
    name = f"{dataset}-{number}"
    references = []
    for marker, role in enumerate(task.references, 1):
        for copy in range(1 + number % 3 if role in ("subject", "face") else 1):
            picture = Encoded(noise(f"{name}-{marker}-{copy}"), "r.png")
            variants = (Variant("photo", picture),) if role == "edge" else ()
            references.append(Reference(marker, role, TEXTS[role], picture, False, variants))
    slots = [Slot(one, f"{one} {number}") for one in tasks.DATASETS[dataset].slots]
    made: dict[str, Any] = {
        "key": keys.derived_key(dataset, (name,)),
        "task": task.name,
        "dataset": dataset,
        "caption": f"thing number {number}" if task.captioned else "",
        "image": Encoded(noise(name), "t.jpg"),
        "width": 16 + number,
        "height": 12,
        "references": tuple(references),
        "slots": tuple(slots) if number % 3 else (),
        "checks": (Check("one", 0.5),) * (number % 2),
        "licence": "CC0",
        "sources": (f"source {number}",),
        "split": "train" if number % 7 else "validation",
    }
    return Derived(**{**made, **changes})


def write(folder: Path, datasets: Mapping[str, Mapping[str, Sequence[Derived]]]) -> Path:
    """A folder as `derive` leaves it: {dataset: {part: rows}}."""
    for dataset, parts in datasets.items():
        place, lines = str(folder / dataset), []
        settings = {"dataset": dataset, "records": schema.versions(Derived, RejectRow)}
        inputs = {part: len(rows) for part, rows in parts.items()}
        started = {"job": "natural", "settings": settings, "inputs": inputs, "paths": {}}
        shards.write_json(place, shards.JOB, started)
        for part, rows in parts.items():
            table = schema.table_of(Derived, rows)
            sha256 = shards.write_part(str(folder), dataset, part, table)
            counts = {dataset: len(rows), shards.REJECTS: 0}
            commit = shards.Commit(part, len(rows), counts, {dataset: sha256}, {}, last=True)
            shards.write_commit(place, commit, schema.table_of(RejectRow, []))
            lines.append({"part": part, "rows": counts, "sha256": commit.sha256})
        finished = {"job": "natural", "dataset": dataset, "parts": lines}
        shards.write_json(place, shards.MANIFEST, finished)
    return folder


def template(dataset: str, number: int) -> str:
    """The text of a template; every fourth needs the dataset's slots, if it has some."""
    found = tasks.DATASETS[dataset]
    task = tasks.TASKS[found.task]
    needed = [f"{{ref#{marker}}}" for marker in range(len(task.references), 0, -1)]
    needed += ["{mark#1}"] * (number % 2 and bool(task.references))
    needed += ["{caption}"] * task.captioned
    needed += [f"{{{slot}}}" for slot in found.slots] * (number % 4 == 0)
    return f"{number}: " + " and ".join(needed)


def write_templates(folder: Path, *datasets: str) -> Path:
    """A folder with a reviewed file for each dataset, all by default."""
    folder.mkdir(parents=True, exist_ok=True)
    for dataset in datasets or tasks.DATASETS:
        lines = [f'task = "{tasks.DATASETS[dataset].task}"', "[provenance]", 'generator = "test"']
        lines += ['reviewed_by = "test"', 'reviewer_kind = "person"']
        for number in range(WORDINGS):
            split = "validation" if number >= WORDINGS - 4 else "train"
            lines += ["[[template]]", f'id = "{dataset}/{number:03d}"', f'split = "{split}"']
            lines.append(f'text = "{template(dataset, number)}"')
        (folder / f"{dataset}.toml").write_text("\n".join(lines))
    return folder
