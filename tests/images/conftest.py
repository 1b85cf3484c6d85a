"""Made pictures and files for the tests of `images`."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def scene() -> Pixels:
    """uint8 [96, 128, 3]: smooth, colourful, and different under each flip and turn."""
    y, x = np.mgrid[0:96, 0:128] / 96
    waves = np.stack([x * 180, y * 200, 120 + 90 * np.sin(5 * x + 3 * y)], axis=-1)
    waves[8:40, 12:50] = 235, 60, 40
    waves[60:90, 90:118] *= 0.3
    return waves.round().astype(np.uint8)


@pytest.fixture(scope="session")
def save() -> Callable[..., bytes]:
    """save(image or pixels, format, **options): the encoded file, by Pillow."""

    def encode(picture: Image.Image | Pixels, kind: str, **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        sink = io.BytesIO()
        image.save(sink, kind, **options)
        return sink.getvalue()

    return encode


@pytest.fixture(scope="session")
def chunk() -> Callable[[bytes, bytes], bytes]:
    """chunk(kind, payload): a PNG chunk with its checksum."""

    def build(kind: bytes, payload: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + payload))
        return struct.pack(">I", len(payload)) + kind + payload + checksum

    return build


@pytest.fixture(scope="session")
def png(chunk: Callable[[bytes, bytes], bytes]) -> Callable[..., bytes]:
    """png(samples, colour, bits, *chunks): a PNG of any kind, written by hand."""

    def build(samples: npt.NDArray[Any], colour: int, bits: int, *chunks: bytes) -> bytes:
        high, wide = samples.shape[:2]
        rows = samples.reshape(high, -1).astype(">u2" if bits == 16 else "u1")
        data = b"".join(b"\0" + row.tobytes() for row in rows)
        header = struct.pack(">IIBBBBB", wide, high, bits, colour, 0, 0, 0)
        return b"".join(
            (
                b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header),
                *chunks,
                chunk(b"IDAT", zlib.compress(data)),
                chunk(b"IEND", b""),
            )
        )

    return build


@pytest.fixture(scope="session")
def segment() -> Callable[[int, bytes], bytes]:
    """segment(marker, payload): a JPEG segment."""

    def build(marker: int, payload: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload

    return build


@pytest.fixture(scope="session")
def exif() -> Callable[[int], bytes]:
    """exif(orientation): an EXIF block that says nothing else."""

    def build(orientation: int) -> bytes:
        return struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 0x112, 3, 1, orientation, 0, 0)

    return build
