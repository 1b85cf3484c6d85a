"""A finished corpus of made-up vectors, for timing what comes after inference.

Eight domains of unequal size hold topics of about 40 pictures; a topic's vectors lie around a
centre. One row in twenty is a near-copy of an earlier one, one in a hundred has the same bytes.
"""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data import schema, shards, vectors

DOMAINS = ("animals", "art", "buildings", "food", "people", "products", "scenery", "vehicles")
PART_ROWS = 2048
_SPREAD = 0.55  # of a row around its topic: cosine of about 1 / (1 + _SPREAD**2) between two
_COPY_SPREAD = 0.12

Halves = npt.NDArray[np.float16]


def _unit(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def make_vectors(
    rows: int, dimension: int, rng: np.random.Generator
) -> tuple[Halves, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(unit vectors [n, d], domain of each row, row that it is a near-copy of or -1)."""
    draw = rng.standard_normal
    shares = np.arange(len(DOMAINS), 0, -1, dtype=float)
    topics = max(len(DOMAINS), rows // 40)
    topic_domain = rng.choice(len(DOMAINS), topics, p=shares / shares.sum())
    weights = rng.gamma(1.0, 1.0, topics)
    centres = _unit(draw((len(DOMAINS), dimension), np.float32))[topic_domain]
    centres = _unit(centres + _unit(draw((topics, dimension), np.float32)))
    topic = rng.choice(topics, rows, p=weights / weights.sum())
    original = np.full(rows, -1)
    copies = np.flatnonzero(rng.random(rows) < 0.05)
    copies = copies[copies > 0]
    original[copies] = rng.integers(0, copies)
    original[copies] = np.where(original[original[copies]] < 0, original[copies], -1)
    found = np.empty((rows, dimension), np.float16)
    for start in range(0, rows, PART_ROWS):
        part = slice(start, min(rows, start + PART_ROWS))
        noise = _unit(draw((part.stop - start, dimension), np.float32))
        found[part] = _unit(centres[topic[part]] + _SPREAD * noise)
    copies = np.flatnonzero(original >= 0)
    for start in range(0, len(copies), PART_ROWS):
        part = copies[start : start + PART_ROWS]
        noise = _unit(draw((len(part), dimension), np.float32))
        found[part] = _unit(found[original[part]].astype(np.float32) + _COPY_SPREAD * noise)
        topic[part] = topic[original[part]]
    return found, topic_domain[topic], original


def _scores(
    first: int, domain: npt.NDArray[np.int64], copy_of: npt.NDArray[np.int64], hashes: vectors.Bytes
) -> pa.Table:
    n = len(domain)
    numbers = [hashlib.sha256(f"row {first + i}".encode()).digest() for i in range(n)]
    packed = np.frombuffer(b"".join(numbers), np.uint8).reshape(n, 32)
    draw = [vectors.draws(packed, salt) for salt in "abcdefg"]
    ids = [(one >> np.uint64(1)).astype(np.int64) for one in draw[:4]]
    exact = (copy_of >= 0) & (draw[4] % 5 == 0)  # one copy in five has its original's bytes
    ids[0] = np.where(exact, copy_of + 1, np.arange(first, first + n) + 1)
    ids[2] = np.where(draw[5] % 50 == 0, 7, ids[2])  # a caption that stands on many pictures
    quality = 5 + 0.6 * np.sqrt(-2 * np.log((draw[6] + 1.0) / 2**64)) * np.cos(draw[0] * 1e-9)
    columns = {
        "key": vectors.unpack_keys(packed),
        "origin": [f"{first // 10_000:05d}.tar#{first + i:09d}" for i in range(n)],
        "quality": quality.astype(np.float32),
        "quality_deviation": np.ones(n, np.float32),
        "distribution": pa.array([[]] * n, pa.list_(pa.float32())),
        "domain": pa.array(DOMAINS).take(pa.array(domain)),
        "domain_probability": np.full(n, 0.9, np.float32),
        "domain_margin": np.full(n, 0.1, np.float32),
        "domain_accepted": draw[1] % 20 != 0,
        "similarity": np.full(n, 0.3, np.float32),
        "bytes_id": ids[0],
        "url_id": ids[1],
        "caption_id": ids[2],
        "file_id": ids[3],
        "phash": vectors.column_of(hashes),
    }
    wanted = schema.schema_of(schema.Score)
    return pa.table(
        {field.name: pa.array(columns[field.name], field.type) for field in wanted}, schema=wanted
    )


def make_corpus(folder: Path, rows: int, dimension: int = 512, part_rows: int = PART_ROWS) -> None:
    """Writes `scores/`, `embeddings/` and the manifest of a corpus job; `planted.npy` beside them
    holds the copies (row, original).
    """
    rng = np.random.default_rng(rows)
    found, domain, original = make_vectors(rows, dimension, rng)
    hashes = rng.integers(0, 256, (rows, 32), np.uint8)
    copies = np.flatnonzero(original >= 0)
    flips = rng.random((len(copies), 32, 8)) < 0.04  # about ten of 256 bits
    hashes[copies] = hashes[original[copies]] ^ np.packbits(flips, axis=2)[:, :, 0]
    write_corpus(folder, found, domain, original, hashes, part_rows)
    np.save(folder / "planted.npy", np.stack([copies, original[copies]], axis=1))


def write_corpus(
    folder: Path,
    found: Halves,
    domain: npt.NDArray[np.int64],
    original: npt.NDArray[np.int64],
    hashes: vectors.Bytes,
    part_rows: int = PART_ROWS,
) -> None:
    """Writes vectors as a finished corpus, without pictures."""
    parts = []
    for number, start in enumerate(range(0, len(found), part_rows)):
        part = slice(start, start + part_rows)
        name = f"00000-{number:03d}"
        scores = _scores(start, domain[part], original[part], hashes[part])
        column = schema.vector_column(found[part])
        wanted = schema.schema_of(schema.Embedding, found.shape[1])
        embeddings = pa.table([scores["key"], column, column], schema=wanted)
        shards.write_part(str(folder), "scores", name, scores)
        shards.write_part(str(folder), "embeddings", name, embeddings)
        parts.append({"part": name, "rows": {"scores": scores.num_rows}, "sha256": {}})
    rows = {"scores": len(found), "embeddings": len(found)}
    manifest = {"job": "corpus", "rows_in": len(found), "rows": rows, "reasons": {}, "parts": parts}
    shards.write_json(str(folder), shards.JOB, {"job": "corpus", "settings": {"models": "paper"}})
    shards.write_json(str(folder), shards.MANIFEST, manifest)
