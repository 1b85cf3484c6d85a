"""One Beam job a file: wiring only. What runs on workers lives in `instruct_imagen_data.stages`."""

import logging
import os

# Before numpy, torch or faiss load: workers are the parallelism, and a second OpenMP or BLAS
# thread on a busy core costs more than it brings (faiss's own setter does not reach other threads).
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def _worth_showing(record: logging.LogRecord) -> bool:
    # Beam says at import that clients of BigQuery are missing, which no job here uses.
    return not str(record.msg).startswith("apitools not found")


logging.getLogger().addFilter(_worth_showing)
