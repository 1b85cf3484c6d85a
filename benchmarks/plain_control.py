"""What `control` does, as one would write it in a script: a loop over the pictures of a corpus, one
process, one thread, batches of 32. Decode, shrink, depth, mask and edges of the picture and of the
target, edges of the depth map and of the mask, JPEG and PNG; nothing else: no checks, no rejects,
and nothing is written. The peer that the job is timed against.

    python benchmarks/plain_control.py CORPUS VERDICTS MODELS SIDE
"""

import io
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from instruct_imagen_data.annotators import model_set

BATCH = 32
ROLES = ("depth", "mask", "edge")


def read(corpus: str, verdicts: str) -> Iterator[np.ndarray]:
    """The kept pictures, as pixels."""
    for path in sorted(Path(corpus, "images").glob("*.parquet")):
        kept = pq.read_table(Path(verdicts, "verdicts", path.name), columns=["kept"])["kept"]
        for data in pq.read_table(path, columns=["image"])["image"].filter(kept).to_pylist():
            yield np.asarray(Image.open(io.BytesIO(data["bytes"])).convert("RGB"))


def shrink(rgb: np.ndarray, side: int) -> tuple[np.ndarray, bytes]:
    """A picture as target, and its JPEG."""
    scale = min(1.0, side / min(rgb.shape[:2]))
    height, width = (round(scale * one) for one in rgb.shape[:2])
    small = Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    small.save(sink, "JPEG", quality=95)
    return np.asarray(Image.open(sink).convert("RGB")), sink.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """A map as PNG."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def main(corpus: str, verdicts: str, models: str, side: str) -> None:
    """Looks at all pictures, and prints how many."""
    torch.set_num_threads(1)
    loaded = model_set.load_set(models)
    networks = {role: model_set.load_role(loaded, role) for role in ROLES}
    edge = networks["edge"]
    count = size = 0
    pictures = read(corpus, verdicts)
    while some := list(islice(pictures, BATCH)):
        targets = [shrink(rgb, int(side)) for rgb in some]
        sizes = [rgb.shape[1::-1] for rgb, _ in targets]
        drawn = []
        for role, network in networks.items():
            found = network([network.prepare(rgb) for rgb in some])
            network([network.prepare(rgb) for rgb, _ in targets])  # the check's half
            maps = [cv2.resize(one.pixels, s) for one, s in zip(found, sizes, strict=True)]
            size += sum(len(png(one)) for one in maps)
            if role != "edge":
                drawn += [np.repeat(one[..., None], 3, axis=2) for one in maps]
        lines = edge([edge.prepare(one) for one in drawn])
        for one, s in zip(lines, [*sizes, *sizes], strict=True):
            size += len(png(cv2.resize(one.pixels, s)))
        size += sum(len(data) for _, data in targets)
        count += len(some)
    print(f"{count} pictures, {size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
