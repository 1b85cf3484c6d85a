"""Any bytes give a Picture or a DecodeError, in bounded time and memory, and without a warning."""

import pickle
import struct
import zlib
from collections.abc import Callable
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
