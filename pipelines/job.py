"""What all jobs share: flags, the job file, phases, progress, exit codes."""

import dataclasses
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import apache_beam as beam

from instruct_imagen_data import command_line, shards, storage
from instruct_imagen_data.errors import TooManyRejects, UsageError
from pipelines import runners
from pipelines.progress import Progress

Options = TypeVar("Options", bound=Any)

_SHOWN_DIFFERENCES = 5
_SHOWN_ONLY = ("input", "output", "corpus", "overwrite", "max_reject_rate", "plan")


@dataclasses.dataclass(frozen=True)
class Phase:
    """One Beam pipeline that fills a directory with whole files, its manifest last.

    Attributes:
      name: For progress and for `--plan`.
      folder: The directory; a phase whose manifest is there is skipped, known by it alone.
      build: Puts the steps on a pipeline.
      dataset: The dataset of `folder` whose parts show how far the phase is.
      parts: How many of them there will be, as far as can be told.
      rows: How many rows they will hold, as far as can be told.
    """

    name: str
    folder: str
    build: Callable[[beam.Pipeline], None]
    dataset: str = shards.REJECTS
    parts: int = 0
    rows: int = 0

    @property
    def finished(self) -> bool:
        return storage.exists(storage.join(self.folder, shards.MANIFEST))


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a job is about to do.

    Attributes:
      settings: All that the output depends on, beside the inputs: compared at each start.
      inputs: Name to size of each input, in order; none may change.
      paths: Name to path of each input, kept for later starts.
      phases: In order; the last one's folder is the output.
      grows: Whether inputs may be added to a former run's, to continue it.
      size: About how many bytes will be written; 0 if that cannot be told.
    """

    settings: Mapping[str, Any]
    inputs: Mapping[str, int]
    paths: Mapping[str, str]
    phases: Sequence[Phase]
    grows: bool = False
    size: int = 0


def settings_of(options: Any, **resolved: Any) -> dict[str, Any]:
    """The settings of a job: its options but those that change no output, and what they became."""
    given = dataclasses.asdict(options)
    plain = {name: value for name, value in given.items() if name not in _SHOWN_ONLY}
    return plain | resolved


def _job_file(verb: str, plan: Plan) -> dict[str, Any]:
    """The content of `_JOB.json`, as it will be read again."""
    tables = {"settings": plan.settings, "inputs": plan.inputs, "paths": plan.paths}
    content: dict[str, Any] = json.loads(json.dumps({"job": verb, **tables}))
    return content


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


def _former(output: str, now: Mapping[str, Any], grows: bool, overwrite: bool) -> Any:
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


def _clear(output: str) -> None:
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


def _prepare(
    output: str, now: Mapping[str, Any], former: Mapping[str, Any] | None, overwrite: bool
) -> None:
    """Makes an output ready for the job, which is told by its `_JOB.json` from now on."""
    if overwrite:
        _clear(output)
    if former is not None and former["inputs"] != now["inputs"]:
        storage.delete(storage.join(output, shards.MANIFEST))  # inputs were added: not finished
    if former != now:
        shards.write_json(output, shards.JOB, now)
    storage.sweep_temporary(output)


def _show_plan(verb: str, options: Any, plan: Plan, flags: Sequence[str]) -> None:
    print(f"{verb}: {len(plan.inputs)} inputs, {sum(plan.inputs.values()):,} bytes")
    for name, value in (dataclasses.asdict(options) | dict(plan.settings)).items():
        print(f"  {name} = {value!r}")
    for phase in plan.phases:
        pipeline = beam.Pipeline(options=runners.pipeline_options([]))
        phase.build(pipeline)
        print(f"phase {phase.name} -> {phase.folder}{' (done)' if phase.finished else ''}")
        for name in runners.step_names(pipeline):
            print(f"  {name}")
    print(f"beam flags: {' '.join(flags) or '(none)'}")


def _run(phase: Phase, flags: Sequence[str]) -> None:
    pipeline = beam.Pipeline(options=runners.pipeline_options(flags))
    phase.build(pipeline)
    folder = storage.join(phase.folder, phase.dataset)
    with Progress(phase.name, folder, phase.parts, phase.rows):
        runners.run(pipeline)
    if not phase.finished:
        raise UsageError(f"phase {phase.name} ended without {shards.MANIFEST}: run it again")


def summary(manifest: Mapping[str, Any]) -> list[str]:
    """Lines that say what became of the rows of a job."""
    rows_in, reasons = manifest["rows_in"], manifest["reasons"]
    rejected = sum(reasons.values())
    share = rejected / rows_in if rows_in else 0.0
    lines = [
        f"{rows_in:,} rows in, {rows_in - rejected:,} kept, {rejected:,} rejected ({share:.1%})"
    ]
    ordered = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    return lines + [f"  {reason:<18} {count:>9,}" for reason, count in ordered]


def _check_reject_rate(manifest: Mapping[str, Any], limit: float) -> None:
    rejected, rows_in = sum(manifest["reasons"].values()), manifest["rows_in"]
    if rows_in and rejected / rows_in > limit:
        raise TooManyRejects(
            f"{rejected:,} of {rows_in:,} rows were rejected, above --max-reject-rate {limit}; "
            "everything is written, see the counts above"
        )


def _execute(
    verb: str, options_type: type[Options], make: Callable[[Options], Plan], argv: Sequence[str]
) -> None:
    beam_flags, own = runners.split_flags(argv)
    options = command_line.parse(verb, options_type, own, other_flags=runners.flag_names())
    flags = runners.with_defaults(beam_flags)
    plan = make(options)
    now = _job_file(verb, plan)
    former = _former(options.output, now, plan.grows, options.overwrite)
    if options.plan:
        _show_plan(verb, options, plan, flags)
        return
    _prepare(options.output, now, former, options.overwrite)
    todo = [phase for phase in plan.phases if not phase.finished]
    if not todo or plan.phases[-1].finished:
        print(f"{verb}: nothing to do, {options.output} is finished")
    else:
        warning = runners.check_disk(options.output, plan.size)
        if warning:
            print(f"{verb}: {warning}", file=sys.stderr)
        for phase in todo:
            _run(phase, flags)
    manifest = shards.require_finished(options.output, verb)
    print("\n".join(summary(manifest)))
    _check_reject_rate(manifest, options.max_reject_rate)


def main(
    verb: str,
    options_type: type[Options],
    make: Callable[[Options], Plan],
    argv: Sequence[str] | None = None,
) -> int:
    """Runs a job from a command line; its exit code: 0, 2 for wrong use, 3 for too many rejects.

    Beam's own flags are taken first; the rest are the job's options, strictly.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--help" in arguments or "-h" in arguments:
        command_line.parser_of(verb, options_type).print_help()
        print("\nAll flags of Apache Beam are taken too, e.g. --runner, --direct_num_workers.")
        return 0
    try:
        _execute(verb, options_type, make, arguments)
    except UsageError as error:
        print(f"instruct-imagen {verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{verb}: interrupted; the same command continues it", file=sys.stderr)
        return 130
    except (RuntimeError, OSError) as error:  # the disk, the network, or an error through Beam
        line = runners.cause(error)
        if line is None:
            raise
        traceback.clear_frames(error.__traceback__)
        print(f"instruct-imagen {verb}: {line}; the same command continues it", file=sys.stderr)
        return 2
    return 0
