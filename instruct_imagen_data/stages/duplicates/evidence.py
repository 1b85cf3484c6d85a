"""What makes two rows one picture: the kinds of evidence, strongest first."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# An equal caption or file name counts only together with the vectors: on real web pairs those two
# alone would delete half.
EVIDENCE = ("bytes", "url", "vector", "file", "caption")
BYTES, URL, VECTOR, FILE, CAPTION = range(len(EVIDENCE))

LINKS = pa.schema(  # two rows, by a rule that compares vectors
    [
        pa.field("one", pa.int64(), nullable=False),  # row numbers, one < other
        pa.field("other", pa.int64(), nullable=False),
        pa.field("evidence", pa.uint8(), nullable=False),
        pa.field("cosine", pa.float32(), nullable=False),
        pa.field("hamming", pa.uint16(), nullable=False),
        pa.field("caption", pa.int64(), nullable=False),  # id of the caption, if it is the evidence
    ]
)
GROUPS = pa.schema(  # rows that share an id are all one picture
    [
        pa.field("evidence", pa.uint8(), nullable=False),
        pa.field("id", pa.int64(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
    ]
)


def numbered(*columns: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """[n] a number for each distinct row of sorted columns, from 0."""
    new = np.zeros(len(columns[0]), bool)
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.cumsum(new)
