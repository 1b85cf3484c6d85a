"""What the jobs made of a planted corpus, measured against what was planted.

Every number is a count of rows or pairs over a count of rows or pairs; nothing is estimated.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools import finished
from instruct_imagen_data.tools.finished import Jobs

_COLUMNS = ("origin", "entity", "topic", "domain", "quality", "duplicate_of", "defect")
_SURVIVORS = 5  # a topic that has fewer cannot give a neighbourhood


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One thing measured.

    Attributes:
      name: What was looked for.
      right: How many were found that had been planted.
      planted: How many there were to find.
      found: How many were taken for it, rightly or not; None where that question has no sense.
      text: What is counted, in a sentence.
    """

    name: str
    right: int
    planted: int
    found: int | None
    text: str

    @property
    def recall(self) -> float | None:
        """Share of the planted that was found; None if none was planted."""
        return self.right / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Share of the found that had been planted; None if none was found."""
        return self.right / self.found if self.found else None


def measure(path: str, jobs: Jobs) -> list[Row]:
    """What can be told of these jobs by the truth in a Parquet file.

    Raises:
      UsageError: the file is no truth, or that of other rows.
    """
    database = finished.connect(jobs)
    database.register("truth", _read(path))
    rows = [_read_rows(database, path), *_defects(database), *_domains(database)]
    if jobs.neighbours is None:
        return rows
    made = [table for _, table in finished.members(jobs.neighbours)]
    empty = pa.table({"id": pa.array([], pa.string()), "keys": pa.array([], pa.list_(pa.string()))})
    database.register("made", pa.concat_tables([*made, empty]))
    return [
        *rows,
        _bad_quality(database),
        _duplicates(database),
        *_neighbourhoods(database),
        _topics(database),
    ]


def _read(path: str) -> pa.Table:
    if not storage.exists(path):
        raise UsageError(f"--truth {path} is not there")
    try:
        with storage.open_random(path) as source:
            file = pq.ParquetFile(source)
            lacking = [name for name in _COLUMNS if name not in file.schema_arrow.names]
            if not lacking:
                return file.read(columns=list(_COLUMNS))
    except pa.ArrowInvalid as error:
        raise UsageError(f"--truth {path} is no Parquet file: {error}") from error
    raise UsageError(f"--truth {path} has no column {', '.join(lacking)}: it is no planted truth")


def _counts(database: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    (row,) = database.sql(query).fetchall()  # an aggregate: one row
    return tuple(int(count) for count in row)


def _read_rows(database: duckdb.DuckDBPyConnection, path: str) -> Row:
    right, planted, found = _counts(
        database,
        "SELECT count(*) FILTER (t.origin = r.origin), count(t.origin), count(r.origin) "
        "FROM truth t FULL JOIN (SELECT origin FROM scores UNION ALL SELECT origin FROM refused) r "
        "ON t.origin = r.origin",
    )
    if not right and planted:
        raise UsageError(f"--truth {path} tells of other rows: no origin of the corpus is in it")
    return Row("rows read", right, planted, found, "Every planted row is kept or refused, once.")


def _defects(database: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    counted = database.sql(
        "SELECT coalesce(defect, reason), count(*) FILTER (defect = reason), "
        "count(defect), count(reason) "
        "FROM (SELECT defect, origin FROM truth WHERE defect IS NOT NULL) t "
        "FULL JOIN (SELECT reason, origin FROM refused) r "
        "ON t.origin = r.origin AND t.defect = r.reason GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for reason, right, planted, found in counted:
        yield Row(reason, right, planted, found, "Refused by the corpus job, with this reason.")


def _domains(database: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    good = (
        "FROM truth t JOIN scores s USING (origin) "
        "WHERE t.quality = 'good' AND t.topic IS NOT NULL AND t.defect IS NULL"
    )
    right, of = _counts(database, f"SELECT count(*) FILTER (t.domain = s.domain), count(*) {good}")
    yield Row(
        "domain of good pictures",
        right,
        of,
        None,
        "Nearest domain is the planted one, before acceptance; reject classes apart.",
    )
    right, of = _counts(database, f"SELECT count(*) FILTER (s.domain_accepted), count(*) {good}")
    yield Row("good pictures accepted", right, of, None, "Clear enough of one domain to go on.")
    right, of = _counts(
        database,
        "SELECT count(*) FILTER (NOT s.domain_accepted), count(*) FROM truth t JOIN scores s "
        "USING (origin) WHERE t.topic IS NULL AND t.defect IS NULL",
    )
    yield Row(
        "reject classes vetoed", right, of, None, "Banners, screenshots and text go no further."
    )


def _bad_quality(database: duckdb.DuckDBPyConnection) -> Row:
    right, planted, found = _counts(
        database,
        "SELECT count(*) FILTER (t.quality = 'bad' AND v.reason = 'low_quality'), "
        "count(*) FILTER (t.quality = 'bad'), count(*) FILTER (v.reason = 'low_quality') "
        "FROM truth t JOIN verdicts v USING (origin)",
    )
    text = "The cut takes a fixed share of all rows, good ones too: its precision is not a goal."
    return Row("bad quality", right, planted, found, text)


def _duplicates(database: duckdb.DuckDBPyConnection) -> Row:
    right, planted, found = _counts(
        database,
        "WITH seen AS (SELECT t.origin, coalesce(t.duplicate_of, t.origin) AS original, "
        "coalesce(nullif(v.survivor, ''), v.key) AS survivor "
        "FROM truth t JOIN verdicts v USING (origin) WHERE v.reason IN ('', 'duplicate')) "
        "SELECT count(*) FILTER (a.original = b.original AND a.survivor = b.survivor), "
        "count(*) FILTER (a.original = b.original), count(*) FILTER (a.survivor = b.survivor) "
        "FROM seen a JOIN seen b ON a.origin < b.origin "
        "AND (a.original = b.original OR a.survivor = b.survivor)",
    )
    text = "Unordered pairs of copies, among rows where both reached the duplicates phase."
    return Row("duplicate pairs", right, planted, found, text)


def _neighbourhoods(database: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    database.execute(
        "CREATE TABLE told AS SELECT m.id, m.place, any_value(t.topic) AS topic, "
        "any_value(t.entity) AS entity FROM "
        "(SELECT id, unnest(keys) AS key, generate_subscripts(keys, 1) AS place FROM made) m "
        "JOIN scores s USING (key) JOIN truth t USING (origin) GROUP BY m.id, m.place"
    )
    right, of = _counts(
        database,
        "SELECT count(*) FILTER (seed.topic = other.topic), count(*) "
        "FROM told seed JOIN told other USING (id) WHERE seed.place = 1 AND other.place > 1",
    )
    yield Row("members of the seed's topic", right, of, None, "(Seed, member) pairs of one noun.")
    for what, text in (
        ("topic", "All five show one noun."),
        ("entity", "All five show one thing."),
    ):
        right, of = _counts(
            database,
            f"SELECT count(*) FILTER (one), count(*) FROM (SELECT count(DISTINCT {what}) = 1 "
            f"AND count({what}) = count(*) AS one FROM told GROUP BY id)",
        )
        yield Row(f"neighbourhoods of one {what}", right, of, None, text)


def _topics(database: duckdb.DuckDBPyConnection) -> Row:
    right, of = _counts(
        database,
        "WITH able AS (SELECT t.topic FROM truth t JOIN verdicts v USING (origin) WHERE v.kept "
        f"AND t.topic IS NOT NULL GROUP BY t.topic HAVING count(*) >= {_SURVIVORS}) "
        "SELECT count(*) FILTER (topic IN (SELECT topic FROM told WHERE place = 1)), count(*) "
        "FROM able",
    )
    text = "Nouns with five pictures left that are the seed of a neighbourhood."
    return Row("topics with a neighbourhood", right, of, None, text)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def table(rows: Sequence[Row]) -> str:
    """The rows as text for a terminal."""
    heads = ("against the planted truth", "right", "planted", "found", "recall", "precision")
    cells = [
        (
            row.name,
            f"{row.right:,}",
            f"{row.planted:,}",
            "" if row.found is None else f"{row.found:,}",
            _percent(row.recall),
            _percent(row.precision) if row.found is not None else "",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return "\n".join(_line(line, widths) for line in (heads, *cells))


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    name, *numbers = cells
    padded = (f"{text:>{width}}" for text, width in zip(numbers, widths[1:], strict=True))
    return "  ".join([f"{name:<{widths[0]}}", *padded]).rstrip()
