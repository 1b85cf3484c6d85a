"""Style pictures x content pictures: which are paired, and how they come together.

Each style is paired with so many contents, drawn by hash from the kept pictures of a corpus in key
order: the same whatever the sharding. Pairs are of one split: whole artists are held out before
anything is made of them (FACTS 60).
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import keys, runs, schema, shards
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.sources.listing import Group
from instruct_imagen_data.stages import carried
from instruct_imagen_data.stages.carried import Carried
from instruct_imagen_data.stages.derived import SourceBlock, todo
from instruct_imagen_data.stages.kept import Corpus, read_judged
from instruct_imagen_data.stages.opened import pair_of
from instruct_imagen_data.stages.pictures import key_of

STYLES = 8  # of a block
_PAIRS = "pairs"
_DRAWS = 4  # so many draws for each content that is wanted: some fall on one that is taken


@dataclasses.dataclass(frozen=True)
class Pairing:
    """What is paired.

    Attributes:
      corpus: Of the contents.
      styles: A folder of paintings.
      dataset: A name in tasks.DATASETS: each draws pairs of its own.
      per_style: Contents of each style.
      folder: The phase's directory.
    """

    corpus: Corpus
    styles: Source
    dataset: str
    per_style: int
    folder: str

    def blocks(self) -> dict[str, range]:
        """Part name to the numbers of its styles."""
        return self.styles.listing().parts(max_pictures=STYLES)


@dataclasses.dataclass(frozen=True, slots=True)
class Pairs:
    """A style and the contents that it is put on.

    Attributes:
      name: Of the style in its folder.
      facts: What the folder says of it.
      style: As read; without bytes where it is not there.
      contents: By their number.
    """

    name: str
    facts: Mapping[str, str]
    style: RawPair
    contents: tuple[Carried, ...]

    def key(self, dataset: str, content: Carried) -> str:
        """The key of the row that a content gives."""
        return keys.derived_key(dataset, (content.image.key, key_of(self.style)))


def draw(style: Group, contents: int, wanted: int, salt: str) -> list[int]:
    """Numbers of the contents of a style, each once: fewer than wanted where there are few."""
    found: dict[int, None] = {}
    if contents <= wanted:
        return list(range(contents))
    for number in range(_DRAWS * wanted):
        found.setdefault(keys.draw64(style.name, f"{salt}/{number}") % contents)
        if len(found) == wanted:
            break
    return list(found)


@dataclasses.dataclass(eq=False)
class DrawPairs(beam.PTransform):
    """Writes which row of which part each style is paired with, and a manifest."""

    pairing: Pairing

    def expand(self, root: PBegin) -> PCollection[None]:
        digest = self.pairing.styles.listing().digest
        return (
            root
            | "Parts" >> beam.Create(list(enumerate(self.pairing.corpus.parts)))
            | beam.Reshuffle()
            | "Kept" >> beam.MapTuple(self.kept)
            | "All" >> beam.combiners.ToList()
            | "Draw" >> beam.Map(self.write, digest)
        )

    def kept(self, number: int, part: str) -> pa.Table:
        """Key (packed), split, part and row of the pictures of a part that may be contents."""
        _, verdicts = read_judged(self.pairing.corpus, part, ("key",))
        rows = np.flatnonzero(verdicts["kept"].to_numpy(zero_copy_only=False))
        return pa.table(
            {
                "key": verdicts["key"].take(pa.array(rows)).combine_chunks(),
                "split": verdicts["split"].take(pa.array(rows)).combine_chunks(),
                "part": np.full(len(rows), number, np.int64),
                "row": rows.astype(np.int64),
            }
        )

    def write(self, found: list[pa.Table], digest: str) -> None:
        """Draws the contents of all styles."""
        listing = self.pairing.styles.check(digest)
        contents = pa.concat_tables(found).sort_by("key").combine_chunks()
        of_split = {
            split: np.flatnonzero(pc.equal(contents["split"], split).to_numpy())
            for split in ("train", "validation")
        }
        pairs: dict[str, list[Any]] = {name: [] for name in ("content", "group", "number", "block")}
        for block, numbers in enumerate(self.pairing.blocks().values()):
            for style in (listing.groups[number] for number in numbers):
                rows = of_split[style.split]
                drawn = draw(style, len(rows), self.pairing.per_style, self.pairing.dataset)
                pairs["content"] += rows[drawn].tolist()
                pairs["group"] += [style.name] * len(drawn)
                pairs["number"] += range(len(drawn))
                pairs["block"] += [block] * len(drawn)
        table = _pair_table(contents, pairs)
        runs.write_run(
            self.pairing.folder, _PAIRS, table.drop(["part"]), table["part"].to_numpy(),
            list(self.pairing.corpus.parts),
        )  # fmt: skip
        content = {"job": "pairs", "styles": len(listing.groups), "pairs": table.num_rows}
        shards.write_json(self.pairing.folder, shards.MANIFEST, content)


def _pair_table(contents: pa.Table, pairs: Mapping[str, list[Any]]) -> pa.Table:
    """row, split, group, number, block and part of each pair, rows ascending within a part."""
    taken = contents.take(pa.array(pairs["content"], pa.int64()))
    table = pa.table(
        {
            "part": taken["part"],
            "row": taken["row"],
            "split": taken["split"],
            "group": pa.array(pairs["group"], pa.string()),
            "number": pa.array(pairs["number"], pa.int64()),
            "block": pa.array(pairs["block"], pa.int64()),
        }
    )
    order = [(name, "ascending") for name in ("part", "row", "block", "group", "number")]
    return table.sort_by(order).combine_chunks()


@dataclasses.dataclass(eq=False)
class CarryContents(beam.PTransform):
    """SourceBlocks of Pairs, for the styles of a part that the dataset still lacks.

    Their keys are those of the rows that each pair gives.

    Attributes:
      pairing: What was paired.
      output: Directory that holds a folder a dataset.
      stage: Name for reject rows.
      side: Shorter side of the contents.
    """

    pairing: Pairing
    output: str
    stage: str
    side: int

    def expand(self, root: PBegin) -> PCollection[SourceBlock]:
        blocks = self.pairing.blocks()
        lacking = [one.part for one in todo(self.output, (self.pairing.dataset,), blocks)]
        digest = self.pairing.styles.listing().digest
        refs = (
            root
            | "Parts" >> beam.Create([*self.pairing.corpus.parts])
            | beam.Reshuffle()
            | "Carry" >> beam.FlatMap(self.carry)
        )
        named = root | "Blocks" >> beam.Create([(name, None) for name in lacking])
        return (
            {"named": named, "refs": refs}
            | "ByBlock" >> beam.CoGroupByKey()
            | "Gather" >> beam.FlatMapTuple(functools.partial(self.gather, digest=digest))
        )

    def carry(self, part: str) -> Iterator[tuple[str, runs.Ref]]:
        """Writes the contents in a part, unless they are there."""
        for name, ref in runs.references(self.pairing.folder, _PAIRS):
            if name == part:
                wanted = runs.read_batches(self.pairing.folder, [ref])
                corpus = self.pairing.corpus.folder
                carried.write_run(
                    self.pairing.folder, corpus, part, wanted, [*self.pairing.blocks()], self.side
                )
        yield from carried.references(self.pairing.folder, part)

    def gather(
        self, part: str, joined: Mapping[str, Iterable[Any]], digest: str
    ) -> Iterator[SourceBlock]:
        """The styles of a part with their contents; none where they are made already."""
        if not list(joined["named"]):
            return
        listing = self.pairing.styles.check(digest)
        contents: dict[str, list[Carried]] = {}
        for row in carried.load(self.pairing.folder, joined["refs"]):
            contents.setdefault(row.group, []).append(row)
        groups = (listing.groups[number] for number in self.pairing.blocks()[part])
        styles = [
            Pairs(
                group.name,
                group.facts,
                pair_of(listing.folder, group.pictures[0]),
                tuple(contents.get(group.name, ())),
            )
            for group in groups
        ]
        dataset = self.pairing.dataset
        names = tuple(one.key(dataset, each) for one in styles for each in one.contents)
        none = schema.table_of(RejectRow, [])
        yield SourceBlock(part, (dataset,), names, styles, none)
