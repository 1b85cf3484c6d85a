"""Writing a planted web: tars as img2dataset makes them, the truth, and the maps of its views."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from instruct_imagen_data.planted.payloads import Payload, payload
from instruct_imagen_data.planted.web import Planned, plan

TRUTH = pa.schema(
    [
        pa.field("origin", pa.string(), nullable=False),
        pa.field("entity", pa.string()),
        pa.field("topic", pa.string()),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("quality", pa.string(), nullable=False),
        pa.field("duplicate_of", pa.string()),
        pa.field("defect", pa.string()),
        pa.field("degradation", pa.string()),
        pa.field("copy_kind", pa.string()),
        pa.field("trap", pa.string()),
        pa.field("view", pa.int32(), nullable=False),
    ]
)
MAPS = pa.schema([pa.field(name, pa.binary() if name != "origin" else pa.string(), nullable=False)
                  for name in ("origin", "depth", "edge", "mask")])  # fmt: skip
_LICENCES = ("CC-BY 4.0", "CC-BY-SA 4.0", "CC0 1.0", "?", "All rights reserved")


def plant(
    output: Path, pairs: int, seed: int, progress: Callable[[int], object] | None = None
) -> None:
    """Fill the folder `output` with a web of so many pairs.

    Tars 00000.tar ... of about 100 pairs; maps-00000.parquet ... beside them (origin; depth, edge
    and mask as 8-bit grey PNG, for each pair that is a view of an entity and no copy);
    truth.parquet, a row a pair, last. progress is called with 1 for each pair written.
    """
    cv2.setNumThreads(1)
    output.mkdir(parents=True, exist_ok=True)
    planned = plan(pairs, seed)
    by_number = {one.number: one for one in planned}
    for shard, members in groupby(planned, key=lambda one: one.shard):
        _write_shard(output, shard, _payloads(members, by_number, seed, progress), seed)
    _write_table(output / "truth.parquet", [_truth(one, by_number) for one in planned], TRUTH)


def _payloads(
    members: Iterator[Planned],
    by_number: dict[int, Planned],
    seed: int,
    progress: Callable[[int], object] | None,
) -> Iterator[tuple[Planned, Payload]]:
    for one in members:
        original = None if one.copy_of is None else by_number[one.copy_of]
        yield one, payload(one, original, seed)
        if progress:
            progress(1)


def _write_shard(
    output: Path, shard: str, members: Iterator[tuple[Planned, Payload]], seed: int
) -> None:
    """One tar and the maps of its views; each appears whole or not at all."""
    maps: list[dict[str, Any]] = []
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for one, stored in members:
            for extension, data in _members(one, stored, seed).items():
                entry = tarfile.TarInfo(f"{one.key}.{extension}")  # mtime, uid and gid are 0
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            if stored.view is not None:
                view = stored.view
                depth = np.asarray(view.depth * 255 + 0.5, np.uint8)
                pngs = [_png(grey) for grey in (depth, view.edges, view.mask)]
                names = ("origin", "depth", "edge", "mask")
                maps.append(dict(zip(names, [one.origin, *pngs], strict=True)))
    _put(output / shard, held.getvalue())
    _write_table(output / f"maps-{shard[:5]}.parquet", maps, MAPS)


def _members(one: Planned, stored: Payload, seed: int) -> dict[str, bytes]:
    """File contents by extension, as img2dataset names and fills them."""
    licence = _LICENCES[one.number % len(_LICENCES)]
    record = {
        "key": one.key, "url": one.url, "caption": one.caption, "status": "success",
        "error_message": None, "width": stored.width, "height": stored.height,
        "original_width": stored.width, "original_height": stored.height,
        "sha256": hashlib.sha256(stored.image).hexdigest(), "exif": "{}", "license": licence,
        "page_url": one.url.rpartition("/")[0] + "/", "source": f"planted-{seed}",
    }  # fmt: skip
    text = json.dumps(record, indent=4, ensure_ascii=False).encode()
    return {one.extension: stored.image, "txt": one.caption.encode(), "json": text}


def _truth(one: Planned, by_number: dict[int, Planned]) -> dict[str, Any]:
    entity = one.entity
    domain = one.reject_class if entity is None else entity.domain
    return {
        "origin": one.origin,
        "entity": entity and f"{entity.noun}/{entity.name}",
        "topic": entity and entity.noun,
        "domain": domain,
        "quality": "bad" if one.degradation else "good",
        "duplicate_of": None if one.copy_of is None else by_number[one.copy_of].origin,
        "defect": one.defect,
        "degradation": one.degradation,
        "copy_kind": one.copy_kind,
        "trap": one.trap,
        "view": one.view_index,
    }


def _png(grey: NDArray[np.uint8]) -> bytes:
    held = io.BytesIO()
    Image.fromarray(grey).save(held, "PNG")
    return held.getvalue()


def _write_table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    held = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), held, row_group_size=100)
    _put(path, held.getvalue())


def _put(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
