"""Which pictures the report shows: drawn by hash, so the same rows always give the same page."""

import base64
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import PIL.Image
import pyarrow as pa

from instruct_imagen_data import shards, storage
from instruct_imagen_data.tools.finished import Finished, read_rows

_FORMATS = ("JPEG", "PNG", "WEBP")  # what the corpus job stores
_SIDE = 208  # pixels
_QUALITIES = (80, 60, 40, 20)
_MOST_BYTES = 16 << 10  # of one thumbnail: some 400 of them stay far below 20 MB
_CAPTION = 300  # characters
_WANTED = pa.schema([pa.field("key", pa.string())])


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the page.

    Attributes:
      key: Of its row.
      origin: Of its row.
      caption: Cut after some hundred characters.
      source: Data URI of a thumbnail.
      width: Of the thumbnail, in pixels.
      height: Of the thumbnail, in pixels.
    """

    key: str
    origin: str
    caption: str
    source: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """A row drawn to be shown, with what was measured of it."""

    key: str
    domain: str
    quality: float
    probability: float
    similarity: float
    fate: str
    detail: str
    survivor: str
    value: float | None
    threshold: float | None


_COLUMNS = (
    "key, domain, quality, domain_probability, similarity, "
    "coalesce(fate, ''), coalesce(detail, ''), coalesce(survivor, ''), value, threshold"
)


def draw(
    database: duckdb.DuckDBPyConnection, where: str, count: int, order: str = "key", value: str = ""
) -> list[Sample]:
    """At most `count` pictures for which an SQL condition on $value holds, drawn by hash."""
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM (SELECT * FROM pictures WHERE {where} "
        f"ORDER BY md5(concat($salt, $value, key)) LIMIT $count) ORDER BY {order}, key",
        {"count": count, "value": value, "salt": where},  # the salt: other pictures elsewhere
    ).fetchall()
    return [Sample(*row) for row in rows]


def ladder(database: duckdb.DuckDBPyConnection, count: int) -> list[Sample]:
    """Pictures at equal steps along the quality scale, worst first."""
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM (SELECT *, row_number() OVER (ORDER BY quality, key) - 1 AS rank, "
        "count(*) OVER () AS n FROM pictures) WHERE rank IN "
        "(SELECT round(i * (n - 1) / ($1 - 1)) FROM range($1) r(i)) ORDER BY rank",
        [count],
    ).fetchall()
    return [Sample(*row) for row in rows]


def thumbnail(data: bytes) -> tuple[str, int, int]:
    """(data URI, width, height) of a small JPEG of an encoded picture; at most 16 KiB of JPEG."""
    with PIL.Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.draft("RGB", (_SIDE, _SIDE))
        small = image.convert("RGB")
    small.thumbnail((_SIDE, _SIDE), PIL.Image.Resampling.LANCZOS)
    encoded = b""
    for quality in _QUALITIES:
        sink = io.BytesIO()
        small.save(sink, "JPEG", quality=quality)
        encoded = sink.getvalue()
        if len(encoded) <= _MOST_BYTES:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}", *small.size


def picture(row: Mapping[str, Any]) -> Picture:
    """The picture of a row of images or of a neighbourhood's member."""
    caption = " ".join(row["caption"].split())
    if len(caption) > _CAPTION:
        caption = caption[: _CAPTION - 1] + "…"
    source, width, height = thumbnail(row["image"]["bytes"])
    return Picture(row["key"], row.get("origin", ""), caption, source, width, height)


def pictures(
    database: duckdb.DuckDBPyConnection, corpus: Finished, keys: Iterable[str]
) -> dict[str, Picture]:
    """Key to picture, from images/ of the corpus; the index tells where each is."""
    database.register("places", corpus.index())
    database.register("wanted", pa.table({"key": sorted(set(keys))}, _WANTED))
    found = database.sql(
        "SELECT key, part, row FROM places SEMI JOIN wanted USING (key) WHERE dataset = 'images'"
    ).fetchall()
    where = {key: (part, row) for key, part, row in sorted(found, reverse=True)}
    rows = read_rows(corpus.folder, "images", where.values(), ["key", "origin", "caption", "image"])
    return {row["key"]: picture(row) for row in rows.values()}


@dataclasses.dataclass(frozen=True, slots=True)
class Five:
    """A neighbourhood to be shown.

    Attributes:
      domain: Its domain.
      split: train or validation.
      members: Five pictures, the seed first.
      to_seed: Cosine of the seed and each other member: four.
      low: Lowest cosine of all ten pairs.
      high: Highest cosine of all ten pairs.
    """

    domain: str
    split: str
    members: Sequence[Picture]
    to_seed: Sequence[float]
    low: float
    high: float


def neighbourhoods(database: duckdb.DuckDBPyConnection, job: Finished, count: int) -> list[Five]:
    """At most `count` neighbourhoods, drawn by hash, as many of each domain as there are."""
    columns = ["id", "domain", "__filename"]
    made = job.table("neighbourhoods").to_table(columns=columns)  # in the order of the files
    made = made.rename_columns(["id", "domain", "file"])
    database.register("made", made.append_column("place", pa.array(range(made.num_rows))))
    drawn = database.execute(
        "SELECT file, place - first AS row FROM (SELECT *, min(place) OVER (PARTITION BY file) AS "
        "first, row_number() OVER (PARTITION BY domain ORDER BY md5('report' || id)) AS turn "
        "FROM made) ORDER BY turn, domain LIMIT $1",
        [count],
    ).fetchall()
    places = [(shards.part_name(storage.File(file, 0)), row) for file, row in drawn]
    rows = read_rows(
        job.folder, "neighbourhoods", places, ["domain", "split", "members", "similarities"]
    )
    return [_five(rows[place]) for place in places]


def _five(row: Mapping[str, Any]) -> Five:
    cosines = row["similarities"]
    members = [picture(member) for member in row["members"]]
    to_seed = cosines[: len(members) - 1]  # pairs (0,1) (0,2) .. come first
    return Five(row["domain"], row["split"], members, to_seed, min(cosines), max(cosines))
