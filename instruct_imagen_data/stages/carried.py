"""Pictures of a corpus, carried to the blocks that want them: a shared primitive of later jobs.

A row of `Wanted` says which picture goes where. Each part of the corpus writes its wanted pictures
once, shrunk, as a run over the blocks; only references are shuffled (DESIGN 3).
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from instruct_imagen_data import images, runs, schema, shards, storage
from instruct_imagen_data.stages.derived import target_of

_IMAGE = "image"


@dataclasses.dataclass(frozen=True, slots=True)
class Carried:
    """A picture of a corpus in the block that wants it.

    Attributes:
      image: The corpus' row; its picture is shrunk to the side that targets have.
      split: Of its verdict.
      group: What it is wanted for: rows of one group are worked on together.
      number: Tells uses of one picture in one group apart.
    """

    image: schema.Image
    split: str
    group: str
    number: int


def runs_of(folder: str) -> str:
    """Where the runs of a phase's pictures are, until the dataset is finished."""
    return storage.join(folder, "runs")


def is_written(folder: str, part: str) -> bool:
    """Whether a part's run is there."""
    return storage.exists(runs.run_path(runs_of(folder), part))


def write_run(
    folder: str, corpus: str, part: str, wanted: pa.Table, blocks: Sequence[str], side: int
) -> None:
    """Writes the wanted pictures of a part as a run over blocks, unless it is there.

    Args:
      folder: Of the phase that said what is wanted.
      wanted: row (within the part, ascending), split, group, number and block (an index of
        `blocks`) of each use.
      side: Shorter side of the pictures, in pixels.
    """
    if is_written(folder, part) or not wanted.num_rows:
        return
    names = schema.schema_of(schema.Image).names
    rows, uses = np.unique(wanted["row"].to_numpy(), return_inverse=True)
    pictures = shards.take_rows(corpus, "images", part, rows, names)
    shrunk = [_shrunk(one, side) for one in pictures[_IMAGE].to_pylist()]
    place = pictures.schema.get_field_index(_IMAGE)
    kind = pictures.schema.field(_IMAGE)
    pictures = pictures.set_column(place, kind, pa.array(shrunk, kind.type)).take(pa.array(uses))
    for name in ("split", "group", "number"):
        pictures = pictures.append_column(name, wanted[name].combine_chunks())
    runs.write_run(runs_of(folder), part, pictures, wanted["block"].to_numpy(), list(blocks))


def _shrunk(image: Mapping[str, bytes], side: int) -> dict[str, bytes | str]:
    picture = images.read(image["bytes"], images.STORED)
    return {"bytes": target_of(picture, side).encoded, "path": str(image["path"])}


def references(folder: str, part: str) -> Iterator[tuple[str, runs.Ref]]:
    """(block, reference) of each block that a part's run has pictures for."""
    if is_written(folder, part):
        yield from runs.references(runs_of(folder), part)


def load(folder: str, refs: Iterable[runs.Ref]) -> list[Carried]:
    """The pictures of a block, by group, number and key."""
    several = sorted(refs)
    if not several:
        return []
    table = runs.read_batches(runs_of(folder), several)
    table = table.sort_by([(name, "ascending") for name in ("group", "number", "key")])
    names = schema.schema_of(schema.Image).names
    found = []
    for row in table.to_pylist():
        image = schema.Image(**{name: row[name] for name in names})
        image = dataclasses.replace(image, image=schema.Encoded(**row[_IMAGE]))
        found.append(Carried(image, row["split"], row["group"], row["number"]))
    return found
