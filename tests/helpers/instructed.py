"""Small finished datasets of stage 2, by hand: rows of every shape, and captions that mean ill."""

import dataclasses
import functools
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from instruct_imagen_data import instructions, keys, schema, shards, tasks
from instruct_imagen_data.instructions import Marker
from instruct_imagen_data.schema import (
    Check,
    Derived,
    Encoded,
    Example,
    Reference,
    RejectRow,
    Slot,
    Variant,
)
from instruct_imagen_data.stages.finish import finish_dataset

KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
CAPTIONS = (
    "a fox in the snow",
    'brackets [ref#2] and [[ref#1], braces {caption}, "quotes" and \\slashes\\',
    "<img><|image_1|></img> <|image_3|> <||image_9|> <|end|> <cfg> </img> <|img> <",
    "two\nlines\r\n\tand \x00 \x85 \u2028 \x1b[31m control",
    "\u05d7\u05ea\u05d5\u05dc \u202e\u05d0\u05d3\u05d5\u05dd \u0642\u0637\u0629 \U0001f98a e\u0301",
    "",
)


@functools.cache
def pixels(number: int) -> np.ndarray:
    """[12, 16, 3] uint8, others for each number."""
    return np.random.default_rng(number).integers(0, 255, (12, 16, 3), dtype=np.uint8)


@functools.cache
def picture(number: int, kind: str = "PNG") -> bytes:
    """An encoded picture of `pixels`; exactly them but for JPEG."""
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels(number)).save(sink, kind, lossless=True)
    return sink.getvalue()


def encoded(number: int, kind: str = "PNG") -> Encoded:
    return Encoded(picture(number, kind), f"of the net/{number}.{KINDS[kind]}")


def references(dataset: str, number: int) -> tuple[Reference, ...]:
    """Several under one marker for subjects; one a marker else; variants for edges."""
    found = []
    for marker, role in enumerate(tasks.TASKS[tasks.DATASETS[dataset].task].references, 1):
        count = 3 if role in ("subject", "face") else 1
        variants = tuple(
            Variant(name, encoded(number + place, "PNG"))
            for place, name in enumerate(("depth", "mask", "odd/name") if role == "edge" else ())
        )
        kind = ("JPEG", "PNG", "WEBP")[number % 3]
        found += [
            Reference(marker, role, f"{role} <|image_1|>", encoded(7 * one + number, kind),
                      role != "subject", variants)
            for one in range(count)
        ]  # fmt: skip
    return tuple(found)


def derived(dataset: str, number: int) -> Derived:
    """A row of a dataset; every fifth is of the validation split."""
    parents = tuple(f"{number:04d}{place:060x}" for place in range(2))
    task = tasks.DATASETS[dataset].task
    return Derived(
        keys.derived_key(dataset, parents), task, dataset,
        CAPTIONS[number % len(CAPTIONS)] if tasks.TASKS[task].captioned else "",
        encoded(number, ("JPEG", "WEBP", "PNG")[number % 3]), 16, 12, references(dataset, number),
        (Slot("style", "Op Art"),) if number % 2 else (), (Check("edge_f1", number / 300),),
        "CC0 1.0; unknown", parents, "validation" if number % 5 == 4 else "train",
    )  # fmt: skip


def example(dataset: str, number: int) -> Example:
    """Its row with an instruction, in which the last marker comes first and the first twice."""
    row = derived(dataset, number)
    cited = sorted({one.marker for one in row.references}, reverse=True)
    text: list[str | Marker] = [row.caption]
    for marker in [*cited, *cited[-1:]]:
        text += [Marker(marker), f" {CAPTIONS[(number + marker) % len(CAPTIONS)]}"]
    given = {field.name: getattr(row, field.name) for field in dataclasses.fields(Derived)}
    return Example(
        instruction=instructions.compose(text), template_id=f"{dataset}/{number % 100:03d}", **given
    )


def write(
    folder: Path,
    dataset: str,
    parts: Sequence[Sequence[Derived | Example]],
    rejects: Iterable[tuple[str, str]] = (),
) -> None:
    """A finished dataset in its folder.

    Args:
      parts: Rows of each; a part may be empty.
      rejects: (key, reason) of what was rejected.
    """
    record = type(next(row for rows in parts for row in rows))
    lost = [
        RejectRow(key, "", "", "test", reason, "", "", "", None, None) for key, reason in rejects
    ]
    home = str(folder / dataset)
    job = {"job": "instruct" if record is Example else "test", "settings": {}, "paths": {}}
    named = {f"{number:05d}": rows for number, rows in enumerate(parts)}
    inputs = {part: len(rows) for part, rows in named.items()}
    shards.write_json(home, shards.JOB, job | {"inputs": inputs})
    for part, rows in named.items():
        here = lost if part == "00000" else []
        table = schema.table_of(RejectRow, here)
        sha256 = shards.write_part(str(folder), dataset, part, schema.table_of(record, rows))
        counts = {dataset: len(rows), shards.REJECTS: len(here)}
        reasons = shards.reasons_of(table)
        commit = shards.Commit(
            part, len(rows) + len(here), counts, {dataset: sha256}, reasons, True
        )
        shards.write_commit(home, commit, table)
    finish_dataset(home, str(job["job"]), dataset)


def write_all(folder: Path) -> dict[str, list[Example]]:
    """Every dataset of stage 2; `natural` has a part of two row groups. Its rows, in order."""
    found = {}
    for dataset in tasks.DATASETS:
        rows = [example(dataset, number) for number in range(130 if dataset == "natural" else 13)]
        write(folder, dataset, [rows[:-3], rows[-3:]])
        found[dataset] = rows
    return found
