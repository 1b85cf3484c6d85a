"""Pictures as the network sees them: what is cut, mirrored, resized; what may be mirrored."""

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from instruct_imagen_data import images
from model.batches import pictures
from model.batches.pictures import Frame, may_flip, shown


def png(rgb: npt.NDArray[np.uint8]) -> bytes:
    return images.encode_png(rgb)


def noise(height: int, width: int) -> npt.NDArray[np.uint8]:
    rng = np.random.Generator(np.random.PCG64(3))
    return rng.integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 14), (20, 8)])
@pytest.mark.parametrize("along", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_square_of_the_right_size_is_cut_exactly(
    height: int, width: int, along: float, flipped: bool
) -> None:
    rgb = noise(height, width)
    top, left = round((height - 8) * along), round((width - 8) * along)
    wanted = rgb[top : top + 8, left : left + 8]
    found = shown(png(rgb), 8, Frame(along, flipped))
    np.testing.assert_array_equal(found, wanted[:, ::-1] if flipped else wanted)
    assert found.flags.c_contiguous


def test_area_of_maps_is_the_mean_and_masks_stay_binary() -> None:
    mask = np.where(noise(32, 32) > 127, 255, 0).astype(np.uint8)
    edges = shown(png(mask), 8, Frame(0, False), "edge")
    mean = mask.reshape(8, 4, 8, 4, 3).mean((1, 3))
    assert np.abs(edges - mean).max() <= 1
    small = shown(png(mask), 8, Frame(0, False), "mask")
    assert set(np.unique(small)) == {0, 255}
    large = shown(png(mask), 100, Frame(0, False), "mask")
    assert set(np.unique(large)) == {0, 255}


def test_one_frame_cuts_pictures_of_one_geometry_alike() -> None:
    # A vertical line at two thirds, in a picture and in a map of half its size.
    large = np.zeros((80, 120, 3), np.uint8)
    large[:, 76:84] = 255
    small = large[::2, ::2]
    for flipped in (False, True):
        frame = Frame(0.7, flipped)
        target = shown(png(large), 40, frame).astype(float)[20, :, 0]
        depth = shown(png(small), 40, frame, "depth").astype(float)[20, :, 0]
        middle = [float((one * np.arange(40)).sum() / one.sum()) for one in (target, depth)]
        # left edge at .7 * 40 = 28 of 80: the line's middle is at (80 - 28) / 2 - .5
        assert middle[0] == pytest.approx(13.5 if flipped else 25.5, abs=0.1)
        assert middle[1] == pytest.approx(middle[0], abs=0.1)


def test_large_photos_are_decoded_smaller_and_look_the_same() -> None:
    y, x = np.mgrid[0:600, 0:900]
    waves = [127 + 100 * np.sin(x / 90 + y / 70 + turn) for turn in range(3)]
    rgb = np.stack(waves, 2).astype(np.uint8)
    data = images.encode_jpeg(rgb)
    found = shown(data, 32, Frame(0.5, False))
    square = Image.fromarray(rgb[:, 150:750]).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.abs(found.astype(int) - np.asarray(square)).max() <= 6


@pytest.mark.parametrize("width", [1, 2, 3, 6])
def test_dilation_is_the_brightest_of_the_surroundings(width: int) -> None:
    rgb = np.repeat(noise(20, 24)[..., :1], 3, 2)
    found = shown(png(rgb), 20, Frame(0, False), "edge", width)
    before = width // 2
    for y in (0, 7, 19):
        for x in (0, 11, 19):
            ys, xs = (slice(max(0, at - before), at - before + width) for at in (y, x))
            assert found[y, x, 0] == rgb[ys, xs].max()


def test_line_width_is_in_pixels_of_the_result() -> None:
    rgb = np.zeros((128, 128, 3), np.uint8)
    rgb[:, 64] = 255
    thin, wide = (shown(png(rgb), 16, Frame(0, False), "edge", one) for one in (0.0, 1.5))
    assert thin[8].max() < 40  # an eighth of a pixel
    assert wide[8, :, 0].astype(float).sum() == pytest.approx(1.5 * 255, rel=0.05)


def test_an_undecodable_picture_says_so() -> None:
    with pytest.raises(images.DecodeError):
        shown(b"no picture", 8, Frame(0, False))


@pytest.mark.parametrize(
    ("instruction", "texts", "captions", "allowed"),
    [
        ("a cat", ["[ref#1] depth map"], ["a cat"], True),
        ("a cat left of a dog", [], [], False),
        ("a Right-hand glove", [], [], False),
        ("the leftmost of them", [], [], False),
        ("a cat", ["[ref#1] the righthand side"], [], False),
        ("a bright, upright copyright sign", [], ["a lamp"], True),
        ("all rights reserved, delightful", [], [], True),
        ("a shop", [], ["a shop sign"], False),
        ("a shop", ["[ref#1] logo"], ["a shop"], False),
    ],
)
def test_what_may_be_mirrored(
    instruction: str, texts: list[str], captions: list[str], allowed: bool
) -> None:
    assert may_flip(instruction, texts, captions) is allowed


def test_roles_have_a_resampling_of_their_own_only_where_they_are_maps() -> None:
    buffer = io.BytesIO()
    Image.new("L", (9, 9), 7).save(buffer, "PNG")
    for role in ("depth", "mask", "edge", "sketch", "style", "subject", ""):
        found = shown(buffer.getvalue(), 4, Frame(0, False), role)
        assert found.shape == (4, 4, 3)
        assert (found == 7).all()
    assert pictures.EDGES == "edge"
