"""Wrong use: one clear line, exit code 2, and nothing half-written that a later run trusts."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import shards, storage
from instruct_imagen_data.stages.formats import parquet

Job = Callable[..., Any]
WriteTar = Callable[..., Path]
Samples = Callable[..., dict[str, bytes]]
Tree = Callable[[Path], dict[str, str]]


@pytest.fixture
def source(tmp_path: Path, write_tar: WriteTar, samples: Samples) -> Path:
    """A folder with two good tars of three pairs."""
    for number in (0, 1):
        write_tar(tmp_path / "web" / f"{number}.tar", samples(range(3 * number, 3 * number + 3)))
    return tmp_path / "web"


def refused(outcome: Any, *words: str) -> None:
    """The command said one line on stderr, with these words, and ended with 2."""
    assert outcome.code == 2, outcome
    assert len(outcome.lines) == 1, outcome.lines
    for word in ("instruct-imagen", *words):
        assert word in outcome.lines[0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--input", "none/*.tar"], ["no input", "none/*.tar"]),
        (["--input", "none"], ["no input", "'none'"]),
        (["--input", "http://a.org/x.tar"], ["http:// is not known", "s3://"]),
        (["--inputs", "x"], ["unknown flag --inputs", "did you mean --input?"]),
        (["--input", "x", "--dirct_num_workers", "2"], ["did you mean --direct_num_workers?"]),
        (["--input", "x", "--block_rows=2"], ["did you mean --block-rows?"]),
        (["--input", "a.tar", "b.tar"], ["b.tar is no flag", "quote a pattern"]),
        ([], ["input"]),
        (["--input", "x", "--block-rows", "many"], ["many"]),
        (["--input", "x", "--block-rows", "0"], ["--block-rows 0: at least 1"]),
        (["--input", "x", "--min-side", "0"], ["--min-side 0"]),
        (["--input", "x", "--min-side", "90", "--max-side", "80"], ["--max-side 80"]),
        (["--input", "x", "--max-reject-rate", "7"], ["--max-reject-rate 7.0: from 0 to 1"]),
        (["--input", "x", "--device", "tpu"], ["--device tpu", "cpu and cuda"]),
        (["--input", "x", "--runner", "DaskRunner"], ["DaskRunner is refused"]),
    ],
    ids=" ".join,
)
def test_flags(command: Job, tmp_path: Path, flags: list[str], words: list[str]) -> None:
    refused(command("corpus", "--output", tmp_path / "out", *flags), *words)
    assert not (tmp_path / "out").exists()


def test_what_the_input_is_not(tmp_path: Path, corpus: Job) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "a.jpg").touch()
    refused(corpus(tmp_path / "only", tmp_path / "out"), "none that can be read", ".csv")
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"uid": ["a"], "text": ["b"]}), path)
    refused(
        corpus(path, tmp_path / "out"), "no column for the image", "uid, text", "--image-column"
    )
    refused(corpus(path, tmp_path / "out", "--image-column", "x"), "no column 'x'", "uid, text")
    refused(
        corpus(path, tmp_path / "out", "--image-column", "uid"), "'uid' is string, not image bytes"
    )
    path.write_bytes(b"<html>")
    refused(corpus(path, tmp_path / "out"), "a.parquet is no Parquet file")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    refused(corpus(tmp_path / "a.csv", tmp_path / "out"), "no column for the image", "a, b")
    assert not (tmp_path / "out").exists()


MODEL_SETS = Path(shards.__file__).parent / "annotators" / "sets"


def test_model_sets(tmp_path: Path, source: Path, command: Job) -> None:
    given = ("corpus", "--input", source, "--output", tmp_path / "out", "--models")
    refused(command(*given, "papr"), "no model set 'papr'", "embedded, paper")
    text = (MODEL_SETS / "embedded.toml").read_text()
    mine = tmp_path / "sets" / "mine.toml"
    mine.parent.mkdir()
    mine.write_text(text)
    refused(command(*given, mine), "no weight file at", str(tmp_path), "quality")
    shutil.copytree(MODEL_SETS.parent / "embedded", tmp_path / "embedded")
    weights = tmp_path / "embedded" / "nima.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    refused(command(*given, mine), "is not the file of the model set: its sha256 is", str(weights))
    mine.write_text("[quality")
    refused(command(*given, mine), "no TOML")
    assert not (tmp_path / "out").exists()


def test_precision(source: Path, tmp_path: Path, corpus: Job, monkeypatch: Any) -> None:
    for precision in ("fp8", "fp16"):
        refused(
            corpus(source, tmp_path / "out", "--precision", precision), f"--precision {precision}"
        )
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused(corpus(source, tmp_path / "out", "--device", "cuda"), "--device cuda", "no GPU")
    assert not (tmp_path / "out").exists()


def test_an_output_of_other_options(
    source: Path, tmp_path: Path, corpus: Job, tree: Tree, command: Job
) -> None:
    out = tmp_path / "out"
    assert corpus(source, out).code == 0
    before = tree(out)
    refused(corpus(source, out, "--min-side", 90), "--min-side was 64, is now 90", "--overwrite")
    refused(corpus(source, out, "--min-side", 90, "--plan"), "--min-side was 64, is now 90")
    data = (source / "0.tar").read_bytes()
    (source / "0.tar").write_bytes(data + bytes(512))
    refused(corpus(source, out), f"input 0.tar had {len(data)} bytes, has now {len(data) + 512}")
    (source / "0.tar").unlink()
    refused(corpus(source, out), "input 0.tar is no longer there")
    assert tree(out) == before
    replaced = corpus(source, out, "--min-side", 90, "--overwrite")
    assert replaced.code == 3  # pictures of 80 pixels: all are too small now
    assert "3 rows in, 0 kept" in replaced.out
    assert sorted(path.name for path in (out / "images").iterdir()) == ["part-1-000.parquet"]
    fresh = corpus(source, tmp_path / "fresh", "--min-side", 90)
    assert fresh.code == 3
    assert tree(out) == tree(tmp_path / "fresh")


def test_outputs_that_are_not_ours(source: Path, tmp_path: Path, corpus: Job) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "photo.jpg").touch()
    for flags in ([], ["--overwrite"]):
        refused(corpus(source, out, *flags), "is not empty and holds no job")
    assert [path.name for path in out.iterdir()] == ["photo.jpg"]
    refused(corpus(source, source), "is not empty and holds no job")
    refused(corpus(source, source / "0.tar"), "0.tar")  # a file
    for text in ("{", "[]", '{"job": "corpus", "inputs": []}'):
        (out / "photo.jpg").unlink(missing_ok=True)
        (out / shards.JOB).write_text(text)
        refused(corpus(source, out), "_JOB.json is damaged")
        assert (out / shards.JOB).read_text() == text


def test_too_many_rejects(
    tmp_path: Path, corpus: Job, write_tar: WriteTar, samples: Samples
) -> None:
    members = samples(range(2)) | {f"x{n}.jpg": b"no picture" for n in range(3)}
    write_tar(tmp_path / "0.tar", members)
    for _ in range(2):  # also where there is nothing left to do
        done = corpus(tmp_path / "0.tar", tmp_path / "out")
        assert done.code == 3
        (line,) = done.lines
        assert "3 of 5 rows were rejected, above --max-reject-rate 0.5" in line
        assert "5 rows in, 2 kept, 3 rejected (60.0%)" in done.out
    assert shards.require_finished(str(tmp_path / "out"), "corpus")["rows_in"] == 5
    assert corpus(tmp_path / "0.tar", tmp_path / "out", "--max-reject-rate", 0.6).code == 0


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_no_free_disk(source: Path, tmp_path: Path, corpus: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 0))
    refused(corpus(source, tmp_path / "out"), "no room for", "0.00 GB are free", "free some")
    assert not list((tmp_path / "out").rglob("*.parquet"))
    monkeypatch.undo()
    assert corpus(source, tmp_path / "out").code == 0


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """mount(size): the folder of a new disk of so many bytes."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size: int) -> Path:
        if shutil.which("mount") is None:
            pytest.skip("no `mount` here")
        given = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        mounted = subprocess.run(given, check=False, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
        return folder

    yield make
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills(
    source: Path,
    tmp_path: Path,
    mount: Callable[[int], Path],
    corpus: Job,
    tree: Tree,
) -> None:
    """It stops in the middle; after space was freed, the same command ends as if nothing was."""
    assert corpus(source, tmp_path / "whole", "--block-rows", 1).code == 0
    pages = [-(-path.stat().st_size // 4096) for path in (tmp_path / "whole").rglob("*")]
    disk = mount(4096 * (sum(pages) + 10))
    (disk / "else").write_bytes(bytes(4096 * (sum(pages) - 8)))
    out = disk / "out"
    stopped = corpus(source, out, "--block-rows", 1)
    assert stopped.code == 2
    (line,) = stopped.lines
    assert line == (
        "instruct-imagen corpus: no space left on the disk of the output: free some; "
        "the same command continues it"
    )
    assert 0 < len(shards.list_parts(str(out), shards.REJECTS)) < 6
    assert not list(out.rglob("*.tmp"))
    assert not (out / shards.MANIFEST).exists()
    (disk / "else").unlink()
    assert corpus(source, out, "--block-rows", 1).code == 0
    assert tree(out) == tree(tmp_path / "whole")


def test_a_lost_connection_is_no_damage(
    source: Path, tmp_path: Path, corpus: Job, monkeypatch: Any, tree: Tree
) -> None:
    """An input that cannot be read now stops the job; it is not taken for a broken file."""
    whole = storage.open_stream

    class Lost:
        """A stream that fails after its first kilobytes."""

        closed = False

        def __init__(self, place: str) -> None:
            self.file, self.left = whole(place), 5000

        def read(self, size: int) -> bytes:
            self.left -= size
            if self.left < 0:
                raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation")
            return bytes(self.file.read(size))

        def __enter__(self) -> "Lost":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

    monkeypatch.setattr(storage, "open_stream", Lost)
    done = corpus(source, tmp_path / "out")
    refused(done, "NETWORK_CONNECTION", "the same command continues it")
    monkeypatch.undo()
    assert corpus(source, tmp_path / "out").code == 0
    assert corpus(source, tmp_path / "whole").code == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_lost_connection_is_no_damaged_parquet(tmp_path: Path, monkeypatch: Any) -> None:
    noise = np.random.Generator(np.random.PCG64(0))
    images = [noise.bytes(500) for _ in range(900)]
    table = pa.table({"image": images, "text": ["x"] * 900})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100)

    class Lost:
        """A file whose middle does not come."""

        def __init__(self, data: bytes) -> None:
            self.file = pa.BufferReader(data)
            self.closed = False

        def seek(self, *place: int) -> int:
            return int(self.file.seek(*place))

        def tell(self) -> int:
            return int(self.file.tell())

        def close(self) -> None:
            self.closed = True

        def read(self, size: int = -1) -> bytes:
            start, middle = self.file.tell(), len(data) // 2
            if start < middle < start + size:
                raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation")
            return bytes(self.file.read(size))

    data = (tmp_path / "a.parquet").read_bytes()
    monkeypatch.setattr(storage, "open_random", lambda _: pa.PythonFile(Lost(data), "r"))
    found = parquet.read_parquet(str(tmp_path / "a.parquet"), "a.parquet", parquet.rows.Columns())
    with pytest.raises(OSError, match="NETWORK_CONNECTION"):
        list(found)
