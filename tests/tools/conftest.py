"""A small finished corpus and its neighbours, written by hand: a row of each fate."""

import dataclasses
import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import index, keys, schema, shards
from instruct_imagen_data.schema import (
    Candidates,
    Duplicate,
    Embedding,
    Encoded,
    Image,
    Neighbourhood,
    RejectRow,
    Score,
    Verdict,
)
from instruct_imagen_data.stages.gather import index_rows

CUT, FLOOR, SIMILARITY, COSINE = 5.0, 2.0, 0.2, 0.9
HOSTILE = 'a <script>alert("1")</script> & more'
# (domain, quality, fate): "" is in a neighbourhood; the first part holds the first half.
SPEC = [
    *[("animals", 6.0 + i / 10, "") for i in range(5)],
    ("animals", 6.6, "leftover"),
    ("animals", 6.7, "band"),
    ("animals", 5.5, "duplicate"),
    ("food", 4.0, "low_quality"),
    ("food", 1.0, "low_quality"),
    ("banner", 7.0, "domain"),
    *[("food", 8.0 + i / 10, "") for i in range(5)],
    ("food", 8.6, "no_neighbours"),
    ("food", 7.5, "low_similarity"),
    ("food", 7.6, "domain"),
    ("animals", 3.0, "low_quality"),
]
REFUSED = ["truncated", "empty_caption"]


@dataclasses.dataclass(frozen=True)
class Row:
    """What the tests know of a picture."""

    key: str
    origin: str
    url: str
    caption: str
    domain: str
    quality: float
    fate: str


@dataclasses.dataclass(frozen=True)
class Web:
    """Directories of the two jobs, and what is in them."""

    corpus: str
    neighbours: str
    truth: str
    rows: list[Row]
    refused: list[RejectRow]

    @property
    def folders(self) -> list[str]:
        return [self.corpus, self.neighbours]

    def of(self, fate: str) -> list[Row]:
        return [row for row in self.rows if row.fate == fate]


def jpeg(number: int) -> bytes:
    """A small picture of its own colours."""
    rgb = np.random.default_rng(number).integers(0, 255, (3, 4, 3), dtype=np.uint8)
    sink = io.BytesIO()
    PIL.Image.fromarray(rgb).resize((96, 72)).save(sink, "JPEG")
    return sink.getvalue()


def row_of(number: int) -> Row:
    domain, quality, fate = SPEC[number]
    caption = HOSTILE if number == 1 else f"{domain} number {number}"
    url = f"https://site{number}.example/pictures/{number}.jpg?utm_source=x"
    key = hashlib.sha256(f"row {number}".encode()).hexdigest()
    return Row(key, f"0000{number // 10}.tar#{number:09d}", url, caption, domain, quality, fate)


def image_of(number: int, row: Row) -> Image:
    return Image(
        row.key, row.origin, row.url, row.caption, Encoded(jpeg(number), "a.jpg"),
        96, 72, 96, 72, False, "5" * 64, bytes(32), "CC0", "{}",
    )  # fmt: skip


def score_of(row: Row) -> Score:
    accepted = row.fate != "domain"
    similarity = 0.1 if row.fate == "low_similarity" else 0.5
    url_id = keys.id64(keys.normalise_url(row.url))
    return Score(
        row.key, row.origin, row.quality, 0.5, (0.1,) * 10, row.domain, 0.8 if accepted else 0.4,
        0.2, accepted, similarity, 1, url_id, 3, 4, bytes(32),
    )  # fmt: skip


def why(row: Row, rows: list[Row]) -> tuple[str, str, float | None, float | None]:
    """(detail, survivor, value, threshold) of a row that was dropped."""
    limit = FLOOR if row.quality < FLOOR else CUT
    return {
        "low_quality": ("", "", row.quality, limit),
        "domain": (row.domain, "", 0.4, None),
        "low_similarity": ("", "", 0.1, SIMILARITY),
        "duplicate": ("vector", rows[0].key, 0.95, COSINE),
        "band": ("", "", 0.3, 0.4),
        "no_neighbours": ("", "", 2.0, 4.0),
    }.get(row.fate, ("", "", None, None))


