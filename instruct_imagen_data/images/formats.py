"""Which picture format bytes claim to be, by their first bytes alone.

Read here: what browsers show and what the web's pictures are in (JPEG, PNG, WebP, GIF), and BMP and
TIFF, which old sites serve. Their containers are simple enough to be walked and bounded before a
decoder sees them. Not read: formats whose decoders start programs (EPS), lay out documents (PDF,
SVG), decompress in Python (FLI, BLP, MSP), allocate before they tell a size (JPEG 2000, ICO), or
start threads of their own (AVIF); and raw scientific or texture formats.
"""

from instruct_imagen_data.images.errors import DecodeError

_READ: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("JPEG", (b"\xff\xd8\xff",)),
    ("PNG", (b"\x89PNG\r\n\x1a\n",)),
    ("GIF", (b"GIF87a", b"GIF89a")),
    ("BMP", (b"BM",)),
    ("TIFF", (b"II*\0", b"MM\0*")),
)
_REFUSED: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("JPEG 2000", (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    ("JPEG XL", (b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a")),
    ("BigTIFF", (b"II+\0", b"MM\0+")),
    ("PSD", (b"8BPS",)),
    ("XCF", (b"gimp xcf",)),
    ("ICO", (b"\0\0\1\0", b"\0\0\2\0")),
    ("ICNS", (b"icns",)),
    ("EPS", (b"%!PS", b"\xc5\xd0\xd3\xc6")),
    ("PDF", (b"%PDF",)),
    ("WMF", (b"\xd7\xcd\xc6\x9a",)),
    ("FITS", (b"SIMPLE  =",)),
    ("OpenEXR", (b"\x76\x2f\x31\x01",)),
    ("Radiance", (b"#?RADIANCE", b"#?RGBE")),
    ("DDS", (b"DDS ",)),
    ("BLP", (b"BLP1", b"BLP2")),
    ("QOI", (b"qoif",)),
    ("SGI", (b"\x01\xda",)),
    ("Sun raster", (b"\x59\xa6\x6a\x95",)),
    ("XPM", (b"/* XPM */",)),
    ("MNG", (b"\x8aMNG\r\n\x1a\n",)),
    ("PNM", tuple(b"P%d%c" % (n, space) for n in range(1, 8) for space in b" \t\r\n")),
)
_HEIF_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def _is_svg(data: bytes) -> bool:
    head = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    prologue = (b"<?xml", b"<!--", b"<!doctype svg")
    return head.startswith(b"<svg") or (head.startswith(prologue) and b"<svg" in head)


def sniff(data: bytes) -> str:
    """The format: JPEG, PNG, WEBP, GIF, BMP or TIFF.

    Raises:
      DecodeError: `empty_image`, `unsupported_format` or `not_an_image`.
    """
    if not data:
        raise DecodeError("empty_image", "0 bytes")
    for name, magics in _READ:
        if data.startswith(magics):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for name, magics in _REFUSED:
        if data.startswith(magics):
            raise DecodeError("unsupported_format", name)
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        raise DecodeError("unsupported_format", "AVIF or HEIF")
    if _is_svg(data):
        raise DecodeError("unsupported_format", "SVG")
    raise DecodeError("not_an_image", f"starts with {data[:12]!r}")
