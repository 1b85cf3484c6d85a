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


@dataclasses.dataclass(frozen=True)
class Options:
    """Writes a planted web: tars as img2dataset makes them, truth.parquet and true maps.

    Attributes:
        output: Folder to fill; it must be empty or missing.
        pairs: Number of (picture, caption) pairs.
        seed: Another seed draws other individuals, poses and pages; the nouns stay.
    """

    output: str
    pairs: int = 600
    seed: int = 0


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
    for name, found in counts.items():
        shown = ", ".join(f"{kind} {count}" for kind, count in found.most_common())
        lines.append(f"{name:<12}{sum(found.values()):>6}  {shown}")
    return "\n".join(lines)


def execute(options: Options) -> int:
    """Plants the web with a progress bar and prints the table; 0.

    Raises:
      UsageError: the folder holds something, is no folder, or pairs is not positive.
    """
    output = Path(options.output)
    if options.pairs < 1:
        raise UsageError(f"--pairs {options.pairs}: at least one pair is needed")
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output} is no folder")
    if output.exists() and any(output.iterdir()):
        raise UsageError(f"--output {output} is not empty: name another folder or empty this one")
    with tqdm(total=options.pairs, unit=" pairs", desc="plant", file=sys.stderr) as bar:
        plant(output, options.pairs, options.seed, bar.update)
    print(summary(output / "truth.parquet"))
    return 0


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("plant", Options, execute, argv)
