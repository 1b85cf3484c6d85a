"""Guards, sizes and batches of maps; the numbers worked out by hand."""

import numpy as np
import pytest

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map, Refused, binary_mask, depth_map


def square(side: int, value: int = 255) -> np.ndarray:
    """A white square of this side in the middle of 100 x 100."""
    pixels = np.zeros((100, 100), np.uint8)
    start = (100 - side) // 2
    pixels[start : start + side, start : start + side] = value
    return pixels


@pytest.mark.parametrize(
    ("side", "confidence", "reason"),
    [(30, 0.5, ""), (30, 0.49, "no_object"), (14, 1, "mask_area"), (90, 1, "mask_area")],
)
def test_masks_are_guarded_by_confidence_and_area(side, confidence, reason) -> None:
    found = Map(square(side), confidence)
    if not reason:
        np.testing.assert_array_equal(binary_mask(found, 100, 100), square(side))
        return
    with pytest.raises(Refused) as caught:
        binary_mask(found, 100, 100)
    assert caught.value.reason == reason


def test_a_mask_is_resized_before_it_is_cut() -> None:
    ramp = np.tile(np.linspace(0, 255, 10).astype(np.uint8), (10, 1))
    mask = binary_mask(Map(ramp), 100, 50)
    assert mask.shape == (50, 100)
    assert set(np.unique(mask)) == {0, 255}
    assert abs(np.mean(mask > 0) - 0.5) <= 0.01
    assert np.ptp(np.argmax(mask, axis=1)) == 0  # one straight border between the columns


def test_a_constant_depth_is_refused() -> None:
    pixels, varies = maps.min_max(np.full((4, 4), 7.0, np.float32))
    assert not varies
    assert not pixels.any()
    with pytest.raises(Refused, match="flat_depth"):
        depth_map(Map(pixels, 0.0))
    np.testing.assert_array_equal(depth_map(Map(square(10))), square(10))


def test_min_max_spans_all_bytes() -> None:
    pixels, varies = maps.min_max(np.array([[2, 3], [4, 6]], np.float32))
    assert varies
    np.testing.assert_array_equal(pixels, [[0, 63], [127, 255]])


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [
        ((480, 640), 384, (384, 512)),
        ((640, 480), 512, (704, 512)),  # 682.7 is nearer to 704 than to 640
        ((100, 100), 384, (384, 384)),
        ((1024, 64), 384, (1536, 384)),  # 1:16, taken as 1:4
    ],
)
def test_detection_sizes(shape, side, expected) -> None:
    rgb = np.zeros((*shape, 3), np.uint8)
    assert maps.to_detection_size(rgb, side).shape == (*expected, 3)


def test_pictures_of_one_shape_go_together_and_come_back_in_order() -> None:
    sizes = [(64, 64), (1024, 2048), (64, 64), (1024, 2048)]
    pictures = [np.full((*size, 3), i, np.uint8) for i, size in enumerate(sizes)]
    seen = []

    def see(some: np.ndarray) -> list[Map]:
        seen.append(some.shape)
        return [Map(one[..., 0]) for one in some]

    found = maps.by_shape(pictures, see)
    assert [int(one.pixels[0, 0]) for one in found] == [0, 1, 2, 3]
    # two million pixels are a batch of their own
    assert seen == [(2, 64, 64, 3), (1, 1024, 2048, 3), (1, 1024, 2048, 3)]
    seen.clear()
    maps.by_shape(pictures[:1] * 70, see)
    assert [shape[0] for shape in seen] == [32, 32, 6]
    assert maps.by_shape([], see) == []
