"""Groups of a source folder with their bytes: what the jobs that read folders derive from."""

import dataclasses
import functools
from collections.abc import Mapping

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import keys, schema, storage
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.sources.listing import MISSING, Group, Picture
from instruct_imagen_data.stages.blocks import Reject, sift
from instruct_imagen_data.stages.derived import SourceBlock, Todo, todo
from instruct_imagen_data.stages.pictures import describe_pair, key_of

_SALT = "opened/split"


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """A group of a source folder.

    Attributes:
      name: Of the group.
      facts: What the folder says of it.
      pairs: Its pictures that are there, as read: in the folder's order.
      split: "train" or "validation".
    """

    name: str
    facts: Mapping[str, str]
    pairs: tuple[RawPair, ...]
    split: str


def parts_of(source: Source) -> dict[str, int]:
    """Part name to the number of pictures in it."""
    listing = source.listing()
    return {name: listing.pictures_in(part) for name, part in listing.parts().items()}


def pair_of(folder: str, picture: Picture) -> RawPair:
    """A picture of a folder as a pair; what is not there has no bytes.

    Its place in the folder is its address, so that copies of one picture have keys of their own.
    """
    data = (
        b"" if picture.size == MISSING else storage.read_bytes(storage.join(folder, picture.path))
    )
    return RawPair(
        origin=picture.path,
        url=f"file:{picture.path}",
        caption=picture.caption,
        image=data,
        licence=picture.licence,
        metadata="",
    )


def _there(pair: RawPair) -> RawPair:
    if not pair.image:
        raise Reject("empty_image", "no such file, or an empty one")
    return pair


def open_group(
    group: Group, folder: str, stage: str, validation_share: float
) -> tuple[Opened, list[str], list[RejectRow]]:
    """(a group with its bytes, key of each of its pictures, rejects of those that are not there).

    A group is of one split as a whole: by its name, where the folder does not say.
    """
    pairs = [pair_of(folder, picture) for picture in group.pictures]
    there, lost = sift(pairs, _there, functools.partial(describe_pair, stage=stage))
    drawn = "validation" if keys.unit(group.name, _SALT) < validation_share else "train"
    opened = Opened(group.name, group.facts, tuple(there), group.split or drawn)
    return opened, [key_of(pair) for pair in pairs], lost


@dataclasses.dataclass(eq=False)
class ReadGroups(beam.PTransform):
    """SourceBlocks of a source folder's parts that a dataset still lacks; their rows are Opened.

    Attributes:
      source: The folder.
      output: Directory that holds a folder a dataset.
      datasets: Names in tasks.DATASETS.
      stage: Name for reject rows.
      validation_share: Share of the groups that are held out, where the folder does not say.
    """

    source: Source
    output: str
    datasets: tuple[str, ...]
    stage: str
    validation_share: float

    def expand(self, root: PBegin) -> PCollection[SourceBlock]:
        listing = self.source.listing()
        wanted = todo(self.output, self.datasets, listing.parts())
        return (
            root
            | "Parts" >> beam.Create(wanted)
            | "Spread" >> beam.Reshuffle()  # names, not pictures
            | "Open" >> beam.Map(self.read, listing.digest)
        )

    def read(self, wanted: Todo, digest: str) -> SourceBlock:
        """The groups of one part."""
        listing = self.source.check(digest)
        names: list[str] = []
        groups, rejects = [], []
        for number in listing.parts()[wanted.part]:
            found = open_group(
                listing.groups[number], listing.folder, self.stage, self.validation_share
            )
            groups.append(found[0])
            names += found[1]
            rejects += found[2]
        lost = schema.table_of(RejectRow, rejects)
        return SourceBlock(wanted.part, wanted.datasets, tuple(names), groups, lost)
