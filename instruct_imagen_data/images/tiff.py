"""TIFF directories: the first page of a TIFF file, and the orientation in an EXIF block.

Source: TIFF 6.0 (Adobe, 1992). A TIFF is handed on with a new directory that holds only the tags a
decoder needs, each checked: overlapping values, a million strips and further pages stay behind.
"""

import dataclasses
import math
import struct

from instruct_imagen_data.images.errors import DecodeError
from instruct_imagen_data.images.walk import MAX_PIECES

_ORDERS = {b"II": "<", b"MM": ">"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I"}

_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_STRIPS, _STRIP_BYTES, _SAMPLES, _ORIENTATION = 273, 279, 277, 274
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_ICC = 34675

# Tags a decoder needs, and the most values each may have.
_KEPT = {
    **dict.fromkeys((_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT), 1),
    **dict.fromkeys((262, 266, 278, 284, 317), 1),  # photometric .. predictor
    **dict.fromkeys((_BITS, 338, 339), 8),  # one a sample: bits, extra samples, sample format
    **dict.fromkeys((_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES), MAX_PIECES),
    320: 3 << 16,  # palette
    347: 1 << 16,  # JPEG tables
    529: 3,  # YCbCr coefficients
    530: 2,  # YCbCr subsampling
    532: 6,  # reference black and white
}
# None, LZW, JPEG, Deflate, PackBits. Left out: fax codes (2 to 4), whose decoder goes on after any
# error and prints a line for each; old-style JPEG (6), the weakest part of libtiff; and what not
# every build of it has (WebP, Zstandard, LZMA).
_COMPRESSIONS = frozenset({1, 5, 7, 8, 32773, 32946})
_MAX_DECODED = 1 << 28  # bytes of a decoded page; a file may put them all into one strip
_MAX_TILE = 1 << 24  # pixels of a tile, which is decoded whole however small the picture


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    kind: int
    count: int
    value: bytes  # four bytes: the values themselves, or where they are


class _Directory:
    """The first directory of a TIFF structure; a tag's first entry counts."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = _ORDERS.get(data[:2], "")
        if not self.order or len(data) < 8:
            raise DecodeError("truncated" if self.order else "corrupt", "no TIFF header")
        (start,) = struct.unpack_from(f"{self.order}I", data, 4)
        if start + 2 > len(data):
            raise DecodeError("truncated", "its directory lies over the end")
        (count,) = struct.unpack_from(f"{self.order}H", data, start)
        rows = data[start + 2 : start + 2 + 12 * count]
        if len(rows) < 12 * count:
            raise DecodeError("truncated", "its directory reaches over the end")
        self.entries: dict[int, _Entry] = {}
        for row in struct.iter_unpack(f"{self.order}HHI4s", rows):
            self.entries.setdefault(row[0], _Entry(*row))

    def size(self, tag: int) -> int:
        """Bytes of a tag's values.

        Raises:
          DecodeError: `truncated`, if they reach over the end.
        """
        entry = self.entries[tag]
        size = _SIZES.get(entry.kind, 0) * entry.count
        if size > 4 and self.place(tag) + size > len(self.data):
            raise DecodeError("truncated", f"tag {tag} reaches over the end")
        return size

    def place(self, tag: int) -> int:
        """Where a tag's values are, if they take more than four bytes."""
        (at,) = struct.unpack(f"{self.order}I", self.entries[tag].value)
        return int(at)

    def raw(self, tag: int) -> bytes:
        """The bytes of a tag's values, b"" where there is no such tag."""
        if tag not in self.entries:
            return b""
        size, at = self.size(tag), self.place(tag)
        return self.data[at : at + size] if size > 4 else self.entries[tag].value[:size]

    def integers(self, tag: int) -> tuple[int, ...]:
        """A tag's unsigned integers, () where there is no such tag."""
        entry = self.entries.get(tag)
        if entry is None:
            return ()
        if entry.kind not in _INTEGERS or entry.count > _KEPT.get(tag, 1):
            raise DecodeError("corrupt", f"tag {tag}: type {entry.kind}, {entry.count} values")
        raw = self.raw(tag)
        return struct.unpack(f"{self.order}{entry.count}{_INTEGERS[entry.kind]}", raw)

    def integer(self, tag: int, default: int = 0) -> int:
        """A tag's first value, an unsigned integer."""
        return (*self.integers(tag), default)[0]


def _turn(page: _Directory) -> int:
    """EXIF orientation, 1 to 8; 1 where the directory says nothing of use."""
    found = page.integer(_ORIENTATION, 1)
    return found if 1 <= found <= 8 else 1


def exif(block: bytes) -> tuple[int, bool]:
    """(orientation 1 to 8, whether the block is harmless to others who read it).

    Values that reach over the end make Pillow warn; overlapping ones make it hold them many times.
    A block that is broken says orientation 1, as in browsers; an empty one is harmless.
    """
    if not block:
        return 1, True
    try:
        page = _Directory(block.removeprefix(b"Exif\0\0"))
        turn = _turn(page)
    except DecodeError:
        return 1, False
    try:
        held = sum(map(page.size, page.entries))
    except DecodeError:
        return turn, False
    return turn, held <= len(block)


def size(data: bytes) -> tuple[int, int]:
    """(width, height) as stored, of the first page."""
    page = _Directory(data)
    return page.integer(_WIDTH), page.integer(_HEIGHT)


def _check(page: _Directory) -> None:
    """Refuses what a decoder would choke on: see the limits above.

    Raises:
      DecodeError: `unsupported_format`, `too_many_pixels`, `truncated` or `corrupt`.
    """
    compression = page.integer(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        raise DecodeError("unsupported_format", f"TIFF compression {compression}")
    bits = page.integers(_BITS) or (1,)
    if not set(bits) <= {1, 2, 4, 8, 16}:
        raise DecodeError("unsupported_format", f"TIFF of {bits} bits a sample")
    samples = max(len(bits), page.integer(_SAMPLES, 1))
    decoded = math.prod(size(page.data)) * samples * max(bits) // 8
    if decoded > _MAX_DECODED:
        raise DecodeError("too_many_pixels", f"{decoded} bytes decoded")
    if page.integer(_TILE_WIDTH) * page.integer(_TILE_HEIGHT) > _MAX_TILE:
        raise DecodeError("corrupt", "tiles larger than 16 million pixels")
    for places, lengths in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
        starts, counts = page.integers(places), page.integers(lengths)
        ends = map(sum, zip(starts, counts, strict=False))
        if max((*starts, *ends), default=0) > len(page.data):
            raise DecodeError("truncated", "pixels lie over the end")
        if sum(counts) > 2 * len(page.data):  # each strip would be read in full, again and again
            raise DecodeError("corrupt", "strips overlap")


def first_page(data: bytes) -> tuple[bytes, int, bytes]:
    """(file of the first page alone, its EXIF orientation, its ICC profile or b"").

    The new directory stands at the end, so that every offset stays what it was; it has no
    orientation, which is left to the caller.

    Raises:
      DecodeError: `unsupported_format`, `too_many_pixels`, `truncated` or `corrupt`.
    """
    page = _Directory(data)
    _check(page)
    rows = []
    for tag in sorted(_KEPT.keys() & page.entries.keys()):
        entry = page.entries[tag]
        if not 1 <= entry.count <= _KEPT[tag] or entry.kind not in _SIZES:
            raise DecodeError("corrupt", f"tag {tag}: type {entry.kind}, {entry.count} values")
        page.size(tag)  # raises where the values reach over the end
        rows.append(struct.pack(f"{page.order}HHI4s", *dataclasses.astuple(entry)))
    body = data + b"\0" * (len(data) % 2)
    start = struct.pack(f"{page.order}I", len(body))
    count = struct.pack(f"{page.order}H", len(rows))
    slim = b"".join((data[:4], start, body[8:], count, *rows, bytes(4)))
    return slim, _turn(page), page.raw(_ICC)
