"""Small finished folders of both stages, as `neighbours` and `instruct` write them."""

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from instruct_imagen_data import mixture, schema, tasks

TEMPLATES = {
    "train": ("Draw {caption} NEED.", "NEED: {caption}", "Show {caption} once more, by NEED"),
    "validation": ("As a test, {caption}, by NEED",),
}


def encoded(number: int, width: int = 24, height: int = 20, kind: str = "PNG") -> bytes:
    """A picture that tells its number: its red and green are all of one value."""
    sink = io.BytesIO()
    y, x = np.mgrid[0:height, 0:width]
    blue = (7 * x + 5 * y) % 256
    flat = np.full((height, width), 0, np.uint8)
    rgb = np.stack([flat + number % 256, flat + number // 256, blue.astype(np.uint8)], 2)
    Image.fromarray(rgb).save(sink, kind)
    return sink.getvalue()


def split_of(row: int) -> str:
    """Of a row: every seventh is for validation."""
    return "validation" if row % 7 == 6 else "train"


def neighbourhood(row: int, split: str) -> schema.Neighbourhood:
    members = [
        schema.Member(
            f"{row}.{place}",
            f"thing {row}, view {place}",
            schema.Encoded(encoded(row), "a.png"),
        )
        for place in range(5)
    ]
    return schema.Neighbourhood(f"id{row}", "food", "food-0", split, tuple(members), (0.5,) * 10)


def example(dataset: str, row: int, split: str, pictures: int = 2) -> schema.Example:
    """A row of a dataset; a subject or face has several pictures under its marker."""
    task = tasks.TASKS[tasks.DATASETS[dataset].task]
    references = []
    for number, role in enumerate(task.references, 1):
        aligned = role in ("depth", "mask", "edge", "sketch", "content")
        many = pictures if role in ("subject", "face") else 1
        names = ("depth", "mask") if role == "edge" else ()
        variants = tuple(
            schema.Variant(name, schema.Encoded(encoded(row + 1 + i), "v.png"))
            for i, name in enumerate(names)
        )
        one = schema.Reference(
            number, role, f"a {role}", schema.Encoded(encoded(row), "r.png"), aligned, variants
        )
        references += [one] * many
    caption = f"caption {row}" if task.captioned else ""
    return schema.Example(
        f"{dataset}{row}", task.name, dataset, "unused", "old/001", caption,
        schema.Encoded(encoded(row), "t.png"), 24, 20, tuple(references), (), (),
        "CC0 1.0", (f"source{row}",), split,
    )  # fmt: skip


def write_set(
    folder: Path, name: str, record: type, rows: Sequence[Any], parts: int, group: int, verb: str
) -> None:
    """A finished dataset: parts of nearly one size, and a manifest beside or above them."""
    place = folder / name
    place.mkdir(parents=True)
    told = []
    for part, numbers in enumerate(np.array_split(np.arange(len(rows)), parts)):
        table = schema.table_of(record, [rows[n] for n in numbers])
        pq.write_table(table, place / f"part-{part:05d}.parquet", row_group_size=group)
        told.append({"part": f"{part:05d}", "rows": {name: len(numbers)}})
    owner = folder if verb == "neighbours" else place
    text = json.dumps({"job": verb, "dataset": name, "parts": told})
    (owner / "_MANIFEST.json").write_text(text)


def write_stage1(
    folder: Path,
    rows: int = 60,
    change: Callable[[schema.Neighbourhood], schema.Neighbourhood] = lambda one: one,
    parts: int = 3,
    group: int = 8,
) -> Path:
    """A folder of `neighbours` with so many rows."""
    made = [change(neighbourhood(row, split_of(row))) for row in range(rows)]
    write_set(folder, "neighbourhoods", schema.Neighbourhood, made, parts, group, "neighbours")
    return folder


def write_templates(folder: Path, dataset: str, texts: Mapping[str, Sequence[str]]) -> None:
    """A template file; NEED stands for what the dataset's templates must cite."""
    task = tasks.TASKS[tasks.DATASETS[dataset].task]
    cited = " and ".join(f"{{ref#{n}}}" for n in range(1, len(task.references) + 1))
    lines = [f'task = "{task.name}"', "[provenance]", 'generator = "hand"', 'reviewed_by = "us"']
    lines += ['reviewer_kind = "person"', 'reviewed_on = "2026-01-01"']
    for split, some in texts.items():
        for number, text in enumerate(some):
            caption = "{caption}" if task.captioned else "it"
            filled = text.replace("NEED", cited).replace("{caption}", caption)
            lines += ["[[template]]", f'id = "{split}/{number}"', f'split = "{split}"']
            lines += [f"text = {json.dumps(filled)}"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{dataset}.toml").write_text("\n".join(lines) + "\n")


def write_stage2(
    folder: Path,
    rows: Mapping[str, int],
    change: Callable[[schema.Example], schema.Example] = lambda one: one,
    templates: Mapping[str, Sequence[str]] = TEMPLATES,
    ratios: Mapping[str, float] | None = None,
    group: int = 4,
) -> Path:
    """A folder of `instruct`, its templates in `folder/templates`; ratios are Table 1's."""
    for dataset, many in rows.items():
        made = [change(example(dataset, row, split_of(row))) for row in range(many)]
        write_set(folder, dataset, schema.Example, made, 2, group, "instruct")
        write_templates(folder / "templates", dataset, templates)
    shares = mixture.of_rows(dict(rows))
    if ratios is not None:
        shares = tuple(dataclasses.replace(one, ratio=ratios[one.dataset]) for one in shares)
    (folder / "mixture.toml").write_text(mixture.write(shares))
    return folder
