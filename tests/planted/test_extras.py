"""What holds for all planted source sets: a seed draws them, and nothing else does."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from instruct_imagen_data.planted import extras

SAID = {"Bold_Cutout", "Ember_Impasto", "Mist_Ink", "Paper_Wash", "Pollen_Dots",  # WikiArt's manner
        "CelebA-HQ-img", "identity_CelebA.txt", "CelebA-HQ-to-CelebA-mapping.txt"}  # fmt: skip


SEED = 7  # of source_sets


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): digest(path.read_bytes())
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip


def test_sets_are_counted_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"a": lambda seed: iter([(f"{seed}/0.jpg", b"a"), ("list.txt", b"b")]),
           "b": lambda seed: iter([("1.jpg", b"c"), ("2.jpg", b"d")])}  # fmt: skip
    monkeypatch.setattr(extras, "SETS", few)
    counted: list[int] = []
    assert extras.plant_extras(tmp_path, 3, counted.append) == {"a": 1, "b": 2}
    assert counted == [1, 1, 1]
    assert (tmp_path / "a" / "3" / "0.jpg").read_bytes() == b"a"


def test_every_set_is_there_with_as_many_pictures_as_are_announced(source_sets: Path) -> None:
    assert {path.name for path in source_sets.iterdir()} == set(extras.SETS)
    assert list(extras.SETS) == ["paintings", "subjects", "sketches", "faces", "faces-hq"]
    assert len(list(source_sets.rglob("*.jpg"))) == extras.PICTURES


@pytest.mark.parametrize("name", list(extras.SETS))
def test_the_same_seed_gives_the_same_bytes_in_another_process(
    name: str, source_sets: Path
) -> None:
    code = """if True:
        import hashlib, itertools, json, sys
        from instruct_imagen_data.planted import extras
        first = itertools.islice(extras.SETS[sys.argv[1]](int(sys.argv[2])), 4)
        print(json.dumps({path: hashlib.sha256(data).hexdigest() for path, data in first}))
        """
    again = subprocess.run(
        [sys.executable, "-c", code, name, str(SEED)], check=True, capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )  # fmt: skip
    first = json.loads(again.stdout)
    assert len(first) == 4
    assert first.items() <= hashes(source_sets / name).items()


@pytest.mark.parametrize("name", list(extras.SETS))
def test_another_seed_draws_other_pictures(name: str, source_sets: Path) -> None:
    mine = {path: one for path, one in hashes(source_sets / name).items() if ".jpg" in path}
    path, data = next(extras.SETS[name](SEED + 1))
    assert path.endswith(".jpg")
    assert digest(data) not in mine.values()
    assert len(set(mine.values())) == len(mine)  # no picture twice


def test_names_are_plain(source_sets: Path) -> None:
    for path in source_sets.rglob("*"):
        assert path.name in SAID or re.fullmatch(r"[a-z0-9][a-z0-9._-]*", path.name), path
