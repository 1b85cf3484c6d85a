"""Which rows go into which shard: known from the parts' footers and splits, before any picture.

So each shard is made by itself, and one that is there already is not made again.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence

from instruct_imagen_data import schema, shards
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.export.rows import Row
from instruct_imagen_data.tools.finished import Examples

SPLITS = ("train", "validation")
SHARD_BYTES = 64 << 20  # of rows: a shard is in memory until it is put under its name


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """Rows of one split of a dataset, in the order of its parts.

    Attributes:
      dataset: The dataset.
      split: "train" or "validation".
      number: From 0, within dataset and split.
      groups: (part, row group) that hold its rows; rows of the other split in them are not its.
      rows: Their number.
    """

    dataset: Examples
    split: str
    number: int
    groups: tuple[tuple[str, int], ...]
    rows: int

    @property
    def name(self) -> str:
        """Its place below the output, without an extension: train/suti-00000."""
        return f"{self.split}/{self.dataset.dataset}-{self.number:05d}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Group:
    part: str
    number: int
    rows: dict[str, int]  # split to rows
    row_bytes: float  # of a row, on average


def shards_of(dataset: Examples, limit: int = SHARD_BYTES) -> list[Shard]:
    """The shards of a dataset, each of about `limit` bytes at most.

    A shard is above the limit where one row group alone is.

    Raises:
      UsageError: a part is damaged, holds another record, or a row is of an unknown split.
    """
    groups = list(_groups(dataset))
    found = []
    for split in SPLITS:
        here = [one for one in groups if one.rows.get(split)]
        for number, some in enumerate(_cut(here, split, limit)):
            places = tuple((one.part, one.number) for one in some)
            rows = sum(one.rows[split] for one in some)
            found.append(Shard(dataset, split, number, places, rows))
    return found


def _cut(groups: Sequence[_Group], split: str, limit: int) -> Iterator[list[_Group]]:
    held: list[_Group] = []
    size = 0.0
    for one in groups:
        more = one.rows[split] * one.row_bytes
        if held and size + more > limit:
            yield held
            held, size = [], 0.0
        held.append(one)
        size += more
    if held:
        yield held


def _groups(dataset: Examples) -> Iterator[_Group]:
    folder, name = dataset.place
    for part in shards.list_parts(folder, name):
        path = shards.part_path(folder, name, part)
        with shards.open_part(path) as file:
            shards.check_schema(file.schema_arrow, schema.Example, path)
            splits = file.read(columns=["split"], use_threads=False)["split"].to_pylist()
            if odd := set(splits).difference(SPLITS):
                raise UsageError(f"{path}: split {min(odd)!r}; known are {', '.join(SPLITS)}")
            first = 0
            for number in range(file.num_row_groups):
                group = file.metadata.row_group(number)
                rows = Counter(splits[first : first + group.num_rows])
                size = group.total_byte_size / max(1, group.num_rows)
                yield _Group(part, number, dict(rows), size)
                first += group.num_rows


def rows_of(shard: Shard) -> Iterator[Row]:
    """The rows of a shard; one row group is in memory at a time."""
    folder, name = shard.dataset.place
    parts: dict[str, list[int]] = {}
    for part, group in shard.groups:
        parts.setdefault(part, []).append(group)
    for part, groups in parts.items():
        with shards.open_part(shards.part_path(folder, name, part)) as file:
            for group in groups:
                table = file.read_row_group(group, use_threads=False)
                yield from (row for row in table.to_pylist() if row["split"] == shard.split)
