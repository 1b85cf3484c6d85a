"""The perceptual hash: alike for copies, apart for others, the same everywhere."""

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from instruct_imagen_data import images

Pixels = npt.NDArray[np.uint8]
HASHES = hnp.arrays(np.uint8, (5, 32))


def test_against_a_plain_dct() -> None:
    """Bits agree with scipy's exact DCT wherever a coefficient is clear of the median."""
    noise = np.random.default_rng(3).integers(0, 256, (64, 64), dtype=np.uint8)
    bits = np.unpackbits(
        np.frombuffer(images.perceptual_hash(noise.repeat(3).reshape(64, 64, 3)), np.uint8)
    )
    low = dctn(noise.astype(float), type=2)[:16, :16].ravel()
    # scipy's first row and column are twice the plain sum of cosines, as are all others.
    clear = abs(low - np.median(low[1:])) > 30
    assert clear.mean() > 0.95
    assert (bits[clear] == (low > np.median(low[1:]))[clear]).all()


def test_integers_are_exact() -> None:
    """Sums stay below 2**53, so their order does not matter; no cosine lies near a half."""
    angles = np.arange(16)[:, None] * (2 * np.arange(64) + 1) * (np.pi / 128)
    scaled = 4096 * np.cos(angles)
    assert 64 * 64 * 4096**2 * 255 < 2**53
    off = abs(scaled - np.floor(scaled) - 0.5)
    assert off.min() > 1e-6


def test_a_symmetric_picture_has_no_noise_bits(scene: Pixels) -> None:
    both = np.concatenate([scene, scene[:, ::-1]], axis=1)
    mirrored = np.ascontiguousarray(both[:, ::-1])
    assert images.perceptual_hash(both) == images.perceptual_hash(mirrored)
    flat = np.full((80, 80, 3), 77, np.uint8)
    assert images.perceptual_hash(flat) == bytes([128]) + bytes(31)  # the mean, and nothing else


def test_copies_are_near_and_others_far(scene: Pixels) -> None:
    own = images.perceptual_hash(scene)
    image = Image.fromarray(scene)
    small = np.asarray(image.resize((90, 67), Image.Resampling.LANCZOS))
    coded = images.read(images.encode_jpeg(scene, quality=40)).rgb
    brighter = np.clip(scene * 1.1 + 4, 0, 255).astype(np.uint8)
    for copy in (small, coded, brighter):
        assert images.hamming(own, images.perceptual_hash(copy)) <= 30
    for other in (scene[::-1], scene[:, ::-1], np.rot90(scene), 255 - scene):
        far = images.perceptual_hash(np.ascontiguousarray(other))
        assert images.hamming(own, far) >= 90


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3))))
def test_any_picture_has_a_hash(rgb: Pixels) -> None:
    found = images.perceptual_hash(rgb)
    assert len(found) == 32
    assert found == images.perceptual_hash(rgb.copy())


@given(HASHES, HASHES)
def test_hamming(a: Pixels, b: Pixels) -> None:
    counted = (np.unpackbits(a, axis=1) != np.unpackbits(b, axis=1)).sum(axis=1)
    assert images.hamming_rows(a, b).tolist() == counted.tolist()
    assert [images.hamming(x.tobytes(), y.tobytes()) for x, y in zip(a, b, strict=True)] == list(
        counted
    )
    assert images.hamming_rows(a[:, None], b[None]).shape == (5, 5)


def test_hamming_of_opposites() -> None:
    assert images.hamming(bytes(32), b"\xff" * 32) == 256
    with pytest.raises(TypeError):
        images.hamming("a", "b")  # type: ignore[arg-type]
