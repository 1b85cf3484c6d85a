"""Derived rows: a shared primitive of all stages that make datasets of stage 2.

A SourceBlock holds the rows of one part; a function of (block, networks) makes of it, for each
dataset that lacks the part, rows and rejects (`Made`); the rows are written as
`OUTPUT/DATASET/part-X.parquet`, then the rejects as `OUTPUT/DATASET/_rejects/part-X.parquet`, which
is the commit. Every dataset has its own rejects, and conserves its sources on its own.
"""

from instruct_imagen_data.stages.derived.blocks import (
    DeriveBlocks,
    DerivedBlock,
    Made,
    SourceBlock,
    Todo,
    WriteDerived,
    check_conservation,
    commit,
    derive,
    made,
    todo,
)
from instruct_imagen_data.stages.derived.networks import Networks, Setup, licences_of, load
from instruct_imagen_data.stages.derived.terms import (
    Target,
    Terms,
    describe,
    similarity_check,
    target_of,
)

__all__ = [
    "DeriveBlocks",
    "DerivedBlock",
    "Made",
    "Networks",
    "Setup",
    "SourceBlock",
    "Target",
    "Terms",
    "Todo",
    "WriteDerived",
    "check_conservation",
    "commit",
    "derive",
    "describe",
    "licences_of",
    "load",
    "made",
    "similarity_check",
    "target_of",
    "todo",
]
