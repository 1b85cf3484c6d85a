"""Small source folders, written by hand: a layout looks at names, sizes and lists alone."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Fill = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """fill(files): a folder with files of those paths and contents, written in that order."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        folder = tmp_path / "source"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return write
