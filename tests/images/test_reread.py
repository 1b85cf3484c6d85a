"""Stored pictures, decoded again: the pixels that `read` gives, at a lower size where asked."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from instruct_imagen_data import images

MODES = {"RGB": "PNG", "L": "PNG", "P": "PNG", "1": "PNG", "RGBA": "PNG", "LA": "PNG"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_pixels_are_those_of_read(picture: Callable[..., bytes], kind: str) -> None:
    stored = images.read(picture(1, kind=kind))
    found = images.reread(stored.encoded)
    np.testing.assert_array_equal(np.asarray(found), stored.rgb)
    assert found.mode == "RGB"


@pytest.mark.parametrize("mode", MODES)
def test_maps_of_every_mode_are_rgb(picture: Callable[..., bytes], mode: str) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture(2))).convert(mode).save(buffer, MODES[mode])
    found = images.reread(buffer.getvalue())
    np.testing.assert_array_equal(np.asarray(found), images.read(buffer.getvalue()).rgb)


@pytest.mark.parametrize(
    ("wanted", "size"),
    [(25, (113, 75)), (100, (225, 150)), (134, (450, 300)), (201, (900, 600)), (9999, (900, 600))],
)
def test_a_large_jpeg_is_decoded_at_less(
    picture: Callable[..., bytes], wanted: int, size: tuple[int, int]
) -> None:
    data = picture(3, 900, 600)
    found = images.reread(data, wanted)
    assert found.size == size
    exact = images.reread(data).resize(size, Image.Resampling.BOX)
    assert np.abs(np.asarray(found, int) - np.asarray(exact, int)).mean() < 2
    assert images.reread(picture(3, 900, 600, "PNG"), wanted).size == (900, 600)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_bytes_have_a_reason(picture: Callable[..., bytes], kind: str) -> None:
    data = picture(4, kind=kind)
    for broken in (b"", b"<html>", data[:20], data[: len(data) // 2]):
        with pytest.raises(images.DecodeError):
            images.reread(broken)
