"""Pictures of a corpus by the page they were found on: candidates for several views of one thing.

SuTI groups WebLI by URL (FACTS 56). Where an input has a column for the page, that says it; else
it is the folder of the picture's URL. Only pages with a fitting number of kept pictures are looked
at; `subject` decides whether those show one thing.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import keys, runs, schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.runs import Group
from instruct_imagen_data.schema import RejectRow
from instruct_imagen_data.stages import carried
from instruct_imagen_data.stages.derived import SourceBlock, todo
from instruct_imagen_data.stages.kept import Corpus, read_judged, refused
from instruct_imagen_data.stages.phase import ReadGroups

ROWS_A_BLOCK = 8192  # of the corpus; a tenth of them or less is on a page that is looked at
PAGES = "pages.arrow"
_COLUMNS = ("key", "origin", "url", "sha256", "metadata")

Counts = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]  # (ids of pages, pictures of each)


def block_names(rows: int) -> list[str]:
    """Parts for the pages of a corpus of so many rows."""
    return [f"pages-{i:05d}" for i in range(-(-rows // ROWS_A_BLOCK))]


def page_of(url: str, metadata: str, column: str) -> str:
    """The page of a picture, '' if it is not known.

    Args:
      metadata: JSON object of the source's other columns.
      column: The one of them that holds the page; '' for the folder of the URL.
    """
    if column:
        value = json.loads(metadata or "{}").get(column)
        return "" if value is None else str(value)
    folder, slash, _ = re.sub(r"\?.*", "", keys.normalise_url(url)).rpartition("/")
    return folder if slash else ""


@dataclasses.dataclass(frozen=True)
class Pages:
    """The pages of a part's rows.

    Attributes:
      names: Page of each row, with its split, since no group spans two; '' where it is unknown or
        the row was not kept.
      ids: keys.id64 of the names, 0 for ''.
      table: Key, origin, url, sha256, metadata of the rows.
      verdicts: schema.Verdict of the rows.
    """

    names: list[str]
    ids: npt.NDArray[np.uint64]
    table: pa.Table
    verdicts: pa.Table


def pages_of(corpus: Corpus, part: str, column: str) -> Pages:
    """The pages of the rows of one part."""
    table, verdicts = read_judged(corpus, part, _COLUMNS)
    names = []
    for row, verdict in zip(table.to_pylist(), verdicts.to_pylist(), strict=True):
        page = page_of(row["url"], row["metadata"], column) if verdict["kept"] else ""
        names.append(page and f"{page}{'' if verdict['split'] == 'train' else ' (held out)'}")
    ids = np.array([keys.id64(name) for name in names], np.uint64)
    return Pages(names, ids, table, verdicts)


def add_counts(several: Iterable[Counts]) -> Counts:
    """Counts of the same pages, added."""
    parts = list(several)
    ids = np.concatenate([np.empty(0, np.uint64), *(one[0] for one in parts)])
    counts = np.concatenate([np.empty(0, np.int64), *(one[1] for one in parts)])
    unique, place = np.unique(ids, return_inverse=True)
    sums = np.zeros(len(unique), np.int64)
    np.add.at(sums, place, counts)
    return unique, sums


@dataclasses.dataclass(eq=False)
class FindPages(beam.PTransform):
    """Writes the ids of the pages with a fitting number of pictures, and a manifest.

    Attributes:
      corpus: Where the pictures are.
      column: See `page_of`.
      folder: The phase's directory.
      least: Pictures that a page must have;
      most: and those that one of more is not looked at for: it is no page of one thing.
    """

    corpus: Corpus
    column: str
    folder: str
    least: int
    most: int

    def expand(self, root: PBegin) -> PCollection[None]:
        return (
            root
            | ReadGroups(self.corpus.folder)
            | "Count" >> beam.Map(self.count)
            | "Add" >> beam.CombineGlobally(add_counts)
            | "Write" >> beam.Map(self.write)
        )

    def count(self, group: Group) -> Counts:
        """The pages of a group's rows."""
        found = [pages_of(self.corpus, part, self.column).ids for part in group.parts]
        ids = np.concatenate(found)
        unique, counts = np.unique(ids[ids > 0], return_counts=True)
        return unique, counts.astype(np.int64)

    def write(self, counted: Counts) -> None:
        """The pages that will be looked at.

        Raises:
          UsageError: no row has the column.
        """
        ids, counts = counted
        if self.column and not len(ids) and any(self.corpus.parts.values()):
            raise UsageError(
                f"--page-column {self.column}: no kept row of {self.corpus.folder} has it in its "
                "metadata"
            )
        fitting = ids[(counts >= self.least) & (counts <= self.most)]
        runs.put_table(storage.join(self.folder, PAGES), pa.table({"page": fitting}))
        content = {"job": "pages", "pages": len(ids), "fitting": len(fitting)}
        shards.write_json(self.folder, shards.MANIFEST, content)


