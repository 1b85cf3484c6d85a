"""instruct-imagen plant: writes a small web of pictures whose truth is known."""

import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from tqdm import tqdm

from instruct_imagen_data import command_line
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.planted import plant
from instruct_imagen_data.planted.extras import pictures, plant_extras, subjects


@dataclasses.dataclass(frozen=True)
class Options:
    """Writes a planted web: tars as img2dataset makes them, truth.parquet and true maps.

    Attributes:
        output: Folder to fill; it must be empty or missing.
        pairs: Number of (picture, caption) pairs.
        seed: Another seed draws other individuals, poses and pages; the nouns stay.
        extras: Folder for planted source sets of stage 2: paintings, subjects, sketches, faces;
            none by default.
        subjects: Individuals among these sources' subjects, each seen four to six times.
    """

    output: str
    pairs: int = 600
    seed: int = 0
    extras: str | None = None
    subjects: int = subjects.COUNT


def summary(truth: Path) -> str:
    """A table of what a truth file says was planted."""
    rows = pq.read_table(truth).to_pylist()
    whole = [row for row in rows if row["defect"] is None]
    bad = Counter(row["degradation"] for row in whole if row["degradation"])
    counts = {
        "domain": Counter(row["domain"] for row in rows),
        "defect": Counter(row["defect"] for row in rows if row["defect"]),
        "bad": bad,
        "copy": Counter(row["copy_kind"] for row in rows if row["copy_kind"]),
        "look-alike": Counter(row["trap"] for row in rows if row["trap"]),
    }
    lines = [f"{len(rows)} pairs, {len({row['entity'] for row in rows} - {None})} entities of "
             f"{len({row['topic'] for row in rows} - {None})} topics, "
             f"{sum(bad.values()) / max(len(whole), 1):.0%} of the usable ones bad"]  # fmt: skip
    return "\n".join([*lines, *(_row(name, found) for name, found in counts.items())])


def _row(name: str, found: Counter[str]) -> str:
    """A line of the table: how many there are of each kind, the most frequent first."""
    shown = ", ".join(f"{kind} {count}" for kind, count in found.most_common())
    return f"{name:<12}{sum(found.values()):>6}  {shown}"


def execute(options: Options) -> int:
    """Plants the web, and the extras if wanted, with progress bars and prints the table; 0.

    Raises:
      UsageError: a folder holds something or is no folder, both are one, or pairs is not positive.
    """
    output = Path(options.output)
    if options.pairs < 1:
        raise UsageError(f"--pairs {options.pairs}: at least one pair is needed")
    _refuse_filled("output", output)
    if options.extras is not None:
        _refuse_filled("extras", Path(options.extras))
        if Path(options.extras).resolve() == output.resolve():
            raise UsageError(f"--extras {options.extras} is the folder of --output: name another")
    with tqdm(total=options.pairs, unit=" pairs", desc="plant", file=sys.stderr) as bar:
        plant(output, options.pairs, options.seed, bar.update)
    print(summary(output / "truth.parquet"))
    if options.extras is not None:
        total = pictures(options.subjects)
        with tqdm(total=total, unit=" pictures", desc="extras", file=sys.stderr) as bar:
            folder = Path(options.extras)
            counts = plant_extras(folder, options.seed, bar.update, options.subjects)
        print(_row("extras", Counter(counts)))
    return 0


def _refuse_filled(flag: str, folder: Path) -> None:
    """Raises a UsageError unless the folder is empty or missing."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--{flag} {folder} is no folder")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"--{flag} {folder} is not empty: name another folder or empty this one")


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("plant", Options, execute, argv)
