"""On real odd, corrupt and hostile files, and on known near duplicates, of the folder `shared`."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from instruct_imagen_data import images

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared" / "data"
BAD = SHARED / "bad_inputs"
NEAR = SHARED / "neardup_gt"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")

ANY_SIZE = images.Limits(min_side=1, max_aspect=1e6)
READ_ALL = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from instruct_imagen_data import images
images.read(images.encode_jpeg(np.zeros((80, 80, 3), np.uint8)))
memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
found = {}
for name in json.load(sys.stdin):
    data = Path(name).read_bytes()
    for limits in (images.Limits(), images.Limits(min_side=1, max_aspect=1e6)):
        before, start = memory(), time.process_time()
        try:
            picture = images.read(data, limits)
            reason = "" if len(images.perceptual_hash(picture.rgb)) == 32 else "no hash"
        except images.DecodeError as error:
            reason = error.reason
        found.setdefault(name, []).append(
            (reason, time.process_time() - start, memory() - before)
        )
print(json.dumps(found))
"""


def manifest() -> list[dict[str, str]]:
    """What Pillow makes of each file."""
    with open(BAD / "manifest.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def named(ending: str) -> bytes:
    """The one file whose name ends so."""
    (path,) = (BAD / row["file"] for row in manifest() if row["file"].endswith(ending))
    return path.read_bytes()


def phash(data: bytes) -> bytes:
    return images.perceptual_hash(images.read(data, ANY_SIZE).rgb)


def test_each_file_gives_a_picture_or_a_reason() -> None:
    """In one process, without a warning; none takes long or much memory."""
    rows = manifest()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_ALL],
        input=json.dumps([str(BAD / row["file"]) for row in rows]),
        capture_output=True,
        check=True,
        text=True,
        cwd=REPOSITORY,
    )
    found = json.loads(run.stdout)
    assert len(found) == len(rows) > 800
    for row in rows:
        for reason, seconds, mib in found[str(BAD / row["file"])]:
            assert reason in ("", *images.REASONS)
            assert seconds < 2, row["file"]
            assert mib < 600, row["file"]
        loose = found[str(BAD / row["file"])][1][0]
        # What Pillow itself cannot read is never accepted, but for the text beside a picture.
        if row["pil_load_ok"] == "False" and loose == "":
            assert row["file"].endswith(("unknown_compression_method.png", "decompression_dos.png"))
        if row["origin"].startswith("derived: JPEG"):
            assert loose == "truncated"


def test_ordinary_formats_are_not_refused() -> None:
    """Of what Pillow reads of our formats, only these few are refused."""
    refused = {}
    for row in manifest():
        if row["pil_load_ok"] == "True" and row["pil_fmt"] in ("JPEG", "PNG", "WEBP", "GIF"):
            try:
                images.read((BAD / row["file"]).read_bytes(), ANY_SIZE)
            except images.DecodeError as error:
                refused[row["file"].rsplit("/", 1)[1].split("_", 1)[1]] = error.reason
    assert refused == {
        "broken_data_stream.png": "corrupt",  # wrong checksum
        "xcsn0g01.png": "corrupt",  # wrong checksum
        "truncated_end_chunk.png": "truncated",
        "9600x9600_1bit.png": "too_many_pixels",
        "testorig_transverse_422_q95_prog_ari.jpg": "unsupported_format",  # arithmetic coding
        "testorig_transpose_440_q90_ari_rst1.jpg": "unsupported_format",
    }


def test_kept_files_open_alike_and_without_a_warning_elsewhere() -> None:
    kept = 0
    for row in manifest():
        data = (BAD / row["file"]).read_bytes()
        try:
            picture = images.read(data, ANY_SIZE)
        except images.DecodeError:
            continue
        with Image.open(io.BytesIO(picture.encoded)) as image:
            pixels = np.asarray(image.convert("RGB"))
        if not picture.reencoded:
            kept += 1
            assert picture.encoded == data
            assert (pixels == picture.rgb).all(), row["file"]
        assert not images.read(picture.encoded, ANY_SIZE).reencoded, row["file"]
    assert kept > 120


