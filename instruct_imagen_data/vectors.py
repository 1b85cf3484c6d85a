"""Integer vectors, whose cosines are the same on every CPU; and keys and hashes as columns.

A unit vector is rounded to integers of norm 4,000. A dot product of two such vectors is at most
16.2 million in size, and so is every partial sum of it (Cauchy-Schwarz): below 2**24, so float32
holds each of them exactly, and no order of summation, thread count, or BLAS kernel can change the
result. The rounding moves a cosine by about 1e-4 (one standard deviation at 512 dimensions).

Here a *dot* is such an integer product and a *level* is a cosine as a dot.
"""

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data import keys

NORM = 4000
_LONGEST = 4090  # 4090**2 < 2**24: beyond it float32 sums would round
_SHORTEST = 3900  # a vector that is not of unit length would have wrong cosines

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@functools.cache
def _rounded() -> npt.NDArray[np.int16]:
    """int16 [65536]: the integer for each float16, by its bits; 0 for what no unit vector holds."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)
    possible = np.abs(halves) <= 1.01  # also drops infinities and NaN
    return np.rint(np.where(possible, halves, 0) * NORM).astype(np.int16)


def quantise(halves: npt.NDArray[np.float16]) -> npt.NDArray[np.int16]:
    """Unit vectors [n, d] float16 as integers of norm 4,000 (one table look-up a number)."""
    return np.take(_rounded(), np.ascontiguousarray(halves).view(np.uint16))


def exact(vectors: npt.NDArray[np.int16]) -> Floats:
    """Integer vectors [n, d] as the float32 that products are taken in.

    Raises:
      ValueError: a vector whose norm is not about 4,000: it was not of unit length.
    """
    floats = vectors.astype(np.float32)
    squares = np.einsum("nd,nd->n", floats, floats)
    wrong = np.flatnonzero((squares > _LONGEST**2) | (squares < _SHORTEST**2))
    if wrong.size:
        norm = math.sqrt(squares[wrong[0]]) / NORM
        raise ValueError(f"{wrong.size} vectors are not of unit length, e.g. one of {norm:.3f}")
    return floats


def directions(sums: Ints) -> npt.NDArray[np.int16]:
    """Sums of integer vectors [k, d] scaled to norm 4,000 and rounded; zero sums stay zero.

    Exact integers in and one correctly rounded square root: the same on every CPU.
    """
    squares = np.einsum("kd,kd->k", sums, sums)
    scale = NORM / np.sqrt(np.maximum(squares, 1).astype(np.float64))
    return np.rint(sums * scale[:, None]).astype(np.int16)


def level(cosine: float) -> int:
    """The smallest dot that counts as at least this cosine."""
    return math.ceil(round(cosine * NORM * NORM, 6))


def cosines(dots: npt.NDArray[Any]) -> Floats:
    """Dots as cosines in [-1, 1]."""
    return np.clip(dots / np.float64(NORM * NORM), -1, 1).astype(np.float32)


def hamming(one: Bytes, other: Bytes) -> npt.NDArray[np.uint16]:
    """Bits in which rows of two [n, bytes] arrays differ."""
    return np.bitwise_count(one ^ other).sum(axis=1, dtype=np.uint16)


def bytes_of(column: pa.Array | pa.ChunkedArray) -> Bytes:
    """A fixed-size binary column as a [n, bytes] array."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    width = column.type.byte_width
    flat = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    start = column.offset * width
    return flat[start : start + len(column) * width].reshape(-1, width)


def column_of(rows: Bytes) -> pa.FixedSizeBinaryArray:
    """A [n, bytes] array as a fixed-size binary column."""
    buffer = pa.py_buffer(np.ascontiguousarray(rows))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(rows.shape[1]), len(rows), [None, buffer])


def pack_keys(column: pa.Array | pa.ChunkedArray) -> Bytes:
    """Keys in hex as a [n, 32] array: half the size, and sortable."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    offsets = np.frombuffer(column.buffers()[1] or bytes(4), np.int32)[column.offset :]
    start, end = int(offsets[0]), int(offsets[len(column)])
    digits = (column.buffers()[2] or b"")[start:end]
    return np.frombuffer(bytes.fromhex(bytes(digits).decode()), np.uint8).reshape(-1, 32)


def unpack_keys(packed: Bytes) -> pa.StringArray:
    """Keys as a string column of hex digits."""
    digits = np.frombuffer(packed.tobytes().hex().encode(), np.uint8)
    offsets = np.arange(len(packed) + 1, dtype=np.int32) * (2 * packed.shape[1])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    return pa.Array.from_buffers(pa.string(), len(packed), buffers)


def words(packed: Bytes) -> npt.NDArray[np.uint64]:
    """Keys [n, 32] as four numbers [n, 4] that sort as the keys do."""
    return np.ascontiguousarray(packed).view(">u8").astype(np.uint64)


def key_order(packed: Bytes, *minor_first: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The order of rows by key; equal keys by the other columns given, the last counting most."""
    return np.lexsort((*minor_first, *words(packed).T[::-1]))


def best_first(quality: npt.NDArray[np.float32], packed: Bytes, rows: Ints) -> npt.NDArray[np.intp]:
    """The order of rows from the best quality down; ties by key, then by row number."""
    return np.lexsort((rows, *words(packed).T[::-1], -quality))


def draws(packed: Bytes, salt: str) -> npt.NDArray[np.uint64]:
    """A 64-bit number for each key that depends on (key, salt) alone.

    Keys are hashes already, so one round of splitmix64 does for columns what `keys.draw64` does for
    one key (with other results).
    """
    mixed = words(packed)[:, 0] ^ np.uint64(keys.draw64("", salt))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
