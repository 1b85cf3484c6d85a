"""Any bytes in; an upright sRGB picture or a DecodeError out."""

import dataclasses
import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from instruct_imagen_data.images import colour, containers
from instruct_imagen_data.images.containers import Container
from instruct_imagen_data.images.errors import DecodeError
from instruct_imagen_data.images.formats import sniff

_PILLOW_PIXELS = 89_478_485  # Image.MAX_IMAGE_PIXELS as shipped; above it Pillow warns

# Named directly, not by Image.open: it tries other formats on the same bytes, and warns.
_PLUGINS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}

# What Pillow raises on files that are broken inside a sound container: OSError from its decoders
# and C libraries; SyntaxError from its parsers, which wrap their own IndexError, KeyError,
# TypeError and struct.error; ValueError from tiles that do not fit; EOFError where a WebP has no
# frame. A million mutations of the test files of Pillow, PngSuite, image-rs and libvips raised no
# other.
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError)

# How EXIF orientations 2 to 8 are undone (CIPA DC-008, table 6).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_DRAFT_GAP = 1.5  # a JPEG is decoded at 1.5 times the size wanted or more: 45 dB from exact
_REDUCING_GAP = 3.0  # large pictures are box-reduced to 3 times the size wanted before Lanczos
_JPEG_QUALITY = 92


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a picture must be to be read, and how large it may be afterwards; pixels."""

    min_side: int = 64
    max_side: int = 1024  # longer pictures are shrunk, not rejected
    max_pixels: int = (
        64_000_000  # as stored, half as many for WebP; decoding takes 4 to 10 bytes a pixel
    )
    max_aspect: float = 4.0  # longer side over shorter side

    def __post_init__(self) -> None:
        if self.max_pixels > _PILLOW_PIXELS:
            raise ValueError(f"max_pixels {self.max_pixels} is above Pillow's {_PILLOW_PIXELS}")

    def check(self, width: int, height: int) -> None:
        """Raises DecodeError: `too_many_pixels`, `too_small` or `aspect_ratio`."""
        detail = f"{width}x{height}"
        if width * height > self.max_pixels:
            raise DecodeError("too_many_pixels", detail)
        if min(width, height) < self.min_side:
            raise DecodeError("too_small", detail)
        if max(width, height) > self.max_aspect * min(width, height):
            raise DecodeError("aspect_ratio", detail)


DEFAULT = Limits()
STORED = Limits(min_side=1, max_side=1 << 16, max_aspect=float(1 << 16))  # ours: looked at before


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture that can be trained on, and the bytes to store it as."""

    rgb: npt.NDArray[np.uint8]  # [height, width, 3], upright, sRGB, read-only
    encoded: bytes  # upright, sRGB: those that were read, or a JPEG of rgb
    format: str  # of encoded: JPEG, PNG or WEBP
    original_width: int  # pixels, as read and upright
    original_height: int
    reencoded: bool

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def size(data: bytes) -> tuple[int, int]:
    """(width, height) in pixels by the header alone, as stored: before EXIF rotation.

    Raises:
      DecodeError: the header shows that this is no picture.
    """
    return containers.size(sniff(data), data)


def _error(error: Exception) -> DecodeError:
    """The reason of an exception of Pillow's, which tells it in words only."""
    text = f"{type(error).__name__}: {error}"
    if "truncated" in text.lower() or "not enough image data" in text:
        return DecodeError("truncated", text)
    if "unsupported" in text.lower() or "unknown pixel mode" in text:
        return DecodeError("unsupported_format", text)
    return DecodeError("corrupt", text)


