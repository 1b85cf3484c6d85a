"""Beam's side of a job: its flags, which runner, how a run is waited for, what its errors mean."""

import _thread
import builtins
import contextlib
import io
import logging
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TextIO

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError

_LOCAL = ("", "FnApiRunner", "DirectRunner")
_AGAIN_SECONDS = 0.05  # after which an interrupt that was lost is raised again
_TRACEBACKS = (
    "common",
    "worker.sdk_worker",
    "worker.data_plane",
)  # modules that log an error which is raised too


def _parser() -> _BeamArgumentParser:
    """Beam's own flags, of all its option classes; no abbreviations, so that none eats ours."""
    parser = _BeamArgumentParser(allow_abbrev=False, add_help=False)
    for options in PipelineOptions.__subclasses__():
        if options.__module__.startswith("apache_beam.") and hasattr(options, "_add_argparse_args"):
            options._add_argparse_args(parser)
    return parser


def flag_names() -> list[str]:
    """All flags that Beam takes."""
    return [text for action in _parser()._actions for text in action.option_strings]


def split_flags(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """(Beam's flags, the rest), each as given."""
    _, rest = _parser().parse_known_args(list(argv))
    own = list(rest)
    taken: list[str] = []
    for argument in argv:
        if own and argument == own[0]:
            own.pop(0)
        else:
            taken.append(argument)
    return taken, list(rest)


def runner_name(flags: Sequence[str]) -> str:
    """The runner asked for, '' for none."""
    known, _ = _parser().parse_known_args(list(flags))
    return str(getattr(known, "runner", None) or "").rsplit(".", 1)[-1]


def with_defaults(flags: Sequence[str]) -> list[str]:
    """Beam's flags with the local default made explicit.

    FnApiRunner is named, since DirectRunner would first try to download another engine; it runs on
    threads, one a core, since each process would load its own networks.

    Raises:
      UsageError: a runner that loses data.
    """
    runner = runner_name(flags)
    if runner.lower().startswith("dask"):
        raise UsageError(
            "--runner DaskRunner is refused: Beam's Dask runner silently loses rows (outputs of "
            "finish_bundle, all but the last branch); use FnApiRunner, PrismRunner, FlinkRunner or "
            "DataflowRunner"
        )
    chosen = list(flags)
    if runner not in _LOCAL:
        return chosen
    if not any(flag.startswith("--direct_num_workers") for flag in flags):
        chosen.append(f"--direct_num_workers={os.cpu_count() or 1}")
    if not any(flag.startswith("--direct_running_mode") for flag in flags):
        chosen.append("--direct_running_mode=multi_threading")
    return chosen


def pipeline_options(flags: Sequence[str]) -> PipelineOptions:
    """Beam's options; the default runner is FnApiRunner."""
    options = PipelineOptions(list(flags))
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    for name in _TRACEBACKS:
        logging.getLogger(f"apache_beam.runners.{name}").setLevel(logging.CRITICAL)
    return options


class _WithoutTracebacks(io.TextIOBase):
    """A stream that leaves out what Beam's workers print of an error.

    The error that `run` raises holds that text; `cause` finds the one line in it that counts.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dropped = False

    def write(self, text: str) -> int:
        after = self._dropped and text == "\n"  # print writes it apart
        self._dropped = text.startswith("Traceback (most recent call last)")
        return len(text) if self._dropped or after else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


@contextlib.contextmanager
def _quiet_teardown() -> Iterator[None]:
    """Keeps to itself what Beam's generators and threads raise while an interrupt ends them.

    It can reach nobody, so Python would print it, with a traceback: now, or when the process ends.
    An interrupt that was lost so is raised again, where it can end the run.
    """
    hook = sys.unraisablehook
    sys.unraisablehook = _ignore
    try:
        yield
    finally:
        if not isinstance(sys.exception(), KeyboardInterrupt):  # else the process ends: it stays
            sys.unraisablehook = hook


def _ignore(lost: "sys.UnraisableHookArgs") -> None:
    if lost.exc_type is KeyboardInterrupt:  # here it would be lost once more
        again = threading.Timer(_AGAIN_SECONDS, _thread.interrupt_main)
        again.daemon = True
        again.start()


def run(pipeline: beam.Pipeline) -> None:
    """Runs a pipeline to its end on the runner of its options."""
    options = pipeline._options
    name = str(options.get_all_options(drop_default=True).get("runner") or "").rsplit(".", 1)[-1]
    with _quiet_teardown(), contextlib.redirect_stderr(_WithoutTracebacks(sys.stderr)):
        local = name in _LOCAL
        result = FnApiRunner().run_pipeline(pipeline, options) if local else pipeline.run()
        result.wait_until_finish()


def step_names(pipeline: beam.Pipeline) -> Iterator[str]:
    """Names of the steps that a job itself put on a pipeline, in order."""

    class _Names(beam.pipeline.PipelineVisitor):
        def __init__(self) -> None:
            self.found: list[str] = []

        def enter_composite_transform(self, node: beam.pipeline.AppliedPTransform) -> None:
            if node.full_label and "/" not in node.full_label:
                self.found.append(node.full_label)

        def visit_transform(self, node: beam.pipeline.AppliedPTransform) -> None:
            if "/" not in node.full_label:
                self.found.append(node.full_label)

    names = _Names()
    pipeline.visit(names)
    return iter(names.found)


_LEAST_FREE = 64 << 20  # bytes, a block or two


def check_disk(output: str, size: int) -> str | None:
    """A warning if a local output of about `size` bytes may not fit on its disk, else None.

    Only a warning: pictures may shrink, and a job that fills the disk can be continued.

    Raises:
      UsageError: not even a block fits.
    """
    if storage.scheme(output) not in ("", "file"):
        return None
    folder = storage.open_place(output)[1]
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    needed = size - sum(file.size for file in storage.list_files(output, recursive=True))
    room = f"about {max(needed, 0) / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free"
    if free < min(needed, _LEAST_FREE):
        raise UsageError(f"no room for {output}: {room}; free some, or choose another --output")
    return f"{output} may not fit: {room}" if free < needed else None


# The last line of a traceback; Beam wraps some errors in a RuntimeError of the same text.
_RAISED = re.compile(r"^(?:RuntimeError: )*(?:\w+\.)*(\w+): (.+)$", re.MULTILINE)
_OURS = ("UsageError", "SchemaMismatch")
_ENDS = ("Error", "Exception", *_OURS)


def cause(error: BaseException) -> str | None:
    """One line for an error that the caller can put right, also one that came through Beam.

    None for a bug.
    """
    if isinstance(error, OSError):
        return _of_storage(str(error))
    raised = [one for one in _RAISED.findall(str(error)) if one[0].endswith(_ENDS)]
    name, text = raised[-1] if raised else ("", "")
    text = text.split(" [while running")[0]
    if name in _OURS:
        return text
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, OSError):
        return _of_storage(text)
    return None


def _of_storage(text: str) -> str:
    """What an OSError says, in one line."""
    if "No space left on device" in text:
        return "no space left on the disk of the output: free some"
    return " ".join(text.split())
