"""What all jobs share: flags, the job file, phases, progress, exit codes."""

import dataclasses
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
      inputs: Name to size of each input, in order; one may be added, none may change.
      paths: Name to path of each input, kept for later starts.
      phases: In order; the last one's folder is the output.
    """

    settings: Mapping[str, Any]
    inputs: Mapping[str, int]
    paths: Mapping[str, str]
    phases: Sequence[Phase]


def settings_of(options: Any, **resolved: Any) -> dict[str, Any]:
    """The settings of a job: its options but those that change no output, and what they became."""
    given = dataclasses.asdict(options)
    plain = {name: value for name, value in given.items() if name not in _SHOWN_ONLY}
    return plain | resolved


def _differences(former: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What a job's file says otherwise than the command, but for added inputs."""
    found = []
    old, new = former.get("settings", {}), now["settings"]
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            label = command_line.flag(name)
            found.append(f"{label} was {old.get(name)!r}, is now {new.get(name)!r}")
    for name, size in former.get("inputs", {}).items():
        if name not in now["inputs"]:
            found.append(f"input {name} is no longer there")
        elif now["inputs"][name] != size:
            found.append(f"input {name} had {size} bytes, has now {now['inputs'][name]}")
    return found


def _prepare(verb: str, output: str, plan: Plan, overwrite: bool) -> None:
    """Compares the job with a former one of the same output and writes `_JOB.json`.

    Raises:
      UsageError: the output is another job's, or has other options or inputs.
    """
    now = {
        "job": verb,
        "settings": dict(plan.settings),
        "inputs": dict(plan.inputs),
        "paths": dict(plan.paths),
    }
    former = shards.read_json(output, shards.JOB)
    if former is None and storage.list_files(output, recursive=True):
        raise UsageError(f"{output} is not empty and holds no job ({shards.JOB}): choose another")
    if former is not None:
        found = _differences(former, now)
        if former.get("job") != verb:
            found.insert(0, f"it was written by {former.get('job')!r}")
        if found and not overwrite:
            raise UsageError(
                f"{output} holds another job: {'; '.join(found)}. "
                "Choose another --output, or give --overwrite to replace it"
            )
        if found or overwrite:
            storage.delete(output)
            former = None
    if former is not None and former.get("inputs") != now["inputs"]:
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
    if options.plan:
        _show_plan(verb, options, plan, flags)
        return
    _prepare(verb, options.output, plan, options.overwrite)
    todo = [phase for phase in plan.phases if not phase.finished]
    if not todo or plan.phases[-1].finished:
        print(f"{verb}: nothing to do, {options.output} is finished")
    else:
        runners.check_disk(options.output, sum(plan.inputs.values()))
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
    except (RuntimeError, OSError) as error:
        line = runners.cause(error)
        if line is None:
            raise
        traceback.clear_frames(error.__traceback__)
        print(f"instruct-imagen {verb}: {line}; the same command continues it", file=sys.stderr)
        return 2
    return 0
