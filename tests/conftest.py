"""What tests of several rooms share: made webs, shared data, trees compared by hash, Go tools."""

import dataclasses
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pipelines  # noqa: F401  (sets the thread counts before numpy is imported)

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
BAR = re.compile(r"^\w+: .*\d+(part|/[\d?]+) \[.*part")  # a progress bar's line
JOBS = (  # verbs that take Beam's flags
    "corpus", "neighbours", "natural", "art", "control", "sketch", "subject", "face", "styled",
    "style-transfer", "derive", "instruct",
)  # fmt: skip
GO_TOOLS = {
    "prism": "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0",
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time: pytest's workers share what is made under this lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real pictures and weights, beside the checkout."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("no folder `shared` with real pictures and weights beside the checkout")
    return folder


@pytest.fixture(scope="session")
def between_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this test run see."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def web(between_workers: Path) -> Path:
    """A planted web of 160 pairs in two tars, with its truth; made once a test run."""
    from instruct_imagen_data import planted

    folder = between_workers / "planted-web"
    with _locked(between_workers / "planted-web.lock"):
        if not (folder / "truth.parquet").exists():
            planted.plant(folder, 160, seed=7)
    return folder


@pytest.fixture(scope="session")
def source_sets(between_workers: Path) -> Path:
    """The planted source sets of stage 2 (seed 7), a folder each; made once a test run."""
    from instruct_imagen_data.planted import extras

    folder = between_workers / "planted-extras"
    with _locked(between_workers / "planted-extras.lock"):
        if not folder.exists():
            extras.plant_extras(partial := between_workers / "planted-extras.partial", seed=7)
            partial.rename(folder)
    return folder


def picture(number: int, width: int = 96, height: int = 80, kind: str = "JPEG") -> bytes:
    """An encoded picture of soft coloured waves, another one for each number."""
    rng = np.random.Generator(np.random.PCG64(number))
    y, x = np.mgrid[0:height, 0:width, 0:1][:2] / np.float64(width)
    fast, turn = rng.uniform(2, 20, (2, 3)), rng.uniform(0, 6, 3)
    waves = 127 + 120 * np.sin(fast[0] * x + fast[1] * y + turn)
    sink = io.BytesIO()
    Image.fromarray(waves[..., :3].astype(np.uint8)).save(sink, kind)
    return sink.getvalue()


@pytest.fixture(scope="session", name="picture")
def picture_fixture() -> Callable[..., bytes]:
    """picture(number, width=96, height=80, kind="JPEG"): an encoded picture."""
    return picture


@pytest.fixture(scope="session")
def write_tar() -> Callable[..., Path]:
    """write_tar(path, members, mode="w"): a tar of {member name: bytes}."""

    def write(path: Path, members: Mapping[str, bytes], mode: str = "w") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            for name, data in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return path

    return write


@pytest.fixture(scope="session")
def samples() -> Callable[..., dict[str, bytes]]:
    """samples(numbers): members of a tar as img2dataset writes them, a good pair a number."""

    def make(numbers: Iterable[int]) -> dict[str, bytes]:
        members = {}
        for number in numbers:
            url = f"https://example.com/{number}/picture.jpg"
            members[f"{number:09d}.jpg"] = picture(number)
            members[f"{number:09d}.txt"] = f"waves number {number}".encode()
            members[f"{number:09d}.json"] = json.dumps({"url": url, "n": number}).encode()
        return members

    return make


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, str]]:
    """tree(folder): sha256 of each file in it, by path."""

    def hashes(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return hashes


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines of stderr, but for progress bars."""
        return [line for line in self.err.splitlines() if line.strip() and not BAR.search(line)]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """command(verb, *arguments): runs a verb in this process, on one thread if not told else."""
    from instruct_imagen_data import cli

    def run(verb: str, *arguments: object) -> Outcome:
        capsys.readouterr()
        told = any(str(one).startswith(("--direct_num_workers", "--runner")) for one in arguments)
        is_job = verb in JOBS
        workers = ["--direct_num_workers=1"] if is_job and not told else []
        code = cli.main([verb, *map(str, arguments), *workers])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def corpus(command: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """corpus(input, output, *flags): the job `corpus` with the embedded networks."""

    def run(source: object, output: object, *flags: object) -> Outcome:
        given = ("--input", source, "--output", output, "--models", "embedded")
        return command("corpus", *given, *flags)

    return run


@pytest.fixture(scope="session")
def shell() -> Callable[..., subprocess.Popen[str]]:
    """shell(verb, *arguments, **environment): starts a verb in a process of its own."""

    def start(verb: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "instruct_imagen_data.cli", verb, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            cwd=ROOT,
            start_new_session=True,
        )

    return start


@pytest.fixture(scope="session")
def peak_of() -> Callable[[subprocess.Popen[str]], tuple[int, str]]:
    """peak_of(run): (peak memory in bytes, stderr) of a started command, at its end.

    Read of the process itself: what `wait` tells of a child begins at the memory of its parent.
    """

    def measure(run: subprocess.Popen[str]) -> tuple[int, str]:
        peak = 0
        with ThreadPoolExecutor(1) as reader:
            told = reader.submit(run.communicate)
            while not told.done():
                with suppress(FileNotFoundError, ProcessLookupError):
                    for line in Path(f"/proc/{run.pid}/status").read_text().splitlines():
                        if line.startswith("VmHWM"):
                            peak = max(peak, int(line.split()[1]) << 10)
                time.sleep(0.05)
        return peak, told.result()[1]

    return measure


@pytest.fixture(scope="session")
def finished_corpus(web: Path, between_workers: Path, shell: Callable[..., Any]) -> Path:
    """The corpus of `web` by the embedded networks, in blocks of 4 rows; made once a test run."""
    folder = between_workers / "finished-corpus"
    with _locked(between_workers / "finished-corpus.lock"):
        if not (folder / "_MANIFEST.json").exists():
            given = ("--input", f"{web}/*.tar", "--output", folder, "--models", "embedded")
            done = shell("corpus", *given, "--block-rows", 4)
            _, error = done.communicate()
            assert done.returncode == 0, error
    return folder


@pytest.fixture(scope="session")
def finished_neighbourhoods(
    finished_corpus: Path, between_workers: Path, shell: Callable[..., Any]
) -> Path:
    """Neighbourhoods and verdicts of `finished_corpus`, beside it; made once a test run."""
    folder = between_workers / "finished-neighbourhoods"
    with _locked(between_workers / "finished-neighbourhoods.lock"):
        if not (folder / "_MANIFEST.json").exists():
            done = shell("neighbours", "--corpus", finished_corpus, "--output", folder)
            _, error = done.communicate()
            assert done.returncode == 0, error
    return folder


@pytest.fixture(scope="session")
def go_tool() -> Callable[[str], Path]:
    """go_tool(name): a program of GO_TOOLS, built once into the checkout's cache."""

    def build(name: str) -> Path:
        folder = ROOT / ".cache" / "go"
        program = folder / name
        with _locked(folder / f"{name}.lock"):
            if program.exists():
                return program
            if shutil.which("go") is None:
                pytest.skip(f"no Go here to build {name} with")
            built = subprocess.run(
                ["go", "install", GO_TOOLS[name]],
                env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-mod=mod"},
                capture_output=True,
                text=True,
                check=False,
            )
        if built.returncode:
            pytest.skip(f"{name} cannot be built: {built.stderr.strip().splitlines()[-1:]}")
        return program

    return build