def _decode(
    container: Container, stored: tuple[int, int], max_side: int
) -> tuple[Image.Image, bool]:
    """(the picture, whether any reader sees it so), no longer than max_side, not yet upright.

    Its mode is L, RGB, RGBA or CMYK. A palette or single bits are not what every reader expands.

    Raises:
      DecodeError: `truncated`, `corrupt` or `unsupported_format`.
    """
    longest, box = max(stored), None
    wide, high = (max(1, (side * max_side + longest // 2) // longest) for side in stored)
    try:
        image: Image.Image = _PLUGINS[container.format](io.BytesIO(container.slim))
        if image.size != stored:
            raise ValueError(f"header says {stored}, decoder {image.size}")
        if longest > max_side:
            drafted = image.draft(None, (int(wide * _DRAFT_GAP), int(high * _DRAFT_GAP)))
            box = drafted[1] if drafted else None  # None: not a JPEG
        image.load()
    except _PILLOW_ERRORS as error:
        raise _error(error) from error
    inverted = container.format == "JPEG" and not container.adobe
    coded = image.mode
    image = colour.plain(image, container.bits, inverted=inverted)
    common = coded == image.mode and coded in ("L", "RGB")
    if longest > max_side:
        lanczos = Image.Resampling.LANCZOS
        image = image.resize((wide, high), lanczos, box, reducing_gap=_REDUCING_GAP)
    return image, common


def read(data: bytes, limits: Limits = DEFAULT) -> Picture:
    """The picture in a file's bytes: upright, sRGB, longest side at most limits.max_side.

    A JPEG, PNG or WebP that is all this already keeps its bytes; others are stored as JPEG. Memory
    and time are bounded by limits.max_pixels, whatever the bytes.

    Raises:
      DecodeError: with one of REASONS.
    """
    kind = sniff(data)
    stored = containers.size(kind, data)
    limits.check(*stored)
    container = containers.reduce(kind, data, limits.max_pixels)
    image, common = _decode(container, stored, limits.max_side)
    kept = (
        max(stored) <= limits.max_side
        and common
        and containers.keeps(container, data)
        and colour.is_srgb(image, container.icc)
    )
    image = colour.srgb(image, container.icc)
    if container.orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[container.orientation])
    rgb = np.asarray(image)
    return Picture(
        rgb,
        data if kept else encode_jpeg(rgb),
        kind if kept else "JPEG",
        *(stored if container.orientation < 5 else stored[::-1]),
        reencoded=not kept,
    )


def reread(data: bytes, shorter: int = 1 << 16) -> Image.Image:
    """A picture that `read` has let through, as RGB: upright and sRGB as it was stored.

    It takes a fifth less time, as its container is not looked through: of other bytes, a rotation
    or a colour profile goes unnoticed.

    Args:
      shorter: What is wanted of its shorter side, in pixels. A JPEG that has at least three times
        as many is decoded at a half, a quarter or an eighth of its size.

    Raises:
      DecodeError: with one of REASONS.
    """
    kind = sniff(data)
    try:
        image: Image.Image = _PLUGINS[kind](io.BytesIO(data))
    except _PILLOW_ERRORS as error:
        raise _error(error) from error
    STORED.check(*image.size)
    wanted = int(shorter * _DRAFT_GAP)
    try:
        image.draft(None, (wanted, wanted))
        image.load()
    except _PILLOW_ERRORS as error:
        raise _error(error) from error
    image = colour.plain(image)
    return image if image.mode == "RGB" else colour.srgb(image, b"")


def shrink(rgb: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """A picture uint8 [h, w, 3] with its shorter side `side`; a smaller one as it is.

    Nothing is cropped: what a training crop shows is drawn when it is loaded.
    """
    height, width = rgb.shape[:2]
    shorter = min(height, width)
    if shorter <= side:
        return rgb
    size = (round(width * side / shorter), round(height * side / shorter))
    lanczos = Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(rgb).resize(size, lanczos, reducing_gap=_REDUCING_GAP))


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int = _JPEG_QUALITY) -> bytes:
    """JPEG of uint8 [height, width, 3] or [height, width], without chroma subsampling."""
    sink = io.BytesIO()
    Image.fromarray(rgb).save(sink, "JPEG", quality=quality, subsampling=0)
    return sink.getvalue()


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """PNG of uint8 [height, width, 3] or [height, width]: exact, for maps and masks."""
    sink = io.BytesIO()
    # zlib's usual 6 takes two to four times as long, and saves a fifth of a depth map's bytes.
    Image.fromarray(pixels).save(sink, "PNG", compress_level=1)
    return sink.getvalue()
