"""A 256-bit perceptual hash: pictures that look alike differ in few bits."""

import functools

import numpy as np
import numpy.typing as npt
from PIL import Image

BITS = 256
_SIDE = 64  # of the grey thumbnail
_LOW = 16  # frequencies kept, each way
_SCALE = 1 << 12  # of the cosines


@functools.cache
def _cosines() -> npt.NDArray[np.float64]:
    """[16, 64]: the lowest rows of the DCT-II, rounded to integers.

    Integers below 2**53 are exact in float64 sums of any order, so a hash has the same bits on
    every CPU and with every BLAS; a symmetric picture's zeros are zero, not noise of either sign.
    """
    angles = np.arange(_LOW)[:, None] * (2 * np.arange(_SIDE) + 1) * (np.pi / (2 * _SIDE))
    cosines: npt.NDArray[np.float64] = np.round(_SCALE * np.cos(angles))
    return cosines


def perceptual_hash(rgb: npt.NDArray[np.uint8]) -> bytes:
    """32 bytes for uint8 [height, width, 3].

    Grey, area-averaged to 64x64, 2-D DCT, 16x16 low frequencies: each bit says whether one is above
    the median of all but the mean. As pHash (Zauner 2010), with more bits.
    """
    grey = Image.fromarray(rgb).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    cosines = _cosines()
    low = (cosines @ np.asarray(grey, np.float64) @ cosines.T).ravel()
    middle = (BITS - 1) // 2
    median = np.partition(low[1:], middle)[middle]
    return np.packbits(low > median).tobytes()


def hamming(a: bytes, b: bytes) -> int:
    """Bits in which two hashes differ, 0 to 256."""
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def hamming_rows(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """`hamming` of hashes as uint8 [..., 32], broadcast: [n, 32] and [n, 32] give [n]."""
    bits: npt.NDArray[np.int64] = np.bitwise_count(a ^ b).sum(axis=-1, dtype=np.int64)
    return bits
