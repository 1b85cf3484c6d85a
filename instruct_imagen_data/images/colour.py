"""Whatever a decoder returns, as 8-bit sRGB on white."""

import functools
import io

import numpy as np
from PIL import Image, ImageChops, ImageCms

from instruct_imagen_data.images.errors import DecodeError

_SRGB = ImageCms.createProfile("sRGB")
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # ICC colour space -> Pillow mode
_SAME = 3  # levels of 255: the many profiles named sRGB differ from one another by up to 2
# What little-cms makes of broken profiles.
_CMS_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def _key_colour(image: Image.Image, bits: int) -> None:
    """Scales a PNG's transparent colour to the samples that Pillow decodes, which are 8-bit."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> (bits - 8) for value in key)
    elif image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * 255 // ((1 << bits) - 1)


def _high_bytes(image: Image.Image) -> Image.Image:
    """A 16-bit grey picture in 8 bits; Pillow's own conversion clips at 255."""
    grey = np.asarray(image)
    high = (grey >> 8).astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        high[grey == key] = 255  # transparent: white
    return Image.fromarray(high)


def plain(image: Image.Image, bits: int = 8, *, inverted: bool = False) -> Image.Image:
    """A decoded picture in mode L, RGB, RGBA or CMYK, 8 bits a sample.

    Args:
      image: In any mode.
      bits: A sample, in the file.
      inverted: The samples of a CMYK picture must be turned round.

    Raises:
      DecodeError: `unsupported_format`: signed, 32-bit, float or Lab samples have no one rendering;
        `corrupt`: indices into no palette.
    """
    if image.mode in ("P", "PA") and image.palette is None:
        raise DecodeError("corrupt", "has no palette")
    if image.mode in ("I;16", "I;16B", "I;16L"):
        return _high_bytes(image)
    if image.mode == "CMYK":
        return ImageChops.invert(image) if inverted else image
    if image.mode in ("1", "L", "P", "RGB", "LA", "PA", "RGBA", "RGBX"):
        _key_colour(image, bits)
        if image.has_transparency_data:
            return image if image.mode == "RGBA" else image.convert("RGBA")
        mode = "L" if image.mode in ("1", "L") else "RGB"
        return image if image.mode == mode else image.convert(mode)
    raise DecodeError("unsupported_format", f"samples of mode {image.mode}")


@functools.lru_cache(maxsize=16)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From pixels of `mode` (RGB, L or CMYK) to sRGB; None where nothing is to be done.

    That is: the profile is broken, of another colour space, or sRGB by effect whatever its name.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if _SPACES.get(profile.profile.xcolor_space) != mode:
            return None
        transform = ImageCms.buildTransform(profile, _SRGB, mode, "RGB")
    except _CMS_ERRORS:
        return None
    if mode == "CMYK":
        return transform
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    probe = Image.fromarray(cube if mode == "RGB" else cube[..., 0])
    shown = np.asarray(transform.apply(probe), np.int16)
    return None if abs(shown - np.asarray(probe.convert("RGB"))).max() <= _SAME else transform


def _to_srgb(
    image: Image.Image, icc: bytes
) -> tuple[Image.Image, ImageCms.ImageCmsTransform | None]:
    """(the picture in the mode its profile speaks of, transform or None), for one without alpha."""
    transform = _transform(icc, image.mode) if icc else None
    if transform is None and icc and image.mode == "L":  # grey samples with a profile for RGB
        transform = _transform(icc, "RGB")
        image = image.convert("RGB") if transform else image
    return image, transform


def is_srgb(image: Image.Image, icc: bytes) -> bool:
    """Whether the samples of a picture of mode L or RGB mean sRGB as they are."""
    return _to_srgb(image, icc)[1] is None


def srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """A picture of mode L, RGB, RGBA or CMYK as RGB: profile applied, alpha laid on white."""
    alpha = None
    if image.mode == "RGBA":
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    image, transform = _to_srgb(image, icc)
    if transform is not None:
        image = transform.apply(image)
    elif image.mode != "RGB":
        image = image.convert("RGB")
    if alpha is not None:
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    return image
