"""The mixture of stage 2: how often each dataset is drawn, and which one a draw is of.

Table 1's ratios are those of a corpus that has everything. `of_rows` gives the ratios of the
datasets that are there, `capped` bounds how often a small one is replayed, and `cycle_of` lays the
draws out: evenly, in an order that repeats, so that how often a dataset was drawn before draw n is
looked up, not counted.
"""

from instruct_imagen_data.mixture.cycle import CYCLE, Cycle, cycle_of
from instruct_imagen_data.mixture.shares import (
    FILE,
    Mixture,
    Share,
    capped,
    of_rows,
    read,
    too_few,
    write,
)
from instruct_imagen_data.mixture.told import MAX_REPLAY, table, warnings

__all__ = [
    "CYCLE",
    "FILE",
    "MAX_REPLAY",
    "Cycle",
    "Mixture",
    "Share",
    "capped",
    "cycle_of",
    "of_rows",
    "read",
    "table",
    "too_few",
    "warnings",
    "write",
]
