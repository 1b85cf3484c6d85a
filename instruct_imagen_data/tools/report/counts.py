"""What the report counts: the funnel, histograms, domains, bands. Rows never leave DuckDB."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from instruct_imagen_data.tools import reasons
from instruct_imagen_data.tools.finished import Jobs

_BINS = 64
_CHOSEN = ("", *reasons.UNUSED)  # fates of rows that `choose` and `duplicates` let pass


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of the funnel.

    Attributes:
      title: What the rows that are left have in common.
      rows: How many are left.
      lost: (reason, rows) of those that went at this step, most first.
    """

    title: str
    rows: int
    lost: Sequence[tuple[str, int]]

    @property
    def gone(self) -> int:
        return sum(rows for _, rows in self.lost)


@dataclasses.dataclass(frozen=True)
class Cut:
    """A limit drawn in a histogram: a line, or a range where each source has its own."""

    low: float
    high: float
    text: str


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Rows for each bin of a measurement.

    Attributes:
      low: Left end of the first bin.
      high: Right end of the last bin.
      bins: (rows below their limit, other rows) for each bin.
      cuts: The limits.
    """

    low: float
    high: float
    bins: Sequence[tuple[int, int]]
    cuts: Sequence[Cut] = ()

    @property
    def top(self) -> int:
        """Rows of the highest bin."""
        return max((below + other for below, other in self.bins), default=0)

    def at(self, value: float) -> float:
        """Where a value lies between the ends, in percent."""
        return 100 * (value - self.low) / (self.high - self.low)


@dataclasses.dataclass(frozen=True)
class DomainCount:
    """What became of the rows whose nearest class is this domain or reject class."""

    name: str
    rows: int
    accepted: int
    chosen: int  # good enough, accepted, described, no duplicate
    used: int  # in a neighbourhood


@dataclasses.dataclass(frozen=True)
class Band:
    """The neighbourhoods of a domain.

    Attributes:
      domain: Its name.
      low: Cosine from which two pictures are near enough.
      high: The duplicate level: cosine from which they are too near.
      neighbourhoods: How many were made.
      clusters: In how many clusters their seeds lie.
      cosines: Histogram of all ten pairs of each.
    """

    domain: str
    low: float
    high: float
    neighbourhoods: int
    clusters: int
    cosines: Histogram


def prepare(database: duckdb.DuckDBPyConnection, jobs: Jobs) -> None:
    """Makes the table `pictures`: a row a scored picture, with its fate.

    `fate` is '' for a picture in a neighbourhood, else its reject reason; null where no neighbours
    job is told of.
    """
    fate = "NULL::VARCHAR AS fate, '' AS detail, '' AS survivor, NULL AS value, NULL AS threshold"
    joined = ""
    if jobs.neighbours is not None:
        fate = "coalesce(d.reason, '') AS fate, d.detail, d.survivor, d.value, d.threshold"
        joined = "LEFT JOIN dropped d USING (origin)"
    database.execute(
        "CREATE TABLE pictures AS SELECT s.key, s.quality, s.domain, s.domain_probability, "
        f"s.domain_accepted, s.similarity, {fate} FROM scores s {joined}"
    )


def steps(jobs: Jobs) -> list[Step]:
    """The funnel, from the counts in the manifests."""
    found = [Step("pairs read", int(jobs.corpus.manifest["rows_in"]), ())]

    def narrow(title: str, known: Mapping[str, Any], counted: Mapping[str, int]) -> None:
        lost = [(reason, rows) for reason, rows in counted.items() if reason in known and rows]
        lost.sort(key=lambda one: (-one[1], one[0]))
        found.append(Step(title, found[-1].rows - sum(rows for _, rows in lost), lost))

    refused = jobs.corpus.manifest["reasons"]
    narrow("hold a usable picture", refused, refused)
    if jobs.neighbours is not None:
        dropped = jobs.neighbours.manifest["reasons"]
        titles = ("are good enough", "belong to a domain", "fit their caption")
        for title, reason in zip(titles, reasons.UNCHOSEN, strict=True):
            narrow(title, {reason: None}, dropped)
        narrow("are no duplicate", reasons.DUPLICATE, dropped)
        narrow("are in a neighbourhood", reasons.UNUSED, dropped)
    return found


def _histogram(
    database: duckdb.DuckDBPyConnection, column: str, below: str, cuts: Sequence[Cut]
) -> Histogram:
    """Bins of a column of `pictures` between its ends; `below` is SQL for "misses its limit"."""
    ((low, high),) = database.sql(
        f"SELECT min({column})::DOUBLE, max({column})::DOUBLE FROM pictures"
    ).fetchall()
    if low is None:
        return Histogram(0.0, 1.0, [])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counted = database.execute(
        f"SELECT least(floor(($1 * ({column}::DOUBLE - $2)) / ($3 - $2))::INT, $1 - 1) AS bin, "
        f"count(*) FILTER ({below}), count(*) FROM pictures GROUP BY bin",
        [_BINS, low, high],
    ).fetchall()
    bins = [(0, 0)] * _BINS
    for index, missed, rows in counted:
        bins[index] = (missed, rows - missed)
    return Histogram(low, high, bins, [cut for cut in cuts if low <= cut.high and cut.low <= high])


def quality(database: duckdb.DuckDBPyConnection, jobs: Jobs) -> Histogram:
    """Quality of all pictures, with the limits that were applied."""
    cuts: list[Cut] = []
    if jobs.neighbours is not None:
        limits = database.execute(
            "SELECT threshold = $1 AS floor, min(threshold), max(threshold), "
            "count(DISTINCT threshold) FROM pictures WHERE fate = 'low_quality' "
            "GROUP BY floor ORDER BY floor",
            [jobs.neighbours.settings["limits"]["floor"]],
        ).fetchall()
        for floor, low, high, count in limits:
            name = "floor of the model set" if floor else "quantile"
            many = f", {count} sources" if count > 1 else ""
            cuts.append(Cut(low, high, name + many))
    return _histogram(database, "quality", "fate = 'low_quality'", cuts)


def similarity(database: duckdb.DuckDBPyConnection, jobs: Jobs) -> Histogram:
    """Cosine of picture and caption, with the limit that was applied."""
    if jobs.neighbours is None:
        return _histogram(database, "similarity", "false", [])
    limit = float(jobs.neighbours.settings["limits"]["similarity"])
    return _histogram(database, "similarity", f"similarity < {limit!r}", [Cut(limit, limit, "")])


def domains(database: duckdb.DuckDBPyConnection) -> list[DomainCount]:
    """Classes by their number of rows; those with an accepted row first."""
    counted = database.execute(
        "SELECT domain, count(*) AS rows, count(*) FILTER (domain_accepted) AS accepted, "
        "count(*) FILTER (list_contains($1, fate)), count(*) FILTER (fate = '') "
        "FROM pictures GROUP BY domain ORDER BY accepted = 0, rows DESC, domain",
        [list(_CHOSEN)],
    ).fetchall()
    return [DomainCount(*row) for row in counted]


def bands(database: duckdb.DuckDBPyConnection, jobs: Jobs) -> list[Band]:
    """The band of each domain and what it let through."""
    if jobs.neighbours is None:
        return []
    made = database.sql(
        "SELECT domain, count(*), count(DISTINCT cluster) FROM neighbourhoods GROUP BY domain"
    ).fetchall()
    counts = {domain: (rows, clusters) for domain, rows, clusters in made}
    bins: dict[str, list[tuple[int, int]]] = {}
    for domain, index, rows in database.sql(
        f"SELECT domain, greatest(0, least(floor(cosine * {_BINS})::INT, {_BINS - 1})) AS bin, "
        "count(*) FROM (SELECT domain, unnest(similarities) AS cosine FROM neighbourhoods) "
        "GROUP BY ALL"
    ).fetchall():
        bins.setdefault(domain, [(0, 0)] * _BINS)[index] = (0, rows)
    found = []
    high = float(jobs.neighbours.settings["duplicates"]["cosine"])
    for domain, band in sorted(jobs.neighbours.manifest["bands"].items()):
        cosines = Histogram(0.0, 1.0, bins.get(domain, []))
        found.append(Band(domain, band["lower"], high, *counts.get(domain, (0, 0)), cosines))
    return found


def evidence(database: duckdb.DuckDBPyConnection, jobs: Jobs) -> list[tuple[str, int]]:
    """(kind of evidence, duplicates it removed), most first."""
    if jobs.neighbours is None:
        return []
    return database.sql(
        "SELECT detail, count(*) AS rows FROM pictures WHERE fate = 'duplicate' "
        "GROUP BY detail ORDER BY rows DESC, detail"
    ).fetchall()
