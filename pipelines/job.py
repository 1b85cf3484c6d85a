"""What all jobs share: flags, the job file, phases, progress, exit codes.

A job fills one directory, or several that are made in one pass; each has its own job file, rejects
and manifest, so that each is resumed, refused and finished by itself.
"""

import dataclasses
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import apache_beam as beam

from instruct_imagen_data import command_line, shards, storage
from instruct_imagen_data.errors import TooManyRejects, UsageError
from pipelines import outputs, runners
from pipelines.progress import Progress

Options = TypeVar("Options", bound=Any)

_SHOWN_ONLY = (
    "input", "output", "corpus", "neighbourhoods", "only", "overwrite", "max_reject_rate", "plan",
    "art", "subjects", "sketches", "celeba", "celeba_hq",  # what lies in them is compared
    "examples", "templates", "against",  # so it is here
    "total_examples", "max_replay",  # of the mixture, which each run writes anew
)  # fmt: skip


def is_finished(folder: str) -> bool:
    """Whether a directory has its manifest, which is written last."""
    return storage.exists(storage.join(folder, shards.MANIFEST))


@dataclasses.dataclass(frozen=True)
class Phase:
    """One Beam pipeline that fills directories with whole files, their manifests last.

    Attributes:
      name: For progress and for `--plan`.
      folders: The directories; a phase is skipped if all have a manifest, known by it alone.
      build: Puts the steps on a pipeline.
      dataset: The dataset of the last folder whose parts show how far the phase is.
      parts: How many of them there will be, as far as can be told.
      rows: How many rows they will hold, as far as can be told.
      apart: Whether the folders hold different parts, all of which count.
    """

    name: str
    folders: Sequence[str]
    build: Callable[[beam.Pipeline], None]
    dataset: str = shards.REJECTS
    parts: int = 0
    rows: int = 0
    apart: bool = False

    @property
    def finished(self) -> bool:
        return all(is_finished(folder) for folder in self.folders)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a job is about to do.

    Attributes:
      settings: All that the output depends on, beside the inputs: compared at each start.
      inputs: Name to size of each input, in order; none may change.
      paths: Name to path of each input, kept for later starts.
      phases: In order; the last one fills the outputs.
      grows: Whether inputs may be added to a former run's, to continue it.
      size: About how many bytes will be written; 0 if that cannot be told.
      outputs: Directory to what it depends on beside `settings`, for each that the job fills; if
        none is named, it is the one of `--output`.
      inputs_of: Directory to its own inputs, where they are not those of the job.
    """

    settings: Mapping[str, Any]
    inputs: Mapping[str, int]
    paths: Mapping[str, str]
    phases: Sequence[Phase]
    grows: bool = False
    size: int = 0
    outputs: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    inputs_of: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)


def settings_of(options: Any, **resolved: Any) -> dict[str, Any]:
    """The settings of a job: its options but those that change no output, and what they became."""
    given = dataclasses.asdict(options)
    plain = {name: value for name, value in given.items() if name not in _SHOWN_ONLY}
    return plain | resolved


def _job_file(verb: str, plan: Plan, output: str = "") -> dict[str, Any]:
    """The content of an output's `_JOB.json`, as it will be read again."""
    settings = {**plan.settings, **plan.outputs.get(output, {})}
    inputs = plan.inputs_of.get(output, plan.inputs)
    tables = {"settings": settings, "inputs": inputs, "paths": plan.paths}
    content: dict[str, Any] = json.loads(json.dumps({"job": verb, **tables}))
    return content


def _show_plan(verb: str, options: Any, plan: Plan, flags: Sequence[str]) -> None:
    size = f", {plan.size:,} bytes" if plan.size else ""
    print(f"{verb}: {len(plan.inputs)} inputs{size}")
    for name, value in (dataclasses.asdict(options) | dict(plan.settings)).items():
        print(f"  {name} = {value!r}")
    for phase in plan.phases:
        pipeline = beam.Pipeline(options=runners.pipeline_options([]))
        phase.build(pipeline)
        done = " (done)" if phase.finished else ""
        print(f"phase {phase.name} -> {', '.join(phase.folders)}{done}")
        for name in runners.step_names(pipeline):
            print(f"  {name}")
    print(f"beam flags: {' '.join(flags) or '(none)'}")


