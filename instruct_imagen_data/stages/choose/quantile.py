"""An exact quantile of each source's quality, without holding rows.

It is found in two passes by the digits of the binary representation: a histogram of the upper 24
bits, then only the rows of the one bin where the cut falls (about one row in 10,000 on real scores;
all rows of equal quality, where a network gives only a few values).
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from instruct_imagen_data import vectors

_LOW_BITS = 8  # left to the second pass

Bits = npt.NDArray[np.uint32]
Histogram = tuple[Bits, npt.NDArray[np.int64]]  # (bins, rows in each), bins ascending
Sample = tuple[Bits, vectors.Bytes, vectors.Ints]  # (bits, keys, row numbers) of rows
Cut = tuple[int, bytes, int]  # (bits, key, row number) of the first row that is good enough


def order_bits(quality: npt.NDArray[np.float32]) -> Bits:
    """uint32 that sort as the float32 do (sign bit flipped; all bits, where negative)."""
    bits = (quality + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def quality_of(bits: int) -> float:
    """The float32 that `order_bits` made these bits of."""
    plain = bits & 0x7FFFFFFF if bits >> 31 else ~bits & 0xFFFFFFFF
    return float(np.uint32(plain).view(np.float32))


def bin_of(bits: Bits) -> Bits:
    """The upper 24 bits."""
    return bits >> np.uint32(_LOW_BITS)


def histogram(bits: Bits) -> Histogram:
    """Rows for each value of the upper 24 bits that occurs."""
    return np.unique(bin_of(bits), return_counts=True)


def add(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of histograms."""
    several = list(histograms)
    bins, place = np.unique(np.concatenate([one[0] for one in several]), return_inverse=True)
    counts = np.zeros(len(bins), np.int64)
    np.add.at(counts, place, np.concatenate([one[1] for one in several]))
    return bins, counts


def find_bin(counted: Histogram, quantile: float) -> tuple[int, int]:
    """(bin, rank inside it) of the first row that is good enough: row floor(quantile * n)."""
    bins, counts = counted
    ends = np.cumsum(counts)
    rank = int(quantile * int(ends[-1]))
    index = int(np.searchsorted(ends, rank, side="right"))
    return int(bins[index]), rank - int(ends[index] - counts[index])


def find_cut(sample: Sample, rank: int) -> Cut:
    """The row of this rank among the rows of the bin; ties by key, then row."""
    bits, keys, rows = sample
    row = int(np.lexsort((rows, *vectors.words(keys).T[::-1], bits))[rank])
    return int(bits[row]), keys[row].tobytes(), int(rows[row])


def below(sample: Sample, cut: Cut) -> npt.NDArray[np.bool_]:
    """bool [n]: rows that come before the cut, by quality, then key, then row number."""
    bits, keys, rows = sample
    low = bits < cut[0]
    for row in np.flatnonzero(bits == cut[0]).tolist():
        low[row] = (keys[row].tobytes(), int(rows[row])) < cut[1:]
    return low