def verdict_of(row: Row, rows: list[Row]) -> Verdict:
    detail, survivor, value, threshold = why(row, rows)
    gone = row.fate in ("low_quality", "domain", "low_similarity", "duplicate")
    low = (row.quality < CUT, row.quality < FLOOR)
    given = (detail, value, threshold) if gone else ("", None, None)
    reason = row.fate if gone else ""
    return Verdict(row.key, row.origin, not gone, reason, *low, survivor, row.key, "train", *given)


def reject_of(row: Row, rows: list[Row]) -> RejectRow:
    rest = why(row, rows)
    return RejectRow(row.key, row.origin, row.url, "neighbours", row.fate, rest[0], "", *rest[1:])


def neighbourhood_of(five: list[tuple[int, Row]]) -> Neighbourhood:
    members = [
        {"key": row.key, "caption": row.caption, "image": {"bytes": jpeg(n), "path": "a.jpg"}}
        for n, row in five
    ]
    cosines = tuple(0.5 + i / 100 for i in range(10))
    domain = five[0][1].domain
    return Neighbourhood(five[0][1].key, domain, f"{domain}/0", "train", members, cosines)  # type: ignore[arg-type]


def part_rows(halves: list[range]) -> list[dict[str, Any]]:
    """What a manifest says of the corpus' parts."""
    return [
        {"part": f"0000{i}-000", "rows": {"scores": len(half)}} for i, half in enumerate(halves)
    ]


def write_corpus(
    folder: str, rows: list[Row], refused: list[RejectRow], halves: list[range]
) -> None:
    vectors = np.eye(4, dtype=np.float32)
    for part, half in enumerate(halves):
        rejects = refused if part == 0 else []
        embeddings = pa.table(
            [pa.array([rows[n].key for n in half], pa.string())]
            + [schema.vector_column(vectors[[n % 4 for n in half]].reshape(-1, 4))] * 2,
            schema=schema.schema_of(Embedding, 4),
        )
        tables = {
            "images": schema.table_of(Image, [image_of(n, rows[n]) for n in half]),
            "scores": schema.table_of(Score, [score_of(rows[n]) for n in half]),
            "embeddings": embeddings,
            shards.REJECTS: schema.table_of(RejectRow, rejects),
        }
        shards.commit_block(
            folder, f"0000{part}-000", tables, rows_in=len(half) + len(rejects), last=True
        )
    parts = shards.list_parts(folder, "images")
    index.build(folder, index.of_parts(folder, ["images", shards.REJECTS], parts))
    settings = {"models": "embedded", "precision": "fp32", "weights": {"quality": "ab" * 32}}
    inputs = {"00000.tar": 10, "00001.tar": 10}
    job = {"job": "corpus", "settings": settings, "inputs": inputs, "paths": {}}
    shards.write_json(folder, shards.JOB, job)
    counts = {
        "rows_in": len(rows) + len(refused),
        "reasons": dict(Counter(row.reason for row in refused)),
        "parts": part_rows(halves),
    }
    shards.write_json(folder, shards.MANIFEST, {"job": "corpus", **counts})