def _run(phase: Phase, flags: Sequence[str]) -> None:
    pipeline = beam.Pipeline(options=runners.pipeline_options(flags))
    phase.build(pipeline)
    watched = phase.folders if phase.apart else phase.folders[-1:]
    folders = [storage.join(folder, phase.dataset) for folder in watched]
    with Progress(phase.name, folders, phase.parts, phase.rows):
        runners.run(pipeline)
    if not phase.finished:
        raise UsageError(f"phase {phase.name} ended without {shards.MANIFEST}: run it again")


def summary(manifest: Mapping[str, Any]) -> list[str]:
    """Lines that say what became of the rows of a job."""
    rows_in, reasons = manifest["rows_in"], manifest["reasons"]
    rejected = sum(reasons.values())
    share = rejected / rows_in if rows_in else 0.0
    made = f"{rows_in - rejected:,} kept"
    if "dataset" in manifest:  # its rows are not those that were read
        made = f"{manifest['rows'][manifest['dataset']]:,} rows of {manifest['dataset']}"
    lines = [f"{rows_in:,} rows in, {made}, {rejected:,} rejected ({share:.1%})"]
    ordered = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    return lines + [f"  {reason:<18} {count:>9,}" for reason, count in ordered]


def _check_reject_rate(manifest: Mapping[str, Any], limit: float) -> None:
    rejected, rows_in = sum(manifest["reasons"].values()), manifest["rows_in"]
    if rows_in and rejected / rows_in > limit:
        raise TooManyRejects(
            f"{rejected:,} of {rows_in:,} rows were rejected, above --max-reject-rate {limit}; "
            "everything is written, see the counts above"
        )


def check(verb: str, options: Any, plan: Plan) -> list[tuple[str, Any, Any]]:
    """(directory, its job file, that of the former run it continues or None) of each output.

    Raises:
      UsageError: one of them holds another job.
    """
    found = []
    for output in plan.outputs or [options.output]:
        now = _job_file(verb, plan, output)
        found.append((output, now, outputs.former_of(output, now, plan.grows, options.overwrite)))
    return found


def carry_out(
    verb: str, options: Any, plan: Plan, flags: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Does what a plan says, unless it is done; the manifest of each output, by directory.

    Raises:
      UsageError: an output holds another job.
      TooManyRejects: all is written, but a share of rejects is above the limit.
    """
    starts = check(verb, options, plan)
    if options.plan:
        _show_plan(verb, options, plan, flags)
        return {}
    for output, now, former in starts:
        outputs.prepare(output, now, former, options.overwrite)
    filled = [output for output, _, _ in starts]
    if all(map(is_finished, filled)):
        print(f"{verb}: nothing to do, {', '.join(filled)} is finished")
    else:
        warning = runners.check_disk(options.output, plan.size)
        if warning:
            print(f"{verb}: {warning}", file=sys.stderr)
        for phase in plan.phases:
            if not phase.finished:
                _run(phase, flags)
    manifests = {output: shards.require_finished(output, verb) for output in filled}
    for manifest in manifests.values():
        print("\n".join(summary(manifest)))
    for manifest in manifests.values():
        _check_reject_rate(manifest, options.max_reject_rate)
    return manifests


def main(
    verb: str,
    options_type: type[Options],
    make: Callable[[Options], Plan],
    argv: Sequence[str] | None = None,
) -> int:
    """Runs a job from a command line; its exit code, see `run`."""

    def execute(options: Options, flags: Sequence[str]) -> None:
        carry_out(verb, options, make(options), flags)

    return run(verb, options_type, execute, argv)


def run(
    verb: str,
    options_type: type[Options],
    execute: Callable[[Options, Sequence[str]], None],
    argv: Sequence[str] | None = None,
) -> int:
    """Executes options with Beam's flags; 0, 2 for wrong use, 3 for too many rejects.

    Beam's own flags are taken first; the rest are the job's options, strictly.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--help" in arguments or "-h" in arguments:
        command_line.parser_of(verb, options_type).print_help()
        print("\nAll flags of Apache Beam are taken too, e.g. --runner, --direct_num_workers.")
        return 0
    try:
        beam_flags, own = runners.split_flags(arguments)
        options = command_line.parse(verb, options_type, own, other_flags=runners.flag_names())
        execute(options, runners.with_defaults(beam_flags))
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
