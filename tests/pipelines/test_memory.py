"""The memory of a run does not grow with the number of pairs."""

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from instruct_imagen_data import shards

Shell = Callable[..., subprocess.Popen[str]]
Picture = Callable[..., bytes]
PeakOf = Callable[[subprocess.Popen[str]], tuple[int, str]]
PAIRS_A_TAR = 500
PICTURES = 50  # different ones; a pair's caption and URL are its own


def fill(folder: Path, pairs: int, picture: Picture) -> Path:
    """Tars of small pairs. Words of their own in each caption, as the web has them."""
    folder.mkdir()
    encoded = [picture(number) for number in range(PICTURES)]
    for first in range(0, pairs, PAIRS_A_TAR):
        with tarfile.open(folder / f"{first // PAIRS_A_TAR:05d}.tar", "w") as tar:
            for number in range(first, first + PAIRS_A_TAR):
                url = f'{{"url": "https://example.com/{number}.jpg"}}'
                text = f"waves number{number * 7919} and word{number * 104729}"
                for ending, data in [
                    ("jpg", encoded[number % PICTURES]),
                    ("txt", text.encode()),
                    ("json", url.encode()),
                ]:
                    member = tarfile.TarInfo(f"{number:09d}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return folder


def peak(shell: Shell, peak_of: PeakOf, source: Path, out: Path) -> int:
    """Peak resident memory of a run, in bytes."""
    flags = ("--models", "embedded", "--direct_num_workers=1")
    run = shell("corpus", "--input", source, "--output", out, *flags)
    found, error = peak_of(run)
    assert run.returncode == 0, error
    return found


@pytest.mark.slow
def test_memory_is_flat(tmp_path: Path, shell: Shell, peak_of: PeakOf, picture: Picture) -> None:
    """2,000 pairs against 20,000."""
    peaks = []
    for pairs in (2_000, 20_000):
        source = fill(tmp_path / f"web-{pairs}", pairs, picture)
        out = tmp_path / f"out-{pairs}"
        peaks.append(peak(shell, peak_of, source, out))
        assert shards.require_finished(str(out), "corpus")["rows_in"] == pairs
    small, large = peaks
    assert small > 0
    assert large <= 1.15 * small, f"{small / 1e6:.0f} MB -> {large / 1e6:.0f} MB"
