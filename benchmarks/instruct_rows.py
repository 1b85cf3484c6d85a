"""Examples and templates for the benchmark of `instruct`: depth_webli, of planted pictures."""

import io
import shutil
from itertools import islice
from pathlib import Path

from corpus import usable
from PIL import Image, ImageFilter

from instruct_imagen_data import images, keys, planted, schema, shards, storage
from instruct_imagen_data.schema import Derived, Encoded, Reference, RejectRow
from instruct_imagen_data.stages.derived import target_of

DATASET = "depth_webli"
SIDE, PICTURES, ROWS_A_PART = 256, 64, 256
WORDINGS = (
    "Paint {caption}, keeping the layout of the {ref#1}.",
    "{caption}. Follow the {ref#1}.",
    "Could you show this scene: {caption}? Its distances are those of the {ref#1}, please.",
    "Brief. Picture: {caption}. Guide: {ref#1}.",
)


def write_templates(folder: Path) -> Path:
    """A hundred templates; the path of their file."""
    lines = ['task = "depth_to_image"', "[provenance]", 'generator = "benchmark"']
    lines += ['reviewed_by = "benchmark"', 'reviewer_kind = "agent"']
    for number in range(100):
        split = "validation" if number >= 90 else "train"
        text = f"({number}) {WORDINGS[number % len(WORDINGS)]}"
        lines += ["[[template]]", f'id = "{DATASET}/{number + 1:03d}"', f'split = "{split}"']
        lines.append(f'text = "{text}"')
    path = folder / "templates" / f"{DATASET}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path


def pictures(folder: Path) -> list[tuple[bytes, bytes, str]]:
    """(JPEG, PNG of a grey map, caption) of some planted pictures."""
    planted.plant(folder / "web", 3 * PICTURES, seed=0)
    found = []
    for data, caption in islice(usable(sorted((folder / "web").glob("*.tar"))), PICTURES):
        target = target_of(images.read(data), SIDE)
        sink = io.BytesIO()
        grey = Image.fromarray(target.rgb).convert("L").filter(ImageFilter.GaussianBlur(4))
        grey.save(sink, "PNG")
        found.append((target.encoded, sink.getvalue(), caption.decode()))
    return found


def write_examples(folder: Path, made: list[tuple[bytes, bytes, str]], rows: int) -> float:
    """A finished dataset of so many rows; bytes a row."""
    output = folder / str(rows)
    shutil.rmtree(output, ignore_errors=True)
    commits = []
    for start in range(0, rows, ROWS_A_PART):
        some = []
        for number in range(start, min(start + ROWS_A_PART, rows)):
            target, grey, caption = made[number % len(made)]
            key = keys.derived_key(DATASET, (str(number),))
            reference = Reference(1, "depth", "depth map", Encoded(grey, "a.png"), True, ())
            picture = Encoded(target, "a.jpg")
            some.append(
                Derived(
                    key, "depth_to_image", DATASET, f"{caption}, {number}", picture, SIDE, SIDE,
                    (reference,), (), (), "CC0", (str(number),), "train",
                )
            )  # fmt: skip
        part = f"{start // ROWS_A_PART:05d}-000"
        table = schema.table_of(Derived, some)
        sha256 = shards.write_part(str(output), DATASET, part, table)
        shards.write_part(str(output / DATASET), "_rejects", part, schema.table_of(RejectRow, []))
        commits.append({"part": part, "rows": {DATASET: len(some)}, "sha256": {DATASET: sha256}})
    place = str(output / DATASET)
    empty = {"job": "control", "settings": {}, "inputs": {}, "paths": {}}
    shards.write_json(place, shards.JOB, empty)
    shards.write_json(place, shards.MANIFEST, {**empty, "dataset": DATASET, "parts": commits})
    return sum(file.size for file in storage.list_files(place)) / rows
