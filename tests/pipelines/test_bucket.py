"""The job unchanged on a bucket: input and output on an S3 gateway that the test starts."""

import hashlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import instructed
from helpers.gateway import s3_gateway

from instruct_imagen_data import index, shards, storage

Command = Callable[..., Any]
Shell = Callable[..., subprocess.Popen[str]]
Tree = Callable[[Path], dict[str, str]]
BUCKET = "s3://pairs"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gateway(
    go_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """An S3 gateway over a folder, with the bucket of BUCKET; the environment points to it."""
    with s3_gateway(go_tool("versitygw"), tmp_path_factory.mktemp("gateway"), BUCKET):
        yield


@pytest.fixture(scope="module")
def uploaded(gateway: None, web: Path) -> str:
    """The planted web in the bucket, under names as buckets have them."""
    for path in web.glob("*.tar"):
        storage.write_bytes(f"{BUCKET}/in put/x=1#%20/{path.name}", path.read_bytes())
    return f"{BUCKET}/in put/x=1#%20/*.tar"


def objects(folder: str) -> dict[str, str]:
    """sha256 of each object under a folder, by the rest of its key."""
    return {
        file.path.removeprefix(f"{folder}/"): hashlib.sha256(
            storage.read_bytes(file.path)
        ).hexdigest()
        for file in storage.list_files(folder, recursive=True)
    }


def same(found: dict[str, str], local: dict[str, str]) -> bool:
    """Equal but for the job file, which names the paths."""
    return found.keys() == local.keys() and all(
        digest == local[name] for name, digest in found.items() if name != shards.JOB
    )


def test_the_places_of_a_bucket(gateway: None) -> None:
    folder = f"{BUCKET}/places"
    names = ["a.tar", "b c/#1?/ü.tar", "d/deep/e.tar", "f%20g"]
    for name in names:
        storage.write_bytes(f"{folder}/{name}", name.encode())
    files = storage.list_files(folder, recursive=True)
    assert [file.path for file in files] == sorted(f"{folder}/{name}" for name in names)
    assert [storage.read_bytes(file.path).decode() for file in files] == sorted(names)
    assert [file.path for file in storage.glob(f"{folder}/*.tar")] == [f"{folder}/a.tar"]
    assert [file.path for file in storage.glob(f"{folder}/d/*/*")] == [f"{folder}/d/deep/e.tar"]
    assert storage.glob(f"{folder}/b c/#1?") == [storage.File(f"{folder}/b c/#1?/ü.tar", 14)]
    assert storage.find(f"{folder}/a.tar") == storage.File(f"{folder}/a.tar", 5)
    assert storage.find(f"{folder}/d") is storage.find(f"{folder}/none") is None
    assert storage.list_files(f"{BUCKET}/none") == []
    with storage.open_random(f"{folder}/d/deep/e.tar") as file:
        file.seek(2)
        assert file.read(4) == b"deep"
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(f"{folder}/none")
    storage.delete(f"{folder}/d")
    assert not storage.exists(f"{folder}/d/deep/e.tar")
    storage.empty(folder)
    assert storage.list_files(folder, recursive=True) == []
    assert storage.exists(BUCKET)
    assert storage.glob("s3://no-such-bucket/*.tar") == []


def test_corpus_on_a_bucket(
    uploaded: str, finished_corpus: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    given = ("--models", "embedded", "--block-rows", 4)
    out = f"{BUCKET}/out"
    done = command("corpus", "--input", uploaded, "--output", out, *given)
    assert (done.code, done.lines) == (0, [])
    assert same(objects(out), tree(finished_corpus))
    again = command("corpus", "--input", uploaded, "--output", out, *given)
    assert again.out.startswith(f"corpus: nothing to do, {out} is finished")
    key = str(index.find(str(finished_corpus), "")[0]["key"])
    assert index.find(out, key) == index.find(str(finished_corpus), key)
    refused = command("corpus", "--input", uploaded, "--output", out, *given, "--min-side", 80)
    assert refused.code == 2
    assert "--min-side was 64, is now 80" in refused.lines[0]
    # From a bucket to a disk and the other way round, too.
    assert command("corpus", "--input", uploaded, "--output", tmp_path / "local", *given).code == 0
    assert same(tree(tmp_path / "local"), tree(finished_corpus))


def test_neighbours_on_a_bucket(
    gateway: None, finished_corpus: Path, tmp_path: Path, command: Command, tree: Tree
) -> None:
    for path in finished_corpus.rglob("*"):
        if path.is_file():
            place = f"{BUCKET}/corpus/{path.relative_to(finished_corpus)}"
            storage.write_bytes(place, path.read_bytes())
    local = command("neighbours", "--corpus", finished_corpus, "--output", tmp_path / "local")
    assert local.code == 0
    remote = command("neighbours", "--corpus", f"{BUCKET}/corpus", "--output", f"{BUCKET}/near")
    assert (remote.code, remote.lines) == (0, [])
    assert same(objects(f"{BUCKET}/near"), tree(tmp_path / "local"))


def test_killed_on_a_bucket(uploaded: str, finished_corpus: Path, shell: Shell, tree: Tree) -> None:
    out = f"{BUCKET}/killed"
    given = ("--input", uploaded, "--output", out, "--models", "embedded", "--block-rows", 4)
    written = 0
    for _ in range(3):
        run = shell("corpus", *given)
        end = time.monotonic() + 60
        while run.poll() is None and time.monotonic() < end:
            count = len(shards.list_parts(out, shards.REJECTS))
            if count >= written + 5:
                break
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        written = len(shards.list_parts(out, shards.REJECTS))
    last = shell("corpus", *given)
    _, error = last.communicate()
    assert last.returncode == 0, error
    assert same(objects(out), tree(finished_corpus))


def test_wrong_buckets(gateway: None, web: Path, tmp_path: Path, command: Command) -> None:
    given = ("--models", "embedded")
    for source, out, words in [
        ("s3://no-such-bucket/*.tar", tmp_path / "out", "no-such-bucket"),
        (f"{BUCKET}/none/*.tar", tmp_path / "out", "no input"),
        (f"{web}/*.tar", "s3://no-such-bucket/out", "no-such-bucket"),
    ]:
        done = command("corpus", "--input", source, "--output", out, *given)
        assert done.code == 2
        (line,) = done.lines
        assert words in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["webdataset", "omnigen-jsonl"])
def test_exported_from_a_bucket_into_a_bucket(
    gateway: None, command: Command, tmp_path: Path, tree: Tree, to: str
) -> None:
    instructed.write_all(tmp_path / "train")
    source, output = f"{BUCKET}/{to}/train", f"{BUCKET}/{to}/exported"
    for path in sorted((tmp_path / "train").rglob("*.*")):
        place = f"{source}/{path.relative_to(tmp_path / 'train')}"
        storage.write_bytes(place, path.read_bytes())
    for place, folder in ((source, output), (tmp_path / "train", tmp_path / "here")):
        assert command("export", "--to", to, place, folder).code == 0
    assert objects(output) == tree(tmp_path / "here")
    assert command("export", "--to", to, source, output).code == 0  # all is there
    assert objects(output) == tree(tmp_path / "here")
    assert command("diff", source, tmp_path / "train").code == 0