def write_neighbours(folder: str, rows: list[Row], halves: list[range]) -> None:
    for part, half in enumerate(halves):
        name = f"0000{part}-000"
        verdicts = [verdict_of(rows[n], rows) for n in half]
        rejects = [reject_of(rows[n], rows) for n in half if rows[n].fate]
        shards.write_part(folder, "verdicts", name, schema.table_of(Verdict, verdicts))
        shards.write_part(folder, shards.REJECTS, name, schema.table_of(RejectRow, rejects))
    used = [(n, row) for n, row in enumerate(rows) if not row.fate]
    fives = [neighbourhood_of(used[i : i + 5]) for i in range(0, len(used), 5)]
    for number, five in enumerate(sorted(fives, key=lambda one: one.id)):
        table = schema.table_of(Neighbourhood, [five])
        shards.write_part(folder, "neighbourhoods", f"{number:05d}", table)
    edges = [
        Duplicate(rows[0].key, row.key, "vector", 0.95, 7)
        for row in rows
        if row.fate == "duplicate"
    ]
    shards.write_part(folder, "duplicates", "00000", schema.table_of(Duplicate, edges))
    near = [
        Candidates(
            row.key,
            f"{row.domain}/0",
            tuple(other.key for _, other in used if other.key != row.key)[:4],
            (0.95, 0.6, 0.5, 0.3),
        )
        for row in rows
        if row.fate in ("", "band")
    ]
    shards.write_part(folder, "candidates", "00000", schema.table_of(Candidates, near))
    index.build(folder, index_rows(folder))
    settings = {
        "models": "embedded",
        "overlap": 1,
        "limits": {"quantile": 0.3, "floor": FLOOR, "similarity": SIMILARITY},
        "duplicates": {"cosine": COSINE, "confirm_cosine": 0.9, "phash_bits": 54},
    }
    inputs = {one["part"]: one["rows"]["scores"] for one in part_rows(halves)}
    job = {"job": "neighbours", "settings": settings, "inputs": inputs, "paths": {}}
    shards.write_json(folder, shards.JOB, job)
    counts = {
        "rows_in": len(rows),
        "reasons": dict(Counter(row.fate for row in rows if row.fate)),
        "neighbourhoods": len(fives),
        "bands": {name: {"lower": 0.4, "pairs": 9} for name in ("animals", "food")},
        "parts": [],
    }
    shards.write_json(folder, shards.MANIFEST, {"job": "neighbours", **counts})


def write_truth(path: str, rows: list[Row], refused: list[RejectRow]) -> None:
    """A truth that the jobs of this folder got right but for what the tests name."""
    told = []
    for n, row in enumerate(rows):
        planted = row.domain != "banner"
        topic = {"animals": "cat", "food": "cake"}.get(row.domain)
        told.append(
            {
                "origin": row.origin,
                "entity": f"{topic}/{n % 2}" if planted else None,
                "topic": topic,
                # row 5 was planted as food, and shown as an animal
                "domain": "food" if n == 5 else row.domain,
                "quality": "bad" if row.quality < CUT or n == 7 else "good",
                "duplicate_of": rows[0].origin if row.fate == "duplicate" else None,
                "defect": None,
            }
        )
    for one in refused:
        defect = one.reason if one.reason != "empty_caption" else "too_small"
        empty = dict.fromkeys(("entity", "topic", "duplicate_of"))
        told.append(
            {"origin": one.origin, "domain": "food", "quality": "good", "defect": defect} | empty
        )
    kinds = {name: pa.string() for name in told[0]}
    pq.write_table(pa.Table.from_pylist(told, schema=pa.schema(kinds)), path)


def make(folder: Path, count: int) -> Web:
    rows = [row_of(n) for n in range(count)]
    refused = [
        RejectRow(
            hashlib.sha256(reason.encode()).hexdigest(), f"00001.tar#00000090{i}",
            f"https://bad.example/{i}.jpg", "corpus", reason, f"detail of <{reason}>", "6" * 64,
            "", None, None,
        )
        for i, reason in enumerate(REFUSED if count else [])
    ]  # fmt: skip
    web = Web(*(str(folder / name) for name in ("corpus", "near", "truth.parquet")), rows, refused)
    halves = [range(count // 2), range(count // 2, count)] if count else []
    write_corpus(web.corpus, rows, refused, halves)
    write_neighbours(web.neighbours, rows, halves)
    if count:
        write_truth(web.truth, rows, refused)
    return web


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Web:
    """Two jobs over 20 pictures and 2 refused files."""
    return make(tmp_path_factory.mktemp("web"), len(SPEC))


@pytest.fixture(scope="session")
def empty_web(tmp_path_factory: pytest.TempPathFactory) -> Web:
    """Two jobs over nothing."""
    return make(tmp_path_factory.mktemp("empty"), 0)
