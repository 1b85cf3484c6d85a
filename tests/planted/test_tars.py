"""What lies on disk: img2dataset's layout, the truth, and the maps."""

import hashlib
import io
import json
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, UnidentifiedImageError

from instruct_imagen_data import images, keys
from instruct_imagen_data.planted import plant
from instruct_imagen_data.planted.web import COPY_KINDS, DEFECTS

PAIRS, SEED = 90, 21
Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("planted") / "web"
    plant(output, PAIRS, SEED)
    return output


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Row]:
    """Truth row by origin."""
    return {row["origin"]: row for row in pq.read_table(folder / "truth.parquet").to_pylist()}


@pytest.fixture(scope="module")
def members(folder: Path) -> dict[str, dict[str, bytes]]:
    """File contents by extension, by origin."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for entry in tar:
                stem, _, extension = entry.name.partition(".")
                assert (entry.mtime, entry.uid, entry.gid, entry.uname) == (0, 0, 0, "")
                held = tar.extractfile(entry)
                assert held is not None
                found[f"{path.name}#{stem}"][extension] = held.read()
    return found


def picture(files: dict[str, bytes]) -> bytes:
    return next(data for kind, data in files.items() if kind in ("jpg", "png", "webp"))


def test_one_truth_row_a_pair(
    members: dict[str, dict[str, bytes]], truth: dict[str, Row], folder: Path
) -> None:
    assert len(truth) == PAIRS
    assert set(truth) == set(members)
    assert pq.read_table(folder / "truth.parquet").column("origin").to_pylist() == sorted(truth)
    for row in truth.values():
        assert row["quality"] == ("bad" if row["degradation"] else "good")
        assert (row["entity"] is None) == (row["topic"] is None)


def test_a_pair_has_picture_text_and_json(members: dict[str, dict[str, bytes]]) -> None:
    for origin, files in members.items():
        assert set(files) & {"jpg", "png", "webp"}
        assert {"txt", "json"} < set(files)
        record = json.loads(files["json"])
        assert record["key"] == origin.partition("#")[2]
        assert record["caption"].encode() == files["txt"]
        assert record["sha256"] == hashlib.sha256(picture(files)).hexdigest()
        assert record["status"] == "success"
        assert record["url"].lower().startswith("http")


def test_each_defect_is_what_it_says(
    members: dict[str, dict[str, bytes]], truth: dict[str, Row]
) -> None:
    seen = set()
    for origin, files in members.items():
        defect, data = truth[origin]["defect"], picture(files)
        seen.add(defect)
        if defect == "empty_image":
            assert data == b""
        elif defect == "not_an_image":
            with pytest.raises(UnidentifiedImageError):
                Image.open(io.BytesIO(data))
        elif defect == "truncated":
            with pytest.raises(OSError, match="truncated"):
                Image.open(io.BytesIO(data)).load()
        else:
            w, h = Image.open(io.BytesIO(data)).size
            Image.open(io.BytesIO(data)).load()
            assert (min(w, h) < 64) == (defect == "too_small")
            assert (max(w, h) / min(w, h) > 4) == (defect == "aspect_ratio")
            assert (max(w, h) / min(w, h) >= 6) == (defect == "aspect_ratio")
            assert (files["txt"].strip() == b"") == (defect == "empty_caption")
    assert seen == {None, *DEFECTS}


def test_the_contract_rejects_the_same_for_the_same_reason(
    members: dict[str, dict[str, bytes]], truth: dict[str, Row]
) -> None:
    for origin, files in members.items():
        defect = truth[origin]["defect"]
        if defect in (None, "empty_caption"):
            images.read(picture(files))
            continue
        with pytest.raises(images.DecodeError) as caught:
            images.read(picture(files))
        assert caught.value.reason == defect


def test_copies_are_copies_and_others_are_not(
    members: dict[str, dict[str, bytes]], truth: dict[str, Row]
) -> None:
    whole = {o: row for o, row in truth.items() if row["defect"] is None}
    hashes = {o: images.perceptual_hash(images.read(picture(members[o])).rgb) for o in whole}
    kinds = set()
    for origin, row in whole.items():
        if row["duplicate_of"] is None:
            continue
        original = row["duplicate_of"]
        kinds.add(row["copy_kind"])
        assert truth[original]["duplicate_of"] is None
        assert truth[original]["defect"] is None
        assert truth[original]["entity"] == row["entity"]
        same = picture(members[origin]) == picture(members[original])
        assert same == (row["copy_kind"] == "exact")
        assert images.hamming(hashes[origin], hashes[original]) <= 64, row["copy_kind"]
        urls = [json.loads(members[o]["json"])["url"] for o in (origin, original)]
        same_address = keys.normalise_url(urls[0]) == keys.normalise_url(urls[1])
        assert same_address == (row["copy_kind"] == "same_url")
    assert kinds == set(COPY_KINDS)
    alone = [o for o, r in whole.items() if r["duplicate_of"] is None and r["entity"]]
    rows = np.frombuffer(b"".join(hashes[o] for o in alone), np.uint8).reshape(-1, 32)
    bits = np.unpackbits(rows, axis=1).astype(int)
    apart = bits @ (1 - bits.T) + (1 - bits) @ bits.T
    assert apart[np.triu_indices(len(alone), 1)].min() > 64


def test_a_wrong_extension_is_no_defect(
    members: dict[str, dict[str, bytes]], truth: dict[str, Row]
) -> None:
    wrong = [o for o, row in truth.items() if row["trap"] == "wrong_extension"]
    assert wrong
    for origin in wrong:
        assert truth[origin]["defect"] is None
        assert members[origin]["jpg"].startswith(b"\x89PNG")


def test_maps_fit_their_pictures(
    folder: Path, members: dict[str, dict[str, bytes]], truth: dict[str, Row]
) -> None:
    rows = [
        row for path in folder.glob("maps-*.parquet") for row in pq.read_table(path).to_pylist()
    ]
    expected = {
        o for o, r in truth.items() if r["entity"] and not r["defect"] and not r["duplicate_of"]
    }
    assert {row["origin"] for row in rows} == expected
    for row in rows:
        size = Image.open(io.BytesIO(picture(members[row["origin"]]))).size
        for name in ("depth", "edge", "mask"):
            grey = Image.open(io.BytesIO(row[name]))
            assert grey.mode == "L"
            assert grey.size == size


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    def contents(where: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(where.iterdir())}

    counted: list[int] = []
    plant(tmp_path / "first", 16, SEED)
    plant(tmp_path / "again", 16, SEED, counted.append)
    assert contents(tmp_path / "again") == contents(tmp_path / "first")
    assert sum(counted) == 16
