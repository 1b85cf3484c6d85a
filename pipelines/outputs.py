"""An output as a start finds it: compared with what is asked, refused, continued or emptied."""

from collections.abc import Mapping
from typing import Any

from instruct_imagen_data import command_line, shards, storage
from instruct_imagen_data.errors import UsageError

_SHOWN_DIFFERENCES = 5


def _differences(former: Mapping[str, Any], now: Mapping[str, Any], grows: bool) -> list[str]:
    """What a job's file says otherwise than the command, but for inputs that may be added."""
    found = []
    if former["job"] != now["job"]:
        found.append(f"it was written by {former['job']!r}")
    old, new = former["settings"], now["settings"]
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            label = command_line.flag(name)
            found.append(f"{label} was {old.get(name)!r}, is now {new.get(name)!r}")
    before, after = former["inputs"], now["inputs"]
    for name, size in before.items():
        if name not in after:
            found.append(f"input {name} is no longer there")
        elif after[name] != size:
            found.append(f"input {name} had {size} bytes, has now {after[name]}")
    if not grows:
        found += [f"input {name} is new" for name in after if name not in before]
    return found


def _is_new(output: str) -> bool:
    return not storage.exists(storage.join(output, shards.JOB))


def former_of(output: str, now: Mapping[str, Any], grows: bool, overwrite: bool) -> Any:
    """The job file of a former run that this one continues, None if there is nothing to continue.

    Raises:
      UsageError: the output is another job's, or has other options or inputs.
    """
    # The files first: another start of this job may write its job file just now.
    files = storage.list_files(output, recursive=True) if _is_new(output) else []
    former = shards.read_job(output)
    if former is None and any(not one.name.startswith(shards.JOB) for one in files):
        raise UsageError(f"{output} is not empty and holds no job ({shards.JOB}): choose another")
    if former is None or overwrite:
        return None
    found = _differences(former, now, grows)
    if found:
        more = f" and {len(found) - _SHOWN_DIFFERENCES} more" * (len(found) > _SHOWN_DIFFERENCES)
        raise UsageError(
            f"{output} holds another job: {'; '.join(found[:_SHOWN_DIFFERENCES])}{more}. "
            "Choose another --output, or give --overwrite to replace it"
        )
    return former


def clear(output: str) -> None:
    """Empties an output so that, if it is stopped, what is left vouches for nothing that is gone.

    Manifests and commits go first, the job file goes last.
    """
    files = storage.list_files(output, recursive=True)
    vouching = [one for one in files if one.name == shards.MANIFEST]
    vouching += [one for one in files if f"/{shards.REJECTS}/" in one.path]
    others = [one for one in files if one not in set(vouching) and one.name != shards.JOB]
    for file in (*vouching, *others):
        storage.delete(file.path)
    storage.empty(output)


def prepare(
    output: str, now: Mapping[str, Any], former: Mapping[str, Any] | None, overwrite: bool
) -> None:
    """Makes an output ready for the job, which is told by its `_JOB.json` from now on."""
    if overwrite:
        clear(output)
    if former is not None and former["inputs"] != now["inputs"]:
        storage.delete(storage.join(output, shards.MANIFEST))  # inputs were added: not finished
    if former != now:
        shards.write_json(output, shards.JOB, now)
    storage.sweep_temporary(output)
