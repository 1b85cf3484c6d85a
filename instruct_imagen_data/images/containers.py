"""Reduces a file to what its first picture needs; Pillow never sees the rest.

Comments, EXIF, XMP, text chunks, further frames and pages are what hostile files hide in, and
what Pillow warns about. They are dropped here. What matters of them, orientation and ICC profile,
is read out with bounds.
"""

import dataclasses
import math
import zlib
from collections.abc import Callable

from instruct_imagen_data.images import tiff, walk
from instruct_imagen_data.images.errors import DecodeError

# JPEG segments that a decoder needs, and what they must begin with to be what they seem.
_JPEG_KEPT = {
    **dict.fromkeys((*walk.SOF, walk.DHT, walk.DQT, walk.DRI, walk.SOS), (b"",)),
    walk.APP0: (b"JFIF\0",),
    walk.APP14: (b"Adobe",),
}
_MAX_SCANS = 20  # of the most pixels allowed (progressive CMYK has 18); of fewer pixels, more
_MAX_ICC = 1 << 22  # bytes; profiles of printing presses have 0.5 to 2 MB
_MAX_RUN_LENGTH = 1 << 20  # pixels; Pillow decodes this coding of BMP in Python, byte by byte
_MAX_DROPPED = 1 << 20  # bytes; a file with more beside its picture is not stored as it is


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """The first picture of a file, with what is needed to show it."""

    format: str
    slim: bytes  # a file of the same format that holds this picture and nothing else
    orientation: int = 1  # EXIF: 1 to 8
    icc: bytes = b""
    bits: int = 8  # a sample
    adobe: bool = False  # JPEG: has Adobe's marker, so CMYK is stored inverted
    sound: bool = True  # the rest of the file has no other frames, and nothing others choke on


def size(kind: str, data: bytes) -> tuple[int, int]:
    """(width, height) in pixels, as stored: before EXIF rotation.

    Raises:
      DecodeError: `truncated` or `corrupt`.
    """
    width, height = _SIZES[kind](data)
    if not width or not height:
        raise DecodeError("corrupt", f"{width}x{height} pixels")
    return width, height


def reduce(kind: str, data: bytes, max_pixels: int) -> Container:
    """The picture of a file whose `size` is within max_pixels.

    Raises:
      DecodeError: `truncated`, `corrupt`, `unsupported_format` or `too_many_pixels`.
    """
    return _REDUCERS[kind](data, max_pixels)


def keeps(container: Container, data: bytes) -> bool:
    """Whether the file may be stored as it is: one upright picture of 8 bits a sample, no traps."""
    return (
        container.format in ("JPEG", "PNG", "WEBP")
        and container.sound
        and container.orientation == 1
        and container.bits <= 8
        and len(data) - len(container.slim) <= _MAX_DROPPED
    )


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for piece in walk.jpeg(data):
        if piece.kind[0] in walk.SOF:
            at = piece.payload
            return walk.number(data, at + 3, 2, "big"), walk.number(data, at + 1, 2, "big")
    raise DecodeError("corrupt", "has a scan but no frame")


def _check_frame(data: bytes, frame: walk.Piece, scan: walk.Piece, max_pixels: int) -> None:
    """Refuses JPEGs of other processes than baseline, extended and progressive Huffman coding.

    Raises:
      DecodeError: `unsupported_format`, or `too_many_pixels` over all scans.
    """
    bits, layers = data[frame.payload], data[frame.payload + 5]
    if frame.kind[0] > 0xC2 or bits != 8 or layers not in (1, 3, 4):
        detail = f"JPEG of type {frame.kind.hex()}, {bits} bits, {layers} layers"
        raise DecodeError("unsupported_format", detail)
    if frame.kind[0] < 0xC2 and data[scan.payload : scan.payload + 1] == bytes([layers]):
        return  # one scan holds everything
    # Each scan passes over all pixels, and an empty one costs the sender a few bytes. Entropy-coded
    # bytes hold no marker, so this counts scans (or more: then it errs on the strict side).
    scans = data.count(b"\xff\xda", scan.start)
    height, width = (walk.number(data, frame.payload + 1 + 2 * i, 2, "big") for i in range(2))
    if scans > 1000 or scans * width * height > _MAX_SCANS * max_pixels:
        raise DecodeError("too_many_pixels", f"{width}x{height} in {scans} scans")


def _jpeg(data: bytes, max_pixels: int) -> Container:
    kept, frames, profile, exif, mpf, adobe = [data[:2]], [], [], b"", False, False
    for piece in walk.jpeg(data):
        kind, body = piece.kind[0], data[piece.payload : piece.payload + 12]
        if body.startswith(_JPEG_KEPT.get(kind, ())):
            kept.append(data[piece.start : piece.end])
        if kind in walk.SOF:
            frames.append(piece)
        elif kind == walk.APP1 and body.startswith(b"Exif\0\0"):
            exif = exif or data[piece.payload : piece.end]
        elif kind == walk.APP2 and body.startswith(b"ICC_PROFILE\0"):
            profile.append(data[piece.payload + 12 : piece.end])
        mpf = mpf or (kind == walk.APP2 and body.startswith(b"MPF\0"))  # further pictures follow
        adobe = adobe or (kind == walk.APP14 and body.startswith(b"Adobe"))
    if len(frames) != 1 or frames[0].end - frames[0].payload < 6:
        raise DecodeError("corrupt", f"{len(frames)} frame headers")  # Pillow would use the last
    _check_frame(data, frames[0], piece, max_pixels)
    turn, harmless = tiff.exif(exif)
    sound = harmless and not mpf
    return Container("JPEG", b"".join(kept), turn, _joined(profile), adobe=adobe, sound=sound)


