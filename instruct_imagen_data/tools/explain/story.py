"""What became of one row: everything the jobs wrote of it, as plain values.

Each job's rows keep the corpus' part names and order, so once a row's place is known, only a few
row groups are read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.compute as pc

from instruct_imagen_data import index, schema, shards
from instruct_imagen_data.tools import finished, reasons
from instruct_imagen_data.tools.explain.lookup import Place
from instruct_imagen_data.tools.finished import Finished, Jobs

_PICTURE = tuple(name for name in schema.schema_of(schema.Image).names if name != "image")
_HASHES = ("phash", "bytes_id", "url_id", "caption_id", "file_id")  # of no use to a reader

Record = dict[str, Any]


def tell(place: Place, jobs: Jobs) -> Record:
    """All that is known of a row.

    Returns:
      key, origin, places and fate (`refused`, `kept`, `used` or `dropped`), and where they apply:
      picture, score, verdict, reject (with the survivor's picture), duplicates, candidates,
      neighbourhoods.
    """
    story: Record = {"key": place.key, "origin": place.origin, "fate": "kept"}
    where = (place.part, place.row)
    if place.dataset == shards.REJECTS:
        (reject,) = _rows(jobs.corpus, shards.REJECTS, [where])
        return story | {"fate": "refused", "places": _places(place, jobs), "reject": reject}
    (picture,) = _rows(jobs.corpus, "images", [where], _PICTURE)
    (score,) = _rows(jobs.corpus, "scores", [where])
    story |= {"places": _places(place, jobs), "picture": picture, "score": score}
    if jobs.neighbours is not None:
        story |= _judged(place, jobs, jobs.neighbours)
    return story


def _places(place: Place, jobs: Jobs) -> list[Record]:
    """Each part that holds the row itself, with its row number there."""
    datasets = [(jobs.corpus, name) for name in ("images", "scores", "embeddings")]
    if place.dataset == shards.REJECTS:
        datasets = [(jobs.corpus, shards.REJECTS)]
    elif jobs.neighbours is not None:
        datasets.append((jobs.neighbours, "verdicts"))
    return [
        {"part": shards.part_path(job.folder, name, place.part), "row": place.row}
        for job, name in datasets
    ]


def _rows(
    job: Finished, dataset: str, where: list[tuple[str, int]], columns: tuple[str, ...] = ()
) -> list[Record]:
    found = finished.read_rows(job.folder, dataset, where, columns or None)
    return [
        {name: value for name, value in found[one].items() if name not in _HASHES} for one in where
    ]


def _judged(place: Place, jobs: Jobs, job: Finished) -> Record:
    """What the neighbours job made of a picture."""
    (verdict,) = _rows(job, "verdicts", [(place.part, place.row)])
    rejects = shards.read_part(job.folder, shards.REJECTS, place.part, schema.RejectRow)
    mine = rejects.filter(pc.equal(rejects["origin"], place.origin)).to_pylist()
    story: Record = {"fate": "dropped" if mine else "used", "verdict": verdict}
    if mine:
        story["reject"] = mine[0]
        if mine[0]["survivor"]:
            story["survivor"] = _picture(jobs.corpus, mine[0]["survivor"])
    story["quality_cut"] = _quality_cut(job, place.part)
    story["limits"] = {**job.settings["limits"], **job.settings["duplicates"]}
    story["duplicates"] = _duplicates(jobs.corpus, job, place.key)
    if not mine or mine[0]["reason"] in reasons.UNUSED:
        story["candidates"] = _candidates(jobs.corpus, job, place.key)
        story["neighbourhoods"] = [] if mine else list(_neighbourhoods(job, place.key))
    return story


def _quality_cut(job: Finished, part: str) -> float | None:
    """The quantile's cut, as the rows below it in the same part tell; None if sources differ."""
    columns = ["reason", "low_floor", "threshold"]
    rows = shards.read_part(job.folder, "verdicts", part, schema.Verdict, columns)
    low = pc.and_(pc.equal(rows["reason"], "low_quality"), pc.invert(rows["low_floor"]))
    cuts = rows.filter(low)["threshold"].unique().to_pylist()
    return float(cuts[0]) if len(cuts) == 1 else None


def _picture(corpus: Finished, key: str) -> Record:
    """Origin and caption of another picture, by its key."""
    rows = [row for row in index.find(corpus.folder, key) if row["dataset"] == "images"]
    where = (str(rows[0]["part"]), int(rows[0]["row"]))
    return _rows(corpus, "images", [where], ("key", "origin", "caption"))[0]


def _find(job: Finished, dataset: str, key: str) -> dict[tuple[str, int], Record]:
    """Rows of a dataset that the job's index has under a key, by place; no pictures."""
    found = [row for row in index.find(job.folder, key) if row["dataset"] == dataset]
    where = sorted({(str(row["part"]), int(row["row"])) for row in found})
    return finished.read_rows(job.folder, dataset, where, None)


def _duplicates(corpus: Finished, job: Finished, key: str) -> list[Record]:
    """The edges of a picture in the duplicate graph, with the picture at the other end."""
    edges = list(_find(job, "duplicates", key).values())
    ends = [edge.pop("key") if edge["other"] == key else edge["other"] for edge in edges]
    return [
        {name: edge[name] for name in ("evidence", "cosine", "hamming")} | _picture(corpus, end)
        for edge, end in zip(edges, ends, strict=True)
    ]


def _candidates(corpus: Finished, job: Finished, key: str) -> list[Record]:
    """A seed's list of nearest pictures; empty for a picture that was no seed."""
    for row in _find(job, "candidates", key).values():
        pairs = zip(row["neighbours"], row["similarities"], strict=True)
        return [{"cosine": cosine} | _picture(corpus, other) for other, cosine in pairs]
    return []


def _neighbourhoods(job: Finished, key: str) -> Iterator[Record]:
    """The neighbourhoods that a picture is in."""
    for (part, row), found in _find(job, "neighbourhoods", key).items():
        yield _without_pictures(found) | {"part": part, "row": row}


def _without_pictures(row: Mapping[str, Any]) -> Record:
    members = [{"key": one["key"], "caption": one["caption"]} for one in row["members"]]
    return {**row, "members": members}
