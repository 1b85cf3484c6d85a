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


@pytest.mark.parametrize(("width", "height"), [(900, 600), (600, 900), (601, 601)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_one_is_decoded_at_less(
    picture: Callable[..., bytes], width: int, height: int, kind: str
) -> None:
    data = picture(3, width, height, kind)
    found = images.reread(data, 100)
    assert min(found.size) == 100
    assert max(found.size) == round(100 * max(width, height) / min(width, height))
    exact = images.reread(data).resize(found.size, Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(found, int) - np.asarray(exact, int)).mean() < 2
    assert images.reread(data, 5000).size == (width, height)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_bytes_have_a_reason(picture: Callable[..., bytes], kind: str) -> None:
    data = picture(4, kind=kind)
    for broken in (b"", b"<html>", data[:20], data[: len(data) // 2]):
        with pytest.raises(images.DecodeError):
            images.reread(broken)
