"""`instruct-imagen report`: one HTML page that tells what became of every pair."""

import dataclasses
from collections.abc import Sequence

from instruct_imagen_data import command_line, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools import finished, truth
from instruct_imagen_data.tools.report import page


@dataclasses.dataclass(frozen=True)
class Options:
    """Writes one HTML page that opens offline: what became of every pair, and why.

    Attributes:
        directories: Outputs of jobs: of corpus and, if they have run, of neighbours and derive.
        output: HTML file to write.
        truth: Truth of a planted corpus (truth.parquet) to measure against.
    """

    directories: tuple[str, ...]
    output: str = "report.html"
    truth: str = ""


def execute(options: Options) -> int:
    """Writes the page; prints its place and, where there is a truth, the table."""
    jobs = finished.open_jobs(options.directories)
    with finished.reading():
        rows = truth.measure(options.truth, jobs) if options.truth else []
        html = page.render(jobs, rows).encode()
    try:
        storage.write_bytes(options.output, html)
    except OSError as error:
        raise UsageError(f"--output {options.output} cannot be written: {error}") from error
    if rows:
        print(truth.table(rows), end="\n\n")
    print(f"report: {options.output} ({len(html) / 1e6:.1f} MB)")
    return 0


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("report", Options, execute, argv, positional=("directories",))