@dataclasses.dataclass(eq=False)
class CarryPages(beam.PTransform):
    """SourceBlocks of Carried pictures, whole pages each; and one for the other rows of each part.

    Attributes:
      corpus: Where the pictures are.
      column: See `page_of`.
      folder: Of the phase that found the pages; the runs go there, too.
      output: Directory that holds a folder a dataset.
      datasets: Names in tasks.DATASETS.
      stage: Name for reject rows.
      side: Shorter side of the pictures.
    """

    corpus: Corpus
    column: str
    folder: str
    output: str
    datasets: tuple[str, ...]
    stage: str
    side: int

    def expand(self, root: PBegin) -> PCollection[SourceBlock]:
        blocks = block_names(sum(self.corpus.parts.values()))
        lacking = todo(self.output, self.datasets, [*self.corpus.parts, *blocks])
        missing = {one.part: one.datasets for one in lacking}
        parts = root | "Parts" >> beam.Create([*self.corpus.parts]) | beam.Reshuffle()
        others = (
            parts
            | "Lacking" >> beam.Filter(missing.__contains__)
            | "Others" >> beam.Map(self.others)
        )
        refs = parts | "Carry" >> beam.FlatMap(self.carry)
        named = root | "Blocks" >> beam.Create([(name, None) for name in blocks if name in missing])
        gathered = (
            {"named": named, "refs": refs}
            | "ByBlock" >> beam.CoGroupByKey()
            | "Gather" >> beam.FlatMapTuple(self.gather)
        )
        return (others, gathered) | beam.Flatten()

    def _looked_at(self, pages: Pages) -> npt.NDArray[np.bool_]:
        fitting = runs.get_table(storage.join(self.folder, PAGES))["page"].to_numpy()
        found: npt.NDArray[np.bool_] = np.isin(pages.ids, fitting) & (pages.ids > 0)
        return found

    def others(self, part: str) -> SourceBlock:
        """The rows of a part that are on no page that is looked at, all of them rejected."""
        pages = pages_of(self.corpus, part, self.column)
        alone = ~self._looked_at(pages)
        verdicts, table = pages.verdicts, pages.table.drop(["metadata"])
        judged = refused(table, verdicts, self.stage)
        kept = verdicts["kept"].to_numpy(zero_copy_only=False)
        lonely = [
            RejectRow(
                **row, stage=self.stage, reason="page_size", detail=name, survivor="", value=None,
                threshold=None,
            )
            for row, name in zip(
                table.filter(pa.array(alone & kept)).to_pylist(),
                [name for name, one in zip(pages.names, alone & kept, strict=True) if one],
                strict=True,
            )
        ]  # fmt: skip
        rejects = pa.concat_tables([judged, schema.table_of(RejectRow, lonely)])
        names = tuple(table["key"].filter(pa.array(alone)).to_pylist())
        return SourceBlock(part, self.datasets, names, (), rejects)

    def carry(self, part: str) -> Iterator[tuple[str, runs.Ref]]:
        """Writes the pictures of a part that are on pages to look at, unless they are there."""
        if not carried.is_written(self.folder, part):
            pages = pages_of(self.corpus, part, self.column)
            rows = np.flatnonzero(self._looked_at(pages))
            blocks = block_names(sum(self.corpus.parts.values()))
            wanted = pa.table(
                {
                    "row": rows,
                    "split": pages.verdicts["split"].take(pa.array(rows)),
                    "group": pa.array([pages.names[row] for row in rows], pa.string()),
                    "number": np.zeros(len(rows), np.int64),
                    "block": (pages.ids[rows] % np.uint64(len(blocks))).astype(np.int64),
                }
            )
            carried.write_run(self.folder, self.corpus.folder, part, wanted, blocks, self.side)
        yield from carried.references(self.folder, part)

    def gather(self, part: str, joined: Mapping[str, Iterable[Any]]) -> Iterator[SourceBlock]:
        """The pictures of a block; none where it is made already."""
        if list(joined["named"]):
            rows = carried.load(self.folder, joined["refs"])
            names = tuple(row.image.key for row in rows)
            yield SourceBlock(part, self.datasets, names, rows, schema.table_of(RejectRow, []))