def _joined(chunks: list[bytes]) -> bytes:
    """An ICC profile from JPEG segments (number, count, part), b"" where parts are missing."""
    if not 1 <= len(chunks) <= 255:
        return b""
    chunks = sorted(chunks)
    whole = [bytes((i + 1, len(chunks))) for i in range(len(chunks))]
    if [chunk[:2] for chunk in chunks] != whole:
        return b""
    return b"".join(chunk[2:] for chunk in chunks)[:_MAX_ICC]


def _png_size(data: bytes) -> tuple[int, int]:
    next(walk.png(data))
    return walk.number(data, 16, 4, "big"), walk.number(data, 20, 4, "big")


def _inflated(chunk: bytes) -> bytes:
    """The ICC profile of an iCCP chunk (name, method, zlib stream), b"" if broken or too large."""
    _, _, stream = chunk.partition(b"\0")
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(stream[1:], _MAX_ICC)
    except zlib.error:
        return b""
    return profile if inflater.eof else b""


def _png(data: bytes, _: int) -> Container:
    kept, icc, exif, sound = [data[:8]], b"", b"", True
    headers = 0
    for piece in walk.png(data):
        if piece.kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            stated = walk.number(data, piece.end, 4, "big")
            if zlib.crc32(data[piece.payload - 4 : piece.end]) != stated:
                raise DecodeError("corrupt", f"checksum of {piece.kind!r}")
            headers += piece.kind == b"IHDR"
            kept.append(data[piece.start : piece.next])
        elif piece.kind == b"iCCP":
            icc = _inflated(data[piece.payload : piece.end])
            sound = sound and bool(icc)
        elif piece.kind == b"eXIf":
            exif = data[piece.payload : piece.end]
        elif piece.kind in (b"acTL", b"zTXt", b"iTXt"):  # further frames; text that may be a bomb
            sound = False
    if headers != 1:
        raise DecodeError("corrupt", f"{headers} headers")
    turn, harmless = tiff.exif(exif)
    return Container("PNG", b"".join(kept), turn, icc, data[24], sound=sound and harmless)


def _webp_size(data: bytes) -> tuple[int, int]:
    piece = next(walk.webp(data), None)
    if piece is None:
        raise DecodeError("corrupt", "no chunks")
    at = piece.payload
    if piece.kind == b"VP8X":
        width, height = (walk.number(data, at + i, 3, "little") + 1 for i in (4, 7))
        return width, height
    if piece.kind == b"VP8L":
        packed = walk.number(data, at + 1, 4, "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if piece.kind == b"VP8 ":
        width, height = (walk.number(data, at + i, 2, "little") & 0x3FFF for i in (6, 8))
        return width, height
    raise DecodeError("corrupt", f"begins with chunk {piece.kind!r}")


def _webp(data: bytes, max_pixels: int) -> Container:
    width, height = _webp_size(data)
    if 2 * width * height > max_pixels:  # decoded, it is held four times
        raise DecodeError("too_many_pixels", f"WebP of {width}x{height}")
    chunks: dict[bytes, bytes] = {}
    for piece in walk.webp(data):
        if piece.kind in (b"ICCP", b"EXIF", b"ANIM"):
            chunks.setdefault(piece.kind, data[piece.payload : piece.end])
    turn, harmless = tiff.exif(chunks.get(b"EXIF", b""))
    icc = chunks.get(b"ICCP", b"")[:_MAX_ICC]
    # The file itself: libwebp passes over metadata unread.
    return Container("WEBP", data, turn, icc, sound=harmless and b"ANIM" not in chunks)


def _gif_size(data: bytes) -> tuple[int, int]:
    frame = walk.gif(data)
    return frame.width, frame.height


def _gif(data: bytes, _: int) -> Container:
    frame = walk.gif(data)
    return Container("GIF", data[: frame.header_end] + frame.control + data[frame.start :])


def _bmp_size(data: bytes) -> tuple[int, int]:
    header = walk.number(data, 14, 4, "little")
    if header == 12:  # OS/2
        return walk.number(data, 18, 2, "little"), walk.number(data, 20, 2, "little")
    if header not in (40, 52, 56, 64, 108, 124):
        raise DecodeError("corrupt", f"BMP header of {header} bytes")
    width, height = walk.number(data, 18, 4, "little"), walk.number(data, 22, 4, "little")
    return width, min(height, (1 << 32) - height)  # negative: rows run downwards


def _bmp(data: bytes, _: int) -> Container:
    coding = 0 if data[14] == 12 else walk.number(data, 30, 4, "little")
    # Not read: 4-bit runs, which Pillow 12 decodes wrongly, and an embedded JPEG or PNG.
    if coding not in (0, 1, 3) or (coding == 1 and math.prod(_bmp_size(data)) > _MAX_RUN_LENGTH):
        raise DecodeError("unsupported_format", f"BMP compression {coding}")
    return Container("BMP", data)


def _tiff(data: bytes, _: int) -> Container:
    slim, turn, icc = tiff.first_page(data)
    return Container("TIFF", slim, turn, icc[:_MAX_ICC])


_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "JPEG": _jpeg_size,
    "PNG": _png_size,
    "WEBP": _webp_size,
    "GIF": _gif_size,
    "BMP": _bmp_size,
    "TIFF": tiff.size,
}
_REDUCERS: dict[str, Callable[[bytes, int], Container]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "BMP": _bmp,
    "TIFF": _tiff,
}
