"""`instruct-imagen doctor`: what is on this machine, what is wrong, and what to do about it."""

import dataclasses
import os
import platform
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from instruct_imagen_data import command_line
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.precision import cpu_has_bf16, resolve_precision
from instruct_imagen_data.annotators.roles import NO_SETTINGS, OPTIONAL
from instruct_imagen_data.annotators.weights import Weights, cache_folder, sha256_of
from instruct_imagen_data.errors import UsageError

OK, NOTE, WRONG = "ok", "note", "wrong"
_PACKAGE = "instruct-imagen"
_CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"  # of a checkout
_GPU_DEVICES = Path("/proc/driver/nvidia/gpus")
_LEAST_FREE = 1 << 30  # bytes
_LINE = 100
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclasses.dataclass(frozen=True)
class Options:
    """Says what is there on this machine, what is wrong, and what to do. Needs no network.

    Attributes:
        models: Model set whose weight files are checked: paper, embedded, or a TOML file.
    """

    models: str = "paper"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What it is about, in a word or two.
        state: OK, NOTE (works, but know it) or WRONG.
        text: What was found.
        remedy: What to do about it; '' where nothing is to be done.
    """

    topic: str
    state: str
    text: str
    remedy: str = ""


def python() -> Finding:
    """The interpreter against what the package declares."""
    found = platform.python_version()
    text = f"{found}, {platform.system()} {platform.machine()}"
    wanted = metadata.metadata(_PACKAGE)["Requires-Python"]
    if SpecifierSet(wanted).contains(found):
        return Finding("Python", OK, text)
    return Finding("Python", WRONG, text, f"make the environment with Python {wanted}")


def packages(constraints: Path = _CONSTRAINTS) -> Iterator[Finding]:
    """What the package requires, and in a checkout the tested versions, against what is there."""
    needed = [Requirement(line) for line in metadata.requires(_PACKAGE) or []]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    there = {_name(one.metadata["Name"]): one.version for one in metadata.distributions()}
    unfit = 0
    for one in needed:
        version = there.get(_name(one.name))
        if version is None or not one.specifier.contains(version, prereleases=True):
            unfit += 1
            text = f"{version or 'missing'}, needs {one.specifier or 'any version'}"
            yield Finding(one.name, WRONG, text, f"python -m pip install '{one}'")
    if not unfit:
        yield Finding("packages", OK, f"all {len(needed)} that are required")
    if constraints.is_file():
        yield _pins(constraints, there)


def _pins(constraints: Path, there: dict[str, str]) -> Finding:
    """The tested versions against those that are there; another version may well work."""
    lines = constraints.read_text().splitlines()
    pins = dict(line.split("==", 1) for line in map(str.strip, lines) if "==" in line)
    others = [
        f"{name} {there[_name(name)]} (tested: {version})"
        for name, version in pins.items()
        if _name(name) in there and there[_name(name)].split("+")[0] != version
    ]
    if not others:
        return Finding("versions", OK, "as tested and pinned in constraints.txt")
    remedy = "python -m pip install --constraint constraints.txt --editable ."
    return Finding("versions", NOTE, "other than tested: " + ", ".join(others), remedy)


def _name(package: str) -> str:
    return package.lower().replace("_", "-").replace(".", "-")


def runner() -> Finding:
    """What a job runs on when no --runner is given."""
    cores = os.cpu_count() or 1
    version = metadata.version("apache-beam")
    text = f"FnApiRunner of Apache Beam {version} where no --runner is given, {cores} threads"
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    if allowed < cores:
        remedy = f"give --direct_num_workers={allowed}"
        return Finding("runner", NOTE, f"{text}, but only {allowed} cores are allowed", remedy)
    return Finding("runner", OK, text)


def threads() -> Finding:
    """How many threads each worker's arithmetic takes."""
    given = {name: os.environ.get(name, "") for name in _THREADS}
    text = ", ".join(f"{name}={value or '(unset)'}" for name, value in given.items())
    if all(value == "1" for value in given.values()):
        return Finding("threads", OK, f"{text}: the workers are the parallelism")
    remedy = f"export {' '.join(f'{name}=1' for name in _THREADS)}"
    return Finding("threads", NOTE, f"{text}: workers will compete for the cores", remedy)


