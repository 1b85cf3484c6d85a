"""The job `sketch` over a folder of photos and drawings, by the networks of the shared set."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from instruct_imagen_data import cli, keys, shards
from instruct_imagen_data.annotators import model_set

Command = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
DRAWN = "sketch-rendered/width-5"


@pytest.fixture(scope="session")
def models(root: Path, request: pytest.FixtureRequest) -> str:
    """A model set with a network for edges."""
    if "edge" in model_set.load_set("embedded").roles:
        return "embedded"
    request.getfixturevalue("shared")
    return str(root / "tests" / "data" / "shared_set.toml")


@pytest.fixture(scope="module")
def made(
    models: str, small_sets: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[str, ...]]:
    """(output of the job over the small set, its command line)."""
    folder, out = str(small_sets / "sketches"), tmp_path_factory.mktemp("sketches")
    flags = ("sketch", "--sketches", folder, "--models", models, "--size", "96", "--min-check", "0")
    whole = (*flags, "--sketches-licence", "CC0", "--output", str(out))
    assert cli.main([*whole, "--direct_num_workers=1"]) == 0
    return out, whole


def key_of(folder: Path, path: str) -> str:
    beside = folder / path.replace(".jpg", ".txt")
    caption = beside.read_text().strip() if path.endswith(".jpg") else ""
    return keys.pair_key(f"file:{path}", caption, (folder / path).read_bytes())


def grey(encoded: dict[str, Any]) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(encoded["bytes"])), np.float32)


def test_sketches(
    made: Any, small_sets: Path, rows_of: Rows, models: str, command: Command
) -> None:
    """A row for each drawing that fits its photo; every other picture has a reject of its own."""
    out, flags = made
    folder = small_sets / "sketches"
    rows = {tuple(row["sources"]): row for row in rows_of(out / "sketch2image")}
    split = {"00000": "train", "00002": "validation"}
    wanted = {}
    for number in split:
        photo = key_of(folder, f"image/{number}.jpg")
        for i in (1, 2):
            path = f"{DRAWN}/{number}_0{i}.png"
            wanted[photo, key_of(folder, path)] = (number, path)
    assert rows.keys() == wanted.keys()
    for sources, (number, path) in wanted.items():
        row = rows[sources]
        assert row["key"] == keys.derived_key("sketch2image", sources)
        assert row["split"] == split[number]
        assert row["caption"] == (folder / "image" / f"{number}.txt").read_text().strip()
        (reference,) = row["references"]
        told = [reference[name] for name in ("marker", "role", "text", "aligned")]
        assert told == [1, "sketch", "sketch", True]
        lines = grey(reference["image"])
        assert lines.shape == (row["height"], row["width"])
        # Dark lines on white were turned to white ones on black, at the target's size.
        drawn = PIL.Image.open(folder / path).convert("L")
        turned = 255 - np.asarray(drawn.resize(lines.shape[::-1], PIL.Image.Resampling.BOX), float)
        assert np.corrcoef(turned.ravel(), lines.ravel())[0, 1] > 0.95
        assert lines.mean() < 60
        (check,) = row["checks"]
        assert check["name"] == "sketch_f1"
        edge = model_set.load_set(models).role("edge")
        assert row["licence"] == keys.join_licences(["CC0", edge.licence])
    found = {row["origin"]: row for row in rows_of(out / "sketch2image", shards.REJECTS)}
    assert {origin: row["reason"] for origin, row in found.items()} == {
        "image/00001.jpg": "truncated",  # and its drawings go with it
        f"{DRAWN}/00001_01.png": "no_photo",
        f"{DRAWN}/00001_02.png": "no_photo",
        f"{DRAWN}/00000_07.png": "not_an_image",
        f"{DRAWN}/00000_08.png": "misaligned",
        "image/00003.jpg": "no_drawing",
        "image/gone.jpg": "empty_image",
    }
    manifest = shards.require_finished(str(out / "sketch2image"), "sketch")
    assert manifest["rows_in"] == len(found) + len({key for both in wanted for key in both})
    assert manifest["reasons"] == dict(Counter(row["reason"] for row in found.values()))
    assert "sketch: nothing to do" in command(*flags).out


def test_checks_and_licences_of_sketches(
    made: Any, small_sets: Path, models: str, tmp_path: Path, rows_of: Rows, command: Command
) -> None:
    """A photo whose drawings are all unlike it is a reject, too."""
    values = {row["key"]: row["checks"][0]["value"] for row in rows_of(made[0] / "sketch2image")}
    ordered = sorted(values.values())
    limit = (ordered[1] + ordered[2]) / 2
    folder, out = small_sets / "sketches", tmp_path / "some"
    flags = ("sketch", "--sketches", folder, "--models", models, "--size", 96, "--output", out)
    assert command(*flags, "--min-check", limit).code == 0
    kept = rows_of(out / "sketch2image")
    assert {row["key"] for row in kept} == {key for key, one in values.items() if one > limit}
    rejects = rows_of(out / "sketch2image", shards.REJECTS)
    assert sum(row["reason"] == "check" for row in rejects) == 2
    cited = {key for row in kept for key in row["sources"]}
    assert not cited & {row["key"] for row in rejects}
    edge = model_set.load_set(models).role("edge")
    done = command(*flags, "--licences", "commercial", "--overwrite")
    if "research" in edge.licence:
        assert done.code == 2
        assert f"the edge network of model set shared is under {edge.licence!r}" in done.lines[0]
    else:
        assert done.code == 0
        assert rows_of(out / "sketch2image") == []


def test_no_folder_of_sketches(
    models: str, small_sets: Path, tmp_path: Path, command: Command
) -> None:
    for name in ("subjects", "none"):
        folder = small_sets / name
        done = command(
            "sketch", "--sketches", folder, "--models", models, "--output", tmp_path / "o"
        )
        assert done.code == 2
        (line,) = done.lines
        assert str(folder) in line
        assert ("photos are wanted as image/ID.jpg" in line) == (name == "subjects")
    assert not (tmp_path / "o").exists()
