"""Every kind of file comes out as the same upright sRGB picture."""

import io
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageChops, ImageCms

from instruct_imagen_data import images

Pixels = npt.NDArray[np.uint8]
Save = Callable[..., bytes]


def apart(a: Pixels, b: npt.NDArray[Any]) -> int:
    """The largest difference of two pictures, in levels."""
    assert a.shape == b.shape
    return int(abs(a.astype(int) - b).max())


def mean_apart(a: Pixels, b: npt.NDArray[Any]) -> float:
    """The mean difference of two pictures, in levels."""
    assert a.shape == b.shape
    return float(abs(a.astype(int) - b).mean())


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 90}),
    ],
)
def test_a_good_file_keeps_its_bytes(
    scene: Pixels, save: Save, kind: str, options: dict[str, Any]
) -> None:
    data = save(scene, kind, **options)
    picture = images.read(data)
    assert (picture.encoded, picture.format, picture.reencoded) == (data, kind, False)
    assert (picture.width, picture.height) == (128, 96) == images.size(data)
    with Image.open(io.BytesIO(data)) as image:
        assert apart(picture.rgb, np.asarray(image.convert("RGB"))) == 0
    assert mean_apart(picture.rgb, scene) < 4


def test_a_grey_jpeg_keeps_its_bytes(scene: Pixels, save: Save) -> None:
    data = save(scene[..., 0], "JPEG")
    picture = images.read(data)
    assert (picture.encoded, picture.rgb.shape) == (data, (96, 128, 3))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("GIF", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_other_formats_are_stored_as_jpeg(
    scene: Pixels, save: Save, kind: str, options: dict[str, Any]
) -> None:
    palette = Image.fromarray(scene).quantize(64)
    expected = np.asarray(palette.convert("RGB"))
    picture = images.read(save(palette, kind, **options))
    assert apart(picture.rgb, expected) == 0
    assert (picture.format, picture.reencoded) == ("JPEG", True)
    again = images.read(picture.encoded)
    assert again.encoded is picture.encoded  # the stored form is a fixed point
    assert mean_apart(again.rgb, expected) < 3


def test_deterministic(scene: Pixels, save: Save) -> None:
    data = save(scene, "BMP")
    assert images.read(data).encoded == images.read(data).encoded


def test_sixteen_bit_grey_is_scaled_not_clipped(png: Save) -> None:
    grey = np.linspace(0, 65535, 96 * 128).astype(np.uint16).reshape(96, 128)
    expected = np.repeat((grey >> 8)[..., None], 3, axis=2)
    assert apart(images.read(png(grey, 0, 16)).rgb, expected) == 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_grey_tiff(save: Save, order: str) -> None:
    grey = np.linspace(0, 65535, 96 * 128).astype(f"{order}u2").reshape(96, 128)
    entries = [(256, 3, 1, 128), (257, 3, 1, 96), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 96), (279, 4, 1, grey.nbytes)]
    rows = b"".join(
        struct.pack(f"{order}HHI", *entry[:3])
        + (struct.pack(f"{order}HH", entry[3], 0) if entry[1] == 3 else b"")
        + (struct.pack(f"{order}I", entry[3]) if entry[1] == 4 else b"")
        for entry in entries
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + grey.nbytes)
    file = head + grey.tobytes() + struct.pack(f"{order}H", len(entries)) + rows + bytes(4)
    expected = np.repeat((grey.astype(int) >> 8)[..., None], 3, axis=2)
    assert apart(images.read(file).rgb, expected) == 0


def test_sixteen_bit_colour_with_a_transparent_one(scene: Pixels, png: Save, chunk: Save) -> None:
    deep = scene.astype(np.uint16) * 257
    deep[8:40, 12:50] = 0x1234, 0x5678, 0x9ABC
    key = chunk(b"tRNS", struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC))
    expected = (deep >> 8).astype(int)
    assert apart(images.read(png(deep, 2, 16)).rgb, expected) == 0
    expected[8:40, 12:50] = 255
    assert apart(images.read(png(deep, 2, 16, key)).rgb, expected) == 0


