"""Which job, layout and option each dataset of a source folder has, for the tests of them."""

from pathlib import Path
from typing import Any

from instruct_imagen_data import keys
from instruct_imagen_data.sources.layouts import Source

LAYOUT = {"wikiart": "paintings", "suti": "subjects", "celeba": "celeba", "celeba_hq": "celeba_hq"}
FOLDER = {"celeba": "faces", "celeba_hq": "faces-hq"}
VERB = {"wikiart": "art", "suti": "subject", "celeba": "face", "celeba_hq": "face"}
OPTION = {"wikiart": "art", "suti": "subjects", "celeba": "celeba", "celeba_hq": "celeba-hq"}


def folder_of(dataset: str, sets: Path) -> Path:
    return sets / FOLDER.get(dataset, LAYOUT[dataset])


def keys_of(dataset: str, sets: Path) -> dict[str, str]:
    """Path to key, of every picture that the folder lists, there or not."""
    folder = folder_of(dataset, sets)
    found = {}
    for group in Source(LAYOUT[dataset], str(folder)).listing().groups:
        for one in group.pictures:
            path = folder / one.path
            data = path.read_bytes() if path.exists() else b""
            found[one.path] = keys.pair_key(f"file:{one.path}", one.caption, data)
    assert len(set(found.values())) == len(found)
    return found


def refused(done: Any, *words: str) -> None:
    assert done.code == 2, done
    (line,) = done.lines
    for word in words:
        assert word in line