@pytest.mark.parametrize(
    ("pattern", "distance"),
    [
        ("pillow/*hopper_orientation_?.jpg", 12),
        ("pillow/*hopper_orientation_?.webp", 12),
        ("libvips/*_[1-8].jpg", 40),  # each shows its number
        ("exif_orient/*Landscape_?.jpg", 40),
        ("exif_orient/*Portrait_?.jpg", 40),
    ],
)
def test_orientations_agree(pattern: str, distance: int) -> None:
    hashes = [phash(path.read_bytes()) for path in sorted((BAD / "files").glob(pattern))]
    assert len(hashes) >= 2
    assert max(images.hamming(hashes[0], other) for other in hashes[1:]) <= distance


def rgb(name: str) -> npt.NDArray[np.int64]:
    return images.read(named(name), ANY_SIZE).rgb.astype(int)


def test_forms_of_one_photo_agree() -> None:
    """The same picture as CMYK, 16 bits, animation ...: compared with its plain PNG."""
    plain = rgb("derived/png_named.jpg")
    for name, levels in (
        ("derived/cmyk.jpg", 6),
        ("derived/progressive.jpg", 6),
        ("derived/lossless.webp", 0.1),
        ("derived/animated.webp", 6),
        ("derived/animated.gif", 12),
    ):
        assert abs(rgb(name) - plain).mean() < levels, name
    grey = plain @ (0.299, 0.587, 0.114)
    assert abs(rgb("derived/gray16.png") - grey[..., None]).mean() < 2
    assert abs(np.rot90(rgb("derived/exif_rot6.jpg")) - plain).mean() < 6


@pytest.mark.parametrize("name", ["derived/rgba.png", "derived/palette_alpha.png", "star.png"])
def test_alpha_lies_on_white(name: str) -> None:
    with Image.open(io.BytesIO(named(name))) as image:
        pixels = np.asarray(image.convert("RGBA")).astype(float)
    alpha = pixels[..., 3:]
    assert alpha.min() < 255
    expected = (pixels[..., :3] * alpha + 255 * (255 - alpha)) / 255
    assert abs(rgb(name) - expected).max() <= 1


def test_a_profile_of_lookup_tables() -> None:
    """A JPEG in the XYB colours of JPEG XL looks like its sRGB original, by its profile alone."""
    difference = abs(rgb("sample-xyb.jpg") - rgb("libvips/e5d42a8c_sample.jpg"))
    assert difference.mean() < 5
    with Image.open(io.BytesIO(named("sample-xyb.jpg"))) as image:
        ignored = np.asarray(image.convert("RGB")).astype(int)
    assert abs(ignored - rgb("libvips/e5d42a8c_sample.jpg")).mean() > 20


def test_hashes_of_near_duplicates() -> None:
    """Re-encoded, resized and brightened copies lie within 20 bits, other pictures beyond 90."""
    pairs = json.loads((NEAR / "pairs.json").read_text())
    hashes = {
        name: phash((NEAR / name).read_bytes())
        for name in sorted({pair[side] for pair in pairs for side in "ab"})
    }
    distances: dict[str, list[int]] = {}
    for pair in pairs:
        distance = images.hamming(hashes[pair["a"]], hashes[pair["b"]])
        distances.setdefault(pair["kind"], []).append(distance)
    for kind in ("recompress", "resize", "brighter"):
        assert max(distances[kind]) <= 20, kind
    assert max(distances["crop"]) <= 100  # a crop moves every edge: the vectors must decide
    rows = np.stack([np.frombuffer(hashes[name], np.uint8) for name in {p["a"] for p in pairs}])
    others = images.hamming_rows(rows[:, None], rows[None])[np.triu_indices(len(rows), 1)]
    assert others.min() > 90
