"""The verb `finish`: index and manifest of a job whose graph nothing waited for."""

import dataclasses
import sys
from collections.abc import Sequence

from instruct_imagen_data import command_line, shards
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages.finish import finish, finish_dataset
from pipelines import corpus, job

_INDEXED = {corpus.VERB: ("images",)}


@dataclasses.dataclass(frozen=True)
class Options:
    """Writes the index and the manifest of a directory whose blocks are all committed.

    Jobs do this by themselves as the last step of their graph; it is needed only after a run that
    was launched and not waited for.

    Attributes:
        directory: The job's output.
    """

    directory: str


def execute(options: Options) -> int:
    """Finishes one directory and prints its counts."""
    started = shards.read_job(options.directory) or {"job": "", "settings": {}}
    verb, dataset = started["job"], started["settings"].get("dataset")
    if dataset is not None:
        finish_dataset(options.directory, verb, dataset)
    elif verb in _INDEXED:
        finish(None, options.directory, verb, _INDEXED[verb])
    else:
        known = ", ".join(_INDEXED)
        raise UsageError(
            f"{options.directory} holds no job that this can finish ({known}, derived datasets)"
        )
    print("\n".join(job.summary(shards.require_finished(options.directory, verb))))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The verb `finish`."""
    return command_line.run("finish", Options, execute, argv, positional=("directory",))


if __name__ == "__main__":
    sys.exit(main())