def precision() -> Iterator[Finding]:
    """What `--precision auto` becomes on the CPU, and on a GPU where there is one."""
    has = "has" if cpu_has_bf16() else "has no"
    text = f"CPU {has} bf16 instructions: --precision auto is {resolve_precision('auto')}"
    yield Finding("CPU", OK, text)
    if not _GPU_DEVICES.is_dir() or not any(_GPU_DEVICES.iterdir()):
        yield Finding("GPU", OK, "none (not needed)")
        return
    count = len(list(_GPU_DEVICES.iterdir()))
    auto = resolve_precision("auto", "cuda")
    yield Finding("GPU", OK, f"{count}: with --device cuda, --precision auto is {auto}")


def weights(models: str) -> Iterator[Finding]:
    """Each weight file of a model set: there, the right one, whose, how large.

    A network of stage 2 whose file is missing is a note: a corpus is built without it.
    """
    try:
        found = model_set.load_set(models)
    except UsageError as error:
        yield Finding("models", WRONG, str(error), "name another with --models")
        return
    yield Finding("models", OK, f"{found.name} ({found.path})")
    for file in found.weights:
        yield _weight_file(file)
    for name, role in found.roles.items():
        for key, path in role.config.items():
            needed = isinstance(path, Path) and key not in NO_SETTINGS
            if needed and not path.exists():
                text = f"nothing at {path}, which its config calls {key!r}"
                yield Finding(name, WRONG, text, f"put it there, or change {found.path}")
    lacking = [name for name in OPTIONAL if name not in found.roles]
    if lacking:
        text = f"the set has no network for: {', '.join(lacking)}"
        yield Finding("roles", NOTE, text, "add their tables to the set, for what is derived")


def _weight_file(file: Weights) -> Finding:
    if not file.path.is_file():
        state = NOTE if file.role in OPTIONAL and file.url is not None else WRONG
        place = f"put it at {file.path}"
        remedy = f"{place} ({file.source})"
        if file.url is not None:
            remedy = f"a job fetches it where {file.url} can be reached; else {place}"
        return Finding(file.role, state, f"{file.path.name} is missing", remedy)
    size = file.path.stat().st_size / 1e6
    text = f"{file.path.name}, {size:,.1f} MB, licence {file.licence}"
    digest = sha256_of(file.path)
    if not file.verified:
        return Finding(file.role, OK, f"{text}, not verified (sha256 {digest})")
    if digest == file.sha256:
        return Finding(file.role, OK, f"{text}, sha256 as it should be")
    remedy = f"remove {file.path}" + (" and put the right file there" if not file.url else "")
    return Finding(file.role, WRONG, f"{text}, but it is another file: sha256 {digest}", remedy)


def disks() -> Iterator[Finding]:
    """Free room where jobs write by default and where fetched weights are kept."""
    for topic, folder in (("disk here", Path.cwd()), ("disk of cache", cache_folder())):
        there = next(one for one in (folder, *folder.parents) if one.is_dir())
        free = shutil.disk_usage(there).free
        text = f"{free / 1e9:,.1f} GB free at {folder}"
        if free < _LEAST_FREE:
            yield Finding(topic, WRONG, text, "free some, or work in another folder")
        else:
            yield Finding(topic, OK, text)


def examine(models: str) -> list[Finding]:
    """All findings, in the order they are shown."""
    try:
        metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        text = f"{_PACKAGE} is not installed in this environment"
        return [Finding("packages", WRONG, text, "python -m pip install --editable .")]
    environment = [python(), *packages(), runner(), threads(), *precision()]
    return [*environment, *weights(models), *disks()]


def show(findings: Sequence[Finding]) -> str:
    """The findings as lines, remedies below what they mend."""
    width = max(len(one.topic) for one in findings)
    lines = []
    for one in findings:
        head = f"{one.state:<6} {one.topic:<{width}}  "
        margin = " " * len(head)
        body = one.text + (f"\n-> {one.remedy}" if one.remedy else "")
        for text in body.splitlines():
            wrapped = textwrap.wrap(
                text, _LINE - len(head), break_long_words=False, break_on_hyphens=False
            )
            for line in wrapped:
                lines.append(head + line)
                head = margin
    wrong = sum(one.state == WRONG for one in findings)
    things = "1 thing is" if wrong == 1 else f"{wrong} things are"
    return "\n".join([*lines, "", f"{things} wrong" if wrong else "all is usable"])


def execute(options: Options) -> int:
    """Prints the findings; 1 if something is wrong, else 0."""
    findings = examine(options.models)
    print(show(findings))
    return int(any(one.state == WRONG for one in findings))


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("doctor", Options, execute, argv)
