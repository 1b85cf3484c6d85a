"""Any bytes give a Picture or a DecodeError, in bounded time and memory, and without a warning."""

import json
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from instruct_imagen_data import images

Pixels = npt.NDArray[np.uint8]
Save = Callable[..., bytes]
Build = Callable[..., bytes]

KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "progressive": {"quality": 90, "progressive": True},
    "PNG": {},
    "WEBP": {"quality": 80},
    "lossless": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "deflate": {"compression": "tiff_adobe_deflate"},
}
FORMAT = {"progressive": "JPEG", "lossless": "WEBP", "deflate": "TIFF"}


@pytest.fixture(scope="module")
def files(scene: Pixels, save: Save) -> dict[str, bytes]:
    """A good file of each kind."""
    return {kind: save(scene, FORMAT.get(kind, kind), **KINDS[kind]) for kind in KINDS}


def reason(data: bytes, limits: images.Limits | None = None) -> str:
    """Why data is refused, or "" if it is not."""
    try:
        images.read(data, limits or images.Limits())
    except images.DecodeError as error:
        found = error
    else:
        return ""
    assert found.reason in images.REASONS
    assert str(found) == f"{found.reason}: {found.detail}"
    return found.reason


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty_image"),
        (b"\0", "not_an_image"),
        (b"hello", "not_an_image"),
        (b"<!DOCTYPE html><html><body><svg></svg>404</body></html>", "not_an_image"),
        (b'{"error": "not found"}', "not_an_image"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "not_an_image"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported_format"),
        (b"\xef\xbb\xbf  <SVG></SVG>", "unsupported_format"),
        (b"%PDF-1.7", "unsupported_format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "unsupported_format"),
        (b"8BPS\0\1", "unsupported_format"),
        (b"\0\0\1\0\1\0", "unsupported_format"),
        (b"\0\0\0\x20ftypavif", "unsupported_format"),
        (b"\0\0\0\x18ftypheic", "unsupported_format"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "unsupported_format"),
        (b"SIMPLE  =                    T", "unsupported_format"),
        (b"P6\n4 4\n255\n", "unsupported_format"),
        (b"II+\0\x08\0\0\0", "unsupported_format"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"GIF89a", "truncated"),
        (b"BM", "truncated"),
        (b"II*\0", "truncated"),
        (b"RIFF\xff\0\0\0WEBP", "truncated"),
    ],
)
def test_what_is_no_picture(data: bytes, expected: str) -> None:
    assert reason(data) == expected
    assert reason(data + bytes(100)) != ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent", range(10, 100, 10))
