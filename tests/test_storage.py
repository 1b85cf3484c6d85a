"""Places, patterns, and files that appear whole or not at all."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.tar", "b.tar", "c.txt", "sub/a.tar", "sub/deep/x.tar", "odd [1]/a b#c?d%e.tar"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.tar", ["a.tar", "b.tar"]),
        ("./*.tar", ["a.tar", "b.tar"]),
        ("[ab].t?r", ["a.tar", "b.tar"]),
        ("*/*.tar", ["odd [1]/a b#c?d%e.tar", "sub/a.tar"]),
        ("*/deep/*", ["sub/deep/x.tar"]),
        ("sub", ["sub/a.tar"]),
        ("sub/", ["sub/a.tar"]),
        ("c.txt", ["c.txt"]),
        ("odd [1]", ["odd [1]/a b#c?d%e.tar"]),  # there under that very name
        ("odd [1]/a b#c?d%e.tar", ["odd [1]/a b#c?d%e.tar"]),
        ("none", []),
        ("*.none", []),
        ("none/*", []),
    ],
)
def test_glob(folder: Path, pattern: str, names: list[str]) -> None:
    for given in (pattern, str(folder / pattern), f"file://{folder}/{pattern}"):
        found = storage.glob(given)
        assert [file.path for file in found] == [str(folder / name) for name in names]
        assert [file.size for file in found] == [len(name) for name in names]


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b"),
        ("file:///a/b", "/a/b"),
    ],
)
def test_local_places(place: str, path: str) -> None:
    assert storage.open_place(place)[1] == path


@pytest.mark.parametrize("key", ["a/b.tar", "a b/#1?x=%20/ü.tar"])
def test_keys_of_a_bucket_are_taken_as_they_are(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    storage._filesystem.cache_clear()
    assert storage.open_place(f"s3://bucket/{key}/")[1] == f"bucket/{key}"
    assert storage.open_place(f"S3://bucket/{key}")[1] == f"bucket/{key}"


@pytest.mark.parametrize("place", ["http://example.com/a.tar", "hdfs://x/y", "s3://", "gs:///x"])
def test_places_that_are_not_known(place: str) -> None:
    with pytest.raises(UsageError, match=place):
        storage.open_place(place)


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("a", "b", "c"), "a/b/c"),
        (("a/", "b"), "a/b"),
        (("/", "b"), "/b"),
        (("s3://b", "c"), "s3://b/c"),
    ],
)
def test_join(parts: tuple[str, ...], joined: str) -> None:
    assert storage.join(*parts) == joined


def test_find_takes_files_alone(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert storage.find("c.txt") == storage.File(str(folder / "c.txt"), 5)
    assert storage.find("sub") is storage.find("none") is storage.find("pipe") is None
    assert storage.find("x" * 5000) is None


def test_a_file_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "new" / "file")
    storage.write_bytes(place, b"first")
    storage.write_bytes(place, b"second")
    assert storage.read_bytes(place) == b"second"

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        storage.write_bytes(place, b"third")
    assert storage.read_bytes(place) == b"second"
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "file"]


def test_reading_in_all_ways(tmp_path: Path) -> None:
    place = str(tmp_path / "file")
    storage.write_bytes(place, b"0123456789")
    with storage.open_random(place) as file:
        file.seek(4)
        assert file.read(3) == b"456"
    with storage.open_stream(place) as file:
        assert file.read(3) + file.read() == b"0123456789"
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(place + "x")


def test_delete_and_empty(folder: Path) -> None:
    storage.delete(str(folder / "sub"))
    storage.delete(str(folder / "a.tar"))
    storage.delete(str(folder / "none"))
    assert {path.name for path in folder.iterdir()} == {"b.tar", "c.txt", "odd [1]"}
    storage.empty(str(folder))
    storage.empty(str(folder / "none"))
    assert list(folder.iterdir()) == []


def test_sweeping_spares_live_writers(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    host = socket.gethostname()
    names = {
        "dead": f"part.parquet.{host}-{gone.pid}-1.tmp",
        "ours": f"part.parquet.{host}-{os.getpid()}-1.tmp",  # of a former process of this number
        "live": f"part.parquet.{host}-1-1.tmp",
        "elsewhere": f"part.parquet.other-{host}-{gone.pid}-1.tmp.x",
        "file": "part.parquet",
    }
    for name in names.values():
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_bytes(b"x")
    storage.sweep_temporary(str(tmp_path))
    left = {path.name for path in (tmp_path / "a").iterdir()}
    assert left == {names["live"], names["elsewhere"], names["file"]}
    storage.sweep_temporary("s3://bucket/x")  # nothing is left behind on an object store


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("/a/b", "/a/b/c/d.jpg"),
        ("/a/b/", "/a/b/c/d.jpg"),
        ("file:///a/b", "/a/b/c/d.jpg"),
        ("/", "/c/d.jpg"),
        ("s3://bucket", "s3://bucket/c/d.jpg"),
        ("s3://bucket/", "s3://bucket/c/d.jpg"),
        ("s3://bucket/a", "s3://bucket/a/c/d.jpg"),
        ("gs://anonymous@bucket/a/", "gs://anonymous@bucket/a/c/d.jpg"),
    ],
)
def test_paths_below_a_folder(folder: str, path: str) -> None:
    assert storage.below(folder, storage.File(path, 1)) == "c/d.jpg"


def test_paths_below_a_relative_folder(folder: Path) -> None:
    found = storage.list_files("sub", recursive=True)
    assert [storage.below("sub", file) for file in found] == ["a.tar", "deep/x.tar"]
    assert [storage.below("./sub/", file) for file in found] == ["a.tar", "deep/x.tar"]