def test_few_bits_of_grey_with_a_transparent_level(png: Save, chunk: Save) -> None:
    levels = np.add.outer(np.arange(96) // 8, np.arange(128) // 8) % 16
    packed = (levels[:, ::2] << 4 | levels[:, 1::2]).astype(np.uint8)
    file = png(packed, 0, 4, chunk(b"tRNS", struct.pack(">H", 3)))
    file = file.replace(struct.pack(">II", 64, 96), struct.pack(">II", 128, 96), 1)
    header = struct.pack(">IIBBBBB", 128, 96, 4, 0, 0, 0, 0)
    file = file[:8] + chunk(b"IHDR", header) + file[33:]
    expected = np.where(levels == 3, 255, levels * 17)
    assert apart(images.read(file).rgb, np.repeat(expected[..., None], 3, axis=2)) == 0


def test_one_bit(scene: Pixels, save: Save) -> None:
    bits = scene[..., 0] > 90
    expected = np.repeat(bits[..., None] * 255, 3, axis=2)
    for kind in ("PNG", "TIFF", "BMP"):
        assert apart(images.read(save(Image.fromarray(bits), kind)).rgb, expected) == 0


def test_palette_with_transparency(scene: Pixels, png: Save, chunk: Save) -> None:
    index = (scene[..., 0] // 64).astype(np.uint8)
    colours = np.array([[250, 10, 20], [0, 200, 30], [40, 50, 255], [9, 9, 9]])
    alpha = np.array([0, 128, 255, 255])
    chunks = chunk(b"PLTE", colours.astype(np.uint8).tobytes()), chunk(b"tRNS", bytes([0, 128]))
    shown = (colours * alpha[:, None] + 255 * (255 - alpha[:, None])) / 255
    picture = images.read(png(index, 3, 8, *chunks))
    assert apart(picture.rgb, shown[index].round().astype(int)) <= 1
    assert picture.reencoded


def test_an_opaque_palette_is_stored_without_it(scene: Pixels, save: Save) -> None:
    palette = Image.fromarray(scene).quantize(32)
    data = save(palette, "PNG")
    picture = images.read(data)
    assert (picture.format, picture.reencoded) == ("JPEG", True)
    assert apart(picture.rgb, np.asarray(palette.convert("RGB"))) == 0


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_lies_on_white(scene: Pixels, save: Save, kind: str) -> None:
    alpha = np.linspace(0, 255, 128).astype(np.uint8)[None, :, None].repeat(96, axis=0)
    shown = (scene.astype(float) * alpha + 255.0 * (255 - alpha)) / 255
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    file = save(np.concatenate([scene, alpha], axis=2), kind, **options)
    picture = images.read(file)
    assert apart(picture.rgb, shown.round()) <= 1
    assert picture.reencoded


def test_grey_with_alpha(scene: Pixels, save: Save) -> None:
    grey, alpha = scene[..., 0].astype(int), scene[..., 1].astype(int)
    shown = (grey * alpha + 255 * (255 - alpha)) / 255
    picture = images.read(save(scene[..., :2], "PNG"))
    assert apart(picture.rgb, np.repeat(shown.round()[..., None], 3, axis=2)) <= 1


def test_cmyk_with_and_without_the_marker_that_inverts_it(scene: Pixels, save: Save) -> None:
    ink = Image.fromarray(scene).convert("CMYK")
    assert mean_apart(images.read(save(ink, "TIFF")).rgb, scene) < 2
    adobe = save(ink, "JPEG", quality=95)
    assert mean_apart(images.read(adobe).rgb, scene) < 4
    # Pillow inverts what it writes, and says so by Adobe's marker (APP14, 16 bytes with its head).
    plain = save(ImageChops.invert(ink), "JPEG", quality=95)
    marker = plain.index(b"\xff\xee")
    assert plain[marker + 4 : marker + 9] == b"Adobe"
    assert mean_apart(images.read(plain[:marker] + plain[marker + 16 :]).rgb, scene) < 4


TURNS: dict[int, Callable[[Pixels], Pixels]] = {  # what a camera stored, given how it was held
    1: lambda up: up,
    2: lambda up: up[:, ::-1],
    3: lambda up: up[::-1, ::-1],
    4: lambda up: up[::-1],
    5: lambda up: up.transpose(1, 0, 2),
    6: lambda up: np.rot90(up, 1),
    7: lambda up: up[::-1, ::-1].transpose(1, 0, 2),
    8: lambda up: np.rot90(up, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientations_come_out_equal(
    scene: Pixels, save: Save, exif: Callable[[int], bytes], kind: str, orientation: int
) -> None:
    stored = np.ascontiguousarray(TURNS[orientation](scene))
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    if kind == "TIFF":
        file = save(stored, kind, tiffinfo={274: orientation})
    else:
        file = save(stored, kind, exif=b"Exif\0\0" + exif(orientation), **options)
    picture = images.read(file)
    assert mean_apart(picture.rgb, scene) < (4 if kind == "JPEG" else 1e-9)
    assert (picture.original_width, picture.original_height) == (128, 96)
    assert picture.reencoded == (orientation > 1 or kind == "TIFF")
    with Image.open(io.BytesIO(picture.encoded)) as image:
        assert image.getexif().get(274, 1) == 1  # nobody turns it twice


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_give_their_first_frame(scene: Pixels, save: Save, kind: str) -> None:
    frames = [Image.fromarray(pixels) for pixels in (scene, scene[::-1], 255 - scene)]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = save(frames[0], kind, save_all=True, append_images=frames[1:], duration=40, **options)
    picture = images.read(file)
    assert mean_apart(picture.rgb, scene) < (6 if kind == "GIF" else 1e-9)
    assert (picture.format, picture.reencoded) == ("JPEG", True)


def _profile(swapped: bool) -> bytes:
    """An sRGB profile; swapped: with red's and green's primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if swapped:
        names = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
        count = struct.unpack(">I", profile[128:132])[0]
        table = bytearray(profile)
        for at in range(132, 132 + 12 * count, 12):
            table[at : at + 4] = names.get(profile[at : at + 4], profile[at : at + 4])
        profile = bytes(table)
    return profile


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_profile_changes_the_colours(scene: Pixels, save: Save, kind: str) -> None:
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 97}}.get(kind, {})
    data = save(scene, kind, icc_profile=_profile(swapped=True), **options)
    picture = images.read(data)
    assert mean_apart(picture.rgb, scene[..., [1, 0, 2]]) < (4 if kind == "JPEG" else 1)
    assert picture.reencoded
    assert not images.read(picture.encoded).reencoded  # stored without the profile
    plain = save(scene, kind, icc_profile=_profile(swapped=False), **options)
    assert mean_apart(images.read(plain).rgb, scene) < 4
    assert images.read(plain).reencoded == (kind == "TIFF")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_broken_profile_is_ignored(scene: Pixels, save: Save, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    for profile in (b"", b"nonsense" * 40, _profile(swapped=True)[:300]):
        rgb = images.read(save(scene, kind, icc_profile=profile, **options)).rgb
        assert mean_apart(rgb, scene) < 4


def test_a_profile_is_applied_under_alpha(scene: Pixels, save: Save) -> None:
    alpha = np.full((96, 128, 1), 128, np.uint8)
    file = save(np.concatenate([scene, alpha], axis=2), "PNG", icc_profile=_profile(swapped=True))
    shown = (scene[..., [1, 0, 2]].astype(float) * 128 + 255.0 * 127) / 255
    assert apart(images.read(file).rgb, shown.round()) <= 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_shrunk(scene: Pixels, save: Save, kind: str) -> None:
    large = Image.fromarray(scene).resize((2000, 1500), Image.Resampling.BICUBIC)
    options = {"quality": 95} if kind == "JPEG" else {}
    picture = images.read(save(large, kind, **options), images.Limits(max_side=512))
    assert (picture.width, picture.height) == (512, 384)
    assert (picture.original_width, picture.original_height) == (2000, 1500)
    assert (picture.format, picture.reencoded) == ("JPEG", True)
    expected = np.asarray(large.resize((512, 384), Image.Resampling.BOX))
    assert mean_apart(picture.rgb, expected) < 2
    assert images.size(picture.encoded) == (512, 384)


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_samples_without_one_rendering_are_refused(scene: Pixels, save: Save, mode: str) -> None:
    image = Image.new(mode, (128, 96))
    with pytest.raises(images.DecodeError) as caught:
        images.read(save(image, "TIFF"))
    assert caught.value.reason == "unsupported_format"


def test_threads_agree_with_one(scene: Pixels, save: Save) -> None:
    files = [save(scene, "JPEG", icc_profile=_profile(swapped)) for swapped in (True, False)] * 20
    files += [save(scene, "GIF"), save(Image.fromarray(scene).convert("CMYK"), "JPEG")] * 10
    alone = [images.read(file).encoded for file in files]
    with ThreadPoolExecutor(4) as pool:
        assert [picture.encoded for picture in pool.map(images.read, files)] == alone


def test_encoders(scene: Pixels) -> None:
    assert apart(images.read(images.encode_png(scene)).rgb, scene) == 0
    assert mean_apart(images.read(images.encode_jpeg(scene)).rgb, scene) < 2
    mask = scene[..., 0]
    with Image.open(io.BytesIO(images.encode_png(mask))) as image:
        assert apart(np.asarray(image), mask) == 0
    assert len(images.encode_jpeg(scene, quality=30)) < len(images.encode_jpeg(scene))
