"""A corpus of 858 odd and corrupt files: no crash, no hang, bounded memory, no row lost."""

import csv
import io
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from instruct_imagen_data import images, shards

Shell = Callable[..., subprocess.Popen[str]]
WriteTar = Callable[..., Path]
PeakOf = Callable[[subprocess.Popen[str]], tuple[int, str]]
PEAK_BYTES = 2_000 << 20  # torch and its networks alone take 600 MB

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(shared: Path) -> list[Path]:
    """The hostile files, by name."""
    folder = shared / "data" / "bad_inputs"
    with (folder / "manifest.csv").open() as file:
        names = [row["file"] for row in csv.DictReader(file)]
    assert len(names) >= 858
    return sorted(folder / name for name in names)


def as_tar(files: list[Path], folder: Path, write_tar: WriteTar) -> Path:
    members = {}
    for number, file in enumerate(files):
        members[f"{number:06d}.{file.suffix[1:] or 'jpg'}"] = file.read_bytes()
        members[f"{number:06d}.txt"] = b"a caption"
        members[f"{number:06d}.json"] = json.dumps({"url": f"https://a.org/{file.name}"}).encode()
    return write_tar(folder / "bad.tar", members)


def as_table(files: list[Path], folder: Path) -> Path:
    path = folder / "bad.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "text", "url"])
        writer.writerows([one, "a caption", f"https://a.org/{one.name}"] for one in files)
    return path


@pytest.mark.parametrize("kind", ["tar", "csv"])
def test_hostile_files(
    kind: str, files: list[Path], tmp_path: Path, shell: Shell, write_tar: WriteTar, peak_of: PeakOf
) -> None:
    source = as_tar(files, tmp_path, write_tar) if kind == "tar" else as_table(files, tmp_path)
    out = tmp_path / "out"
    flags = ("--models", "embedded", "--max-reject-rate", 1, "--min-side", 1)
    peak, error = peak_of(shell("corpus", "--input", source, "--output", out, *flags))
    assert "Traceback" not in error
    manifest = shards.require_finished(str(out), "corpus")
    kept, rejected = manifest["rows"]["images"], manifest["rows"][shards.REJECTS]
    assert manifest["rows_in"] == kept + rejected == len(files)
    assert 0 < peak < PEAK_BYTES, f"peak memory {peak / 1e6:.0f} MB"
    known = {*images.REASONS, "too_many_bytes"}
    assert set(manifest["reasons"]) <= known
    assert kept > len(files) // 4
    for part in shards.list_parts(str(out), "images"):  # what was kept is plain to any reader
        for row in shards.read_part(str(out), "images", part, None).to_pylist():
            _is_plain(row)


def _is_plain(row: dict[str, Any]) -> None:
    with PIL.Image.open(io.BytesIO(row["image"]["bytes"])) as picture:
        picture.load()
        assert picture.size == (row["width"], row["height"])
        assert max(picture.size) <= 1024
        assert picture.mode in ("RGB", "L")
        assert picture.getexif().get(0x112, 1) == 1  # upright
        assert getattr(picture, "n_frames", 1) == 1


def test_more_rejects_than_allowed(
    files: list[Path], tmp_path: Path, shell: Shell, write_tar: WriteTar, peak_of: PeakOf
) -> None:
    """By default the job fails when half of its rows are rejects: after all is written."""
    broken = [file for file in files if file.suffix in (".pdf", ".eps", ".fli", ".j2k", ".psd")]
    assert len(broken) > 40
    source = as_tar(broken, tmp_path, write_tar)
    run = shell("corpus", "--input", source, "--output", tmp_path / "out", "--models", "embedded")
    peak, error = peak_of(run)
    assert run.returncode == 3
    assert "above --max-reject-rate 0.5" in error.splitlines()[-1]
    manifest = shards.require_finished(str(tmp_path / "out"), "corpus")
    assert manifest["rows_in"] == len(broken)
    assert 0 < peak < PEAK_BYTES


def test_the_reasons_are_told_apart(files: list[Path]) -> None:
    """A corpus of such files has many reasons, not one for all."""
    reasons: Counter[str] = Counter()
    for file in files:
        try:
            images.size(file.read_bytes())
        except images.DecodeError as error:
            reasons[error.reason] += 1
    assert len(reasons) >= 4
