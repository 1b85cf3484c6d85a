"""`instruct-imagen diff`: what two builds of datasets differ in."""

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence

from tqdm import tqdm

from instruct_imagen_data import command_line, tasks
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools import finished
from instruct_imagen_data.tools.diff.builds import Difference, compare, to_read

VERB = "diff"
Pair = tuple[finished.Examples | None, finished.Examples | None]


@dataclasses.dataclass(frozen=True)
class Options:
    """Compares two builds by key: rows added, removed and changed, by dataset and reason.

    Exit code: 0 if both hold the same rows, 1 if they differ, 2 for wrong use.

    Attributes:
        first: Directory that `instruct-imagen instruct` or `derive` filled, or a dataset in it.
        second: Another build of it.
    """

    first: str
    second: str


def _pairs(options: Options) -> dict[str, Pair]:
    """Dataset -> its two builds, in Table 1's order.

    Raises:
      UsageError: a directory holds no finished datasets, or the two are not of one kind.
    """
    first, second = (
        {one.dataset: one for one in finished.open_examples(folder)}
        for folder in (options.first, options.second)
    )
    kinds = [{one.instructed for one in build.values()} for build in (first, second)]
    if kinds[0] != kinds[1] or len(kinds[0]) > 1:
        raise UsageError(
            f"{options.first} and {options.second} are not both instructions, or both derived "
            "examples: compare two of a kind"
        )
    return {
        name: (first.get(name), second.get(name))
        for name in tasks.DATASETS
        if name in first or name in second
    }


def lines(found: Sequence[Difference]) -> Iterator[str]:
    """The table: a line a dataset, and below it the reasons and the fields."""
    heads = ("first", "second", "added", "removed", "changed")
    yield f"{'':<16}" + "".join(f"{head:>11}" for head in heads)
    for one in found:
        numbers = (*one.rows, sum(one.added.values()), sum(one.removed.values()), one.changed)
        yield f"{one.dataset:<16}" + "".join(f"{number:>11,}" for number in numbers)
        for head, counts in (
            ("added", one.added),
            ("removed", one.removed),
            ("changed", one.fields),
        ):
            if counts:
                yield f"  {head}: {_told(counts)}"
    differing = sum(not one.equal for one in found)
    yield f"{differing} of {len(found)} datasets differ" if differing else "no difference"


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def execute(options: Options) -> int:
    """Prints the table; 0 if nothing differs, else 1."""
    pairs = _pairs(options)
    total = sum(
        sum(to_read(first, second).values()) + sum(to_read(second, first).values())
        for first, second in pairs.values()
    )
    with tqdm(total=total, unit=" rows", desc=VERB, file=sys.stderr) as bar:
        found = [compare(name, pair, bar.update) for name, pair in pairs.items()]
    print("\n".join(lines(found)))
    return int(not all(one.equal for one in found))


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run(VERB, Options, execute, argv, positional=("first", "second"))
