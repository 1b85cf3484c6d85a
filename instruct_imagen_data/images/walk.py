"""Walks the containers of the formats that are read, without decoding: pieces, bounds, sizes.

Every walk is bounded: no piece may lie outside the file, there are at most MAX_PIECES of them, and
time is linear in the bytes. Pillow's own parsers are not: a 640 kB JPEG whose EXIF entries overlap
makes them hold 30 GB, a GIF with 10 MB of comment blocks keeps them busy for a minute.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from instruct_imagen_data.images.errors import DecodeError

MAX_PIECES = 1 << 16  # segments, chunks or blocks: a 500 MB PNG in 8 kB chunks has as many

# JPEG markers (ITU-T T.81, table B.1).
SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
DHT, EOI, SOS, DQT, DRI = 0xC4, 0xD9, 0xDA, 0xDB, 0xDD
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RSTn, SOI
_MARKER = re.compile(rb"\xff([\x01-\xfe])")

_GIF_HEADER = 13


class Piece(NamedTuple):  # not a frozen dataclass, which takes three times as long to make
    """One segment or chunk: kind, and where its payload lies; `start` includes its own header."""

    kind: bytes
    start: int
    payload: int
    end: int  # of the payload
    next: int


def number(data: bytes, at: int, length: int, order: Literal["big", "little"]) -> int:
    """Unsigned integer of `length` bytes.

    Raises:
      DecodeError: `truncated`, if it reaches over the end.
    """
    if at + length > len(data):
        raise DecodeError("truncated", f"ends at byte {len(data)}, inside its header")
    return int.from_bytes(data[at : at + length], order)


def _bounded(count: int) -> None:
    if count > MAX_PIECES:
        raise DecodeError("corrupt", f"more than {MAX_PIECES} segments")


def jpeg(data: bytes) -> Iterator[Piece]:
    """The segments up to the first scan, which comes last and reaches to the end of the data.

    Raises:
      DecodeError: `truncated`, or `corrupt` where no scan can follow.
    """
    at, count = 2, 0
    while True:
        _bounded(count := count + 1)
        # Junk and fill bytes between segments are skipped, as libjpeg does.
        found = _MARKER.search(data, at)
        if found is None:
            raise DecodeError("truncated", "ends before its first scan")
        marker, at = found[1][0], found.end()
        if marker in _BARE:
            continue
        if marker == EOI:
            raise DecodeError("corrupt", "has no scan")
        length = number(data, at, 2, "big")
        if length < 2:
            raise DecodeError("corrupt", f"segment {marker:02X} of length {length}")
        if at + length > len(data):
            raise DecodeError("truncated", "ends before its first scan")
        end = len(data) if marker == SOS else at + length
        yield Piece(found[1], found.start(), at + 2, end, end)
        if marker == SOS:
            return
        at += length


def png(data: bytes) -> Iterator[Piece]:
    """The chunks, IHDR to IEND.

    Raises:
      DecodeError: `truncated`, or `corrupt` where it does not begin with IHDR.
    """
    at, count, kind = 8, 0, b""
    while kind != b"IEND":
        _bounded(count := count + 1)
        length = number(data, at, 4, "big")
        kind = data[at + 4 : at + 8]
        if len(kind) < 4:
            raise DecodeError("truncated", "ends in the head of a chunk")
        if count == 1 and (kind, length) != (b"IHDR", 13):
            raise DecodeError("corrupt", f"begins with {kind!r} of {length} bytes, not with IHDR")
        if at + length + 12 > len(data):
            raise DecodeError("truncated", f"chunk {kind!r} reaches over the end")
        yield Piece(kind, at, at + 8, at + 8 + length, at + 12 + length)
        at += length + 12


def webp(data: bytes) -> Iterator[Piece]:
    """The chunks of a RIFF container.

    Raises:
      DecodeError: `truncated`.
    """
    stop = number(data, 4, 4, "little") + 8
    if stop > len(data) + stop % 2:  # some writers count the pad byte without writing it
        raise DecodeError("truncated", f"{len(data)} bytes of {stop}")
    at, count = 12, 0
    while at + 8 <= min(stop, len(data)):
        _bounded(count := count + 1)
        length = number(data, at + 4, 4, "little")
        end = at + 8 + length
        if end > len(data):
            raise DecodeError("truncated", f"chunk {data[at : at + 4]!r} reaches over the end")
        yield Piece(data[at : at + 4], at, at + 8, end, end + length % 2)
        at = end + length % 2


class GifFrame(NamedTuple):
    """Where the first frame of a GIF lies."""

    header_end: int  # of the screen descriptor and its palette
    control: bytes  # the graphic control extension that belongs to the frame, or b""
    start: int  # of the image descriptor; the frame's data follow
    width: int  # of the canvas, grown to hold the frame
    height: int


def gif(data: bytes) -> GifFrame:
    """The first frame.

    Raises:
      DecodeError: `truncated`, or `corrupt` where there is no frame.
    """
    flags = number(data, 10, 1, "little")
    at = header_end = _GIF_HEADER + ((2 << (flags & 7)) * 3 if flags & 0x80 else 0)
    control, count = b"", 0
    while (kind := number(data, at, 1, "little")) != 0x2C:  # image descriptor
        _bounded(count := count + 1)
        if kind == 0:  # sloppy writers pad with zeros
            at += 1
            continue
        if kind != 0x21:  # extension
            raise DecodeError("corrupt", f"block {kind:02X} before the first frame")
        start, at = at, at + 2
        while length := number(data, at, 1, "little"):
            _bounded(count := count + 1)
            at += length + 1
        at += 1
        if data[start + 1] == 0xF9:
            control = data[start:at]
    left, top, wide, high = (number(data, at + 1 + 2 * i, 2, "little") for i in range(4))
    canvas = [number(data, 6 + 2 * i, 2, "little") for i in range(2)]
    width, height = max(canvas[0], left + wide), max(canvas[1], top + high)
    return GifFrame(header_end, control, at, width, height)
