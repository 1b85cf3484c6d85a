"""Our loader against Hugging Face `datasets` and WebDataset: CPU-seconds a sample of stage 1.

    .venv/bin/python benchmarks/loader.py

All three read neighbourhoods of made-up pictures: ours and `datasets` (streaming, with a shuffle
buffer) the same Parquet, WebDataset an export of it that is made first. From a row on they run the
same code: the draw of target and context, the decoder, the crop. `raw` leaves that out: a row, its
pictures encoded. Ours alone resumes; the others shuffle within a buffer of 1,000 rows. Each side
loads in one process without further workers, from files that are in memory; the sides run in
turn, `--rounds` times, and a figure is the median. Opening (the first samples) is left out.
"""

import argparse
import io
import itertools
import json
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from PIL import Image

from instruct_imagen_data import images, schema, shards
from model.batches import NEIGHBOURHOODS, DataConfig, make_plan, stage1
from model.batches.draws import Draws
from model.batches.dropout import kept
from model.batches.samples import Samples
from model.batches.shards import Reader

PART_ROWS = 256
BUFFER = 1000
WARM_UP = 32  # samples that are not timed
LANES = 16
WINDOW = 128
RAW = {"raw": True, "decoded": False}
Row = dict[str, Any]


def picture(rng: np.random.Generator, side: int) -> bytes:
    """A JPEG of soft colours and fine grain, as large as one of a photo."""
    small = Image.fromarray(rng.integers(0, 256, (side // 12, side // 12, 3), np.uint8))
    soft = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    grain = rng.normal(0, 3, (side, side, 1))
    return images.encode_jpeg(np.clip(soft + grain, 0, 255).astype(np.uint8), quality=85)


def write(folder: Path, rows: int, side: int) -> int:
    """Neighbourhoods as `neighbours` writes them, and a tar a part; mean bytes of a picture."""
    rng = np.random.Generator(np.random.PCG64(0))
    told, total = [], 0
    (folder / "tars").mkdir(parents=True)
    for part, first in enumerate(range(0, rows, PART_ROWS)):
        made = []
        for row in range(first, min(rows, first + PART_ROWS)):
            encoded = [picture(rng, side) for _ in range(5)]
            total += sum(map(len, encoded))
            members = tuple(
                schema.Member(
                    f"{row}.{place}", f"view {place} of thing {row}", schema.Encoded(data, "a.jpg")
                )
                for place, data in enumerate(encoded)
            )
            made.append(schema.Neighbourhood(f"{row}", "food", "0", "train", members, (0.5,) * 10))
        name = f"{part:05d}"
        table = schema.table_of(schema.Neighbourhood, made)
        shards.write_part(str(folder), "neighbourhoods", name, table)
        told.append({"part": name, "rows": {"neighbourhoods": len(made)}})
        export(folder / "tars" / f"{name}.tar", made)
    shards.write_json(str(folder), shards.MANIFEST, {"job": "neighbours", "parts": told})
    return total // (rows * 5)


def export(path: Path, rows: list[schema.Neighbourhood]) -> None:
    """Rows as WebDataset samples: five pictures, and the texts as JSON."""
    with tarfile.open(path, "w") as archive:
        for row in rows:
            texts = json.dumps([{"key": m.key, "caption": m.caption} for m in row.members])
            files = {"json": texts.encode()}
            files |= {f"{i}.jpg": m.image.bytes for i, m in enumerate(row.members)}
            for extension, data in files.items():
                member = tarfile.TarInfo(f"{row.id}.{extension}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def config_of(folder: Path, side: int) -> DataConfig:
    return DataConfig(str(folder), stage=1, size=side, lanes=LANES, window=WINDOW)


def ours(folder: Path, side: int, raw: bool) -> Iterator[Any]:
    """Samples in the order of a training run; raw: rows in that order."""
    plan = make_plan(config_of(folder, side))
    samples = Samples(plan)
    if not raw:
        yield from map(samples.sample, itertools.count())
    source, reader = plan.sources["neighbourhoods"], Reader(plan.config.cache_mb << 20)
    for index in itertools.count():
        lane, in_lane = index % LANES, plan.lanes.in_lane(index)
        number = next(source.order.candidates(lane, in_lane, index))
        yield reader.row(source.rows, *source.rows.place(number))


def contents(rows: Iterator[Row], folder: Path, side: int) -> Iterator[Any]:
    """What stage 1 makes of another loader's rows."""
    config = config_of(folder, side)
    for index, row in enumerate(rows):
        draws = Draws(config.seed, index)
        _, context = kept(config, draws, NEIGHBOURHOODS)
        yield stage1.content(row, draws, config, context)


def streamed(folder: Path) -> Any:
    """`datasets`, streaming; its features are those in the footer."""
    import datasets

    parts = sorted(map(str, (folder / "neighbourhoods").glob("*.parquet")))
    told = json.loads(pq.read_schema(parts[0]).metadata[b"huggingface"])["info"]["features"]
    features = datasets.Features.from_dict(told)
    return datasets.load_dataset(
        "parquet", data_files=parts, split="train", streaming=True, features=features
    )


def shuffled(stream: Any) -> Iterator[Row]:
    """Without end."""
    shuffled = stream.shuffle(seed=0, buffer_size=BUFFER)
    return itertools.chain.from_iterable(itertools.repeat(shuffled))


def hugging_face(folder: Path, side: int, raw: bool) -> Iterator[Any]:
    """As it comes: it decodes all pictures of a row (with Pillow, as we do), whatever is used."""
    stream = streamed(folder)
    if raw:
        yield from shuffled(stream.decode(False))
    for index, row in enumerate(shuffled(stream)):
        members = Draws(0, index).order(row["members"], "members")[:4]
        yield [framed(member["image"], side) for member in members]


def framed(image: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    """What `pictures.shown` makes of a picture of the right size, once it is decoded."""
    return np.asarray(image.convert("RGB").resize((side, side)))


def hugging_face_bytes(folder: Path, side: int, raw: bool) -> Iterator[Any]:
    """Told what it need not do: its decoding off, and only our columns."""
    stream = streamed(folder).decode(False).select_columns(["id", "members"])
    yield from shuffled(stream) if raw else contents(shuffled(stream), folder, side)


def webdataset(folder: Path, side: int, raw: bool) -> Iterator[Any]:
    """WebDataset over the exported copy, shuffled."""
    import webdataset as wds

    tars = sorted(map(str, (folder / "tars").glob("*.tar")))
    stream = wds.WebDataset(tars, shardshuffle=len(tars), seed=0).shuffle(BUFFER).repeat()

    def row(found: Row) -> Row:
        members = json.loads(found["json"])
        for place, member in enumerate(members):
            member["image"] = {"bytes": found[f"{place}.jpg"]}
        return {"id": found["__key__"], "members": members}

    rows = map(row, stream)
    yield from rows if raw else contents(rows, folder, side)


SIDES: dict[str, Callable[[Path, int, bool], Iterator[Any]]] = {
    "ours": ours,
    "datasets": hugging_face,
    "datasets, not decoding": hugging_face_bytes,
    "webdataset": webdataset,
}


def cost(stream: Iterator[Any], samples: int) -> float:
    """CPU-seconds of a sample, of all threads."""
    for _ in itertools.islice(stream, WARM_UP):
        pass
    start = time.process_time()
    for _ in itertools.islice(stream, samples):
        pass
    return (time.process_time() - start) / samples


def compare(folder: Path, side: int, what: str, samples: int, rounds: int) -> None:
    """Prints the median cost of each side, and theirs over ours."""
    costs: dict[str, list[float]] = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, make in SIDES.items():
            costs[name].append(cost(make(folder, side, RAW[what]), samples))
    medians = {name: statistics.median(some) for name, some in costs.items()}
    told = [f"{name} {1e6 * one:.0f}" for name, one in medians.items()]
    ratios = [f"{name} {medians[name] / medians['ours']:.2f}" for name in list(SIDES)[1:]]
    print(
        f"{side} px, {what:7}: us a sample: {', '.join(told)}; theirs / ours: {', '.join(ratios)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256], help="pixels")
    given = parser.parse_args()
    if given.rows < LANES * WINDOW:
        parser.error(f"--rows {given.rows}: at least {LANES * WINDOW}, or all stay in memory")
    for side in given.sides:
        with tempfile.TemporaryDirectory() as name:
            size = write(Path(name), given.rows, side)
            print(f"{given.rows} neighbourhoods of {side}-px pictures, {size} bytes each")
            for what in RAW:
                compare(Path(name), side, what, given.samples, given.rounds)


if __name__ == "__main__":
    main()
