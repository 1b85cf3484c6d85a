"""Parquet in, batches out: the same samples in the same order, however many processes load them.

`stream` is the way in. `lanes` says which dataset a draw is of, `order` which row, `shards` reads
it, `stage1` and `stage2` make a sample of it, `collate` a batch; `plan` is what all that rests on.
"""

from model.batches.loader import stream
from model.batches.plan import Plan, make_plan
from model.batches.records import NEIGHBOURHOODS, BadRow, Batch, DataConfig, Sample

__all__ = [
    "NEIGHBOURHOODS",
    "BadRow",
    "Batch",
    "DataConfig",
    "Plan",
    "Sample",
    "make_plan",
    "stream",
]