def test_a_file_cut_short_is_truncated(files: dict[str, bytes], kind: str, percent: int) -> None:
    data = files[kind]
    assert reason(data) == ""
    assert reason(data[: len(data) * percent // 100]) == "truncated"


@pytest.mark.parametrize("kind", KINDS)
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_cut_anywhere(files: dict[str, bytes], kind: str, share: float) -> None:
    whole = files[kind]
    cut = int(share * len(whole))
    found = reason(whole[:cut])
    # A first few bytes are no format's mark; the last may be padding.
    allowed = {"truncated"} | ({"empty_image", "not_an_image"} if cut < 12 else set())
    assert found in allowed or (found == "" and cut >= len(whole) - 2)


CHANGES = st.tuples(
    st.floats(0, 1, exclude_max=True),  # where
    st.sampled_from([300, 1 << 20]),  # within so many first bytes: headers are where it hurts
    st.sampled_from([b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"Z"]),
    st.booleans(),  # in place of what is there, or before it
)


@pytest.mark.parametrize("kind", KINDS)
@given(changes=st.lists(CHANGES, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_mutations_give_a_picture_or_a_reason(
    files: dict[str, bytes], kind: str, changes: list[tuple[float, int, bytes, bool]]
) -> None:
    data = bytearray(files[kind])
    for share, within, piece, replace in changes:
        at = int(share * min(within, len(data)))
        data[at : at + len(piece) * replace] = piece
    if not reason(bytes(data)):
        picture = images.read(bytes(data))
        assert picture.rgb.shape == (picture.height, picture.width, 3)
        assert max(picture.rgb.shape) <= 1024


def test_pngs_checksums_are_checked(files: dict[str, bytes]) -> None:
    data = bytearray(files["PNG"])
    data[len(data) // 2] ^= 1
    assert reason(bytes(data)) == "corrupt"


def test_limits_are_checked_in_order(scene: Pixels, save: Save) -> None:
    def limits(**changed: Any) -> images.Limits:
        return images.Limits(**changed)

    assert reason(save(scene[:63], "PNG")) == "too_small"
    assert reason(save(scene[:64], "PNG")) == ""
    flat = np.zeros((64, 257, 3), np.uint8)
    assert reason(save(flat, "PNG")) == "aspect_ratio"
    assert reason(save(flat[:, :256], "PNG")) == ""
    assert reason(save(flat[:10], "PNG")) == "too_small"
    assert reason(save(flat[:10], "PNG"), limits(max_pixels=2569)) == "too_many_pixels"
    assert reason(save(flat, "PNG"), limits(max_aspect=5.0)) == ""
    with pytest.raises(ValueError, match="above Pillow's"):
        limits(max_pixels=100_000_000)


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(images.DecodeError("too_small", "1x1")))
    assert (error.reason, error.detail, str(error)) == ("too_small", "1x1", "too_small: 1x1")


def bombs(
    scene: Pixels, save: Save, png: Build, chunk: Build, segment: Build
) -> dict[str, tuple[bytes, str]]:
    """name -> (file, reason): small files that would cost gigabytes or minutes."""
    jpeg, huge = save(scene, "JPEG"), struct.pack(">HH", 65000, 65000)
    frame = jpeg.index(b"\xff\xc0")
    sized = jpeg[: frame + 5] + huge + jpeg[frame + 9 :]
    second = segment(0xC0, jpeg[frame + 4 : frame + 5] + huge + jpeg[frame + 9 : frame + 19])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 28), 9))
    image = png(scene, 2, 8)
    # Every entry of this EXIF directory claims the whole block: Pillow would hold 20 GB.
    entries = 20_000
    block = struct.pack("<4sIH", b"II*\0", 8, entries) + b"".join(
        struct.pack("<HHII", tag, 7, 1_000_000, 0) for tag in range(1000, 1000 + entries)
    )
    block += bytes(1_000_100 - len(block))
    parts = [segment(0xE1, b"Exif\0\0" + block[at : at + 60000]) for at in range(0, 10**6, 60000)]
    gif = save(scene, "GIF")
    screen = 13 + 3 * (2 << (gif[10] & 7))
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * 60_000 + b"\0"
    webp = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff" * 2
    bmp = bytearray(save(scene, "BMP"))
    bmp[18:26] = struct.pack("<II", 40000, 40000)
    progressive = save(scene, "JPEG", progressive=True)
    last = progressive.rindex(b"\xff\xda")
    return {
        "png": (image[:8] + header + image[33:], "too_many_pixels"),
        "png_text": (image[:33] + text + image[33:], ""),
        "png_chunks": (image[:33] + chunk(b"tEXt", b"") * 70_000 + image[33:], "corrupt"),
        "jpeg": (sized, "too_many_pixels"),
        "jpeg_two_frames": (jpeg[:2] + second + jpeg[2:], "too_many_pixels"),
        "jpeg_frame_after": (jpeg[: frame + 19] + second + jpeg[frame + 19 :], "corrupt"),
        "jpeg_exif": (jpeg[:2] + b"".join(parts) + jpeg[2:], ""),
        "jpeg_tiny_exif": (jpeg[:2] + segment(0xE1, b"Exif\0\0") * 60_000 + jpeg[2:], ""),
        "jpeg_fill": (jpeg[:2] + b"\xff" * (1 << 22) + jpeg[3:], ""),
        "jpeg_junk": (jpeg[:2] + b"\xff\0" * (1 << 21) + jpeg[2:], ""),
        "jpeg_scans": (progressive[:-2] + progressive[last:-2] * 40_000, "too_many_pixels"),
        "gif": (gif[:6] + struct.pack("<HH", 60000, 60000) + gif[10:], "too_many_pixels"),
        "gif_comments": (gif[:screen] + comment + gif[screen:], ""),
        "gif_blocks": (gif[:screen] + b"\x21\xfe" + b"\1x" * 10**5 + gif[screen:], "corrupt"),
        "webp": (b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp, "too_many_pixels"),
        "bmp": (bytes(bmp), "too_many_pixels"),
    }


def tiff(*entries: tuple[int, int, int, int], tail: bytes = bytes(200_000)) -> bytes:
    """A little-endian TIFF of 128x96 black pixels, with further (tag, type, count, value)."""
    tags = {256: (4, 1, 128), 257: (4, 1, 96), 258: (3, 1, 8), 262: (3, 1, 1), 278: (4, 1, 96)}
    tags |= {273: (4, 1, 8), 279: (4, 1, 128 * 96)}
    tags |= {tag: (kind, count, value) for tag, kind, count, value in entries}
    rows = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    start = 8 + len(tail)
    directory = struct.pack("<H", len(tags)) + rows + struct.pack("<I", start)  # the next is itself
    return b"II*\0" + struct.pack("<I", start) + tail + directory


TIFF_BOMBS = {
    "none": (tiff(), ""),
    "size": (tiff((256, 4, 1, 60_000), (257, 4, 1, 60_000)), "too_many_pixels"),
    "samples": (tiff((256, 4, 1, 8000), (257, 4, 1, 7900), (277, 3, 1, 60_000)), "too_many_pixels"),
    "no_size": (tiff((256, 4, 1, 0)), "corrupt"),
    "two_sizes": (tiff((256, 4, 2, 8)), "corrupt"),
    "float_size": (tiff((256, 11, 1, 128)), "corrupt"),
    "strips": (tiff((273, 4, 40_000, 8), (279, 4, 40_000, 8)), ""),  # 0, 0, ...: black
    "overlapping": (
        tiff(
            (273, 3, 20_000, 8), (279, 3, 20_000, 50_008), tail=bytes(50_000) + b"\xff\x7f" * 20_000
        ),
        "corrupt",
    ),
    "outside": (tiff((273, 4, 1, 190_000)), "truncated"),
    "values_outside": (tiff((320, 3, 768, 900_000)), "truncated"),
    "tile": (tiff((322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 4, 1, 8)), "corrupt"),
    "palette": (tiff((320, 3, 10**9, 8)), "corrupt"),
    "fax": (tiff((259, 3, 1, 4)), "unsupported_format"),
    "old_jpeg": (tiff((259, 3, 1, 6)), "unsupported_format"),
    "bits": (tiff((258, 3, 1, 12)), "unsupported_format"),
    "profile_outside": (tiff((34675, 7, 10**9, 8)), "truncated"),
}

READ_ALL = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from instruct_imagen_data import images
images.read(images.encode_jpeg(np.zeros((80, 80, 3), np.uint8)))
memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    data = path.read_bytes()
    before, start = memory(), time.process_time()
    try:
        picture = images.read(data)
        reason = ""
        assert len(picture.encoded) < 100_000 and picture.reencoded == (picture.encoded != data)
    except images.DecodeError as error:
        reason = error.reason
    found[path.name] = reason, time.process_time() - start, memory() - before
print(json.dumps(found))
"""


def test_bombs_do_not_go_off(
    scene: Pixels, save: Save, png: Build, chunk: Build, segment: Build, tmp_path: Path
) -> None:
    """In a process of their own, so that its memory is seen and a crash would be."""
    made = bombs(scene, save, png, chunk, segment)
    made |= {f"tiff_{name}": bomb for name, bomb in TIFF_BOMBS.items()}
    for name, (data, _) in made.items():
        (tmp_path / name).write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_ALL, str(tmp_path)],
        capture_output=True,
        check=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    found = json.loads(run.stdout)
    assert {name: found[name][0] for name in made} == {name: made[name][1] for name in made}
    slow = {name: (seconds, mib) for name, (_, seconds, mib) in found.items() if seconds > 1.5}
    assert not slow
    assert not {name: mib for name, (_, _, mib) in found.items() if mib > 200}


def test_kept_bytes_hold_no_traps(scene: Pixels, save: Save, png: Build, chunk: Build) -> None:
    """What makes other readers warn or fail is not stored, though the picture is fine."""
    harmless = chunk(b"tEXt", b"Author\0me")
    assert not images.read(png(scene, 2, 8, harmless)).reencoded
    for trap in (
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 22))),
        chunk(b"iCCP", b"x\0\0not zlib"),
        chunk(b"tEXt", b"Comment\0" + bytes(2 << 20)),
    ):
        assert images.read(png(scene, 2, 8, trap)).reencoded
    for broken in (b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"nonsense"):
        assert images.read(save(scene, "JPEG", exif=b"Exif\0\0" + broken)).reencoded


def test_progressive_jpegs_are_bounded_by_scans_times_pixels(scene: Pixels, save: Save) -> None:
    data = save(scene, "JPEG", progressive=True)
    exact = images.Limits(max_pixels=128 * 96)
    assert reason(data, exact) == ""
    last = data.rindex(b"\xff\xda")
    assert reason(data[:-2] + data[last:-2] * 20 + data[-2:], exact) == "too_many_pixels"


def test_run_length_bmp_is_bounded(save: Save) -> None:
    rows = b"\x60\1\0\0" * 96 + b"\0\1"  # 96 pixels of colour 1, end of line
    palette = bytes(4) + bytes([30, 20, 200, 0]) * 255
    header = struct.pack("<IiiHHIIIIII", 40, 96, 96, 1, 8, 1, len(rows), 0, 0, 256, 0)
    head = struct.pack("<2sIII", b"BM", 14 + 40 + 1024 + len(rows), 0, 14 + 40 + 1024)
    data = head + header + palette + rows
    assert (images.read(data).rgb == (200, 20, 30)).all()
    large = data.replace(struct.pack("<ii", 96, 96), struct.pack("<ii", 2000, 2000))
    assert reason(large) == "unsupported_format"
    four_bits = data.replace(struct.pack("<HHI", 1, 8, 1), struct.pack("<HHI", 1, 4, 2))
    assert reason(four_bits) == "unsupported_format"  # Pillow gets these wrong


def test_a_palette_png_without_palette_is_corrupt(scene: Pixels, png: Build) -> None:
    assert reason(png(scene[..., 0], 3, 8)) == "corrupt"


def test_header_and_decoder_must_agree_on_the_size(scene: Pixels, save: Save) -> None:
    inner = save(Image.fromarray(scene), "WEBP", lossless=True)[12:]
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\x7f\0\0" + b"\x7f\0\0"  # 128x128
    body = b"WEBP" + canvas + inner
    assert reason(b"RIFF" + struct.pack("<I", len(body)) + body) == "corrupt"
