"""`instruct-imagen explain`: what became of one picture, and why."""

import dataclasses
import json
from collections.abc import Sequence

from instruct_imagen_data import command_line
from instruct_imagen_data.tools import finished
from instruct_imagen_data.tools.explain import lookup, story, text


@dataclasses.dataclass(frozen=True)
class Options:
    """Tells what became of one row: what was measured, what it was compared with, where it went.

    Attributes:
        key: A key, the first 8 digits of one or more, an origin (FILE#MEMBER) or a URL.
        directories: Outputs of jobs: of corpus and, if it has run, of neighbours.
        json: Print JSON, for other programs.
    """

    key: str
    directories: tuple[str, ...]
    json: bool = False


def execute(options: Options) -> int:
    """Prints the story of one row."""
    jobs = finished.open_jobs(options.directories)
    told = story.tell(lookup.find(jobs.corpus, options.key), jobs)
    if options.json:
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return 0
    bands = jobs.neighbours.manifest["bands"] if jobs.neighbours is not None else {}
    print("\n".join(text.lines(told, bands)))
    return 0


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("explain", Options, execute, argv, positional=("key", "directories"))
