"""FAISS, told which CPU it runs on.

The wheel brings an OpenBLAS of its own. It does not know CPUs that are younger than it, takes them
for very old ones, and is then four times slower than numpy's; it can be told before it is loaded.
Results are the same: dots are exact integers (see `vectors`).
"""

import importlib
import os
from typing import Any

_VARIABLE = "OPENBLAS_CORETYPE"
_KNOWN = {"AVX512_SKX": "SkylakeX", "AVX2": "Haswell"}  # feature -> a kind that has it


def load_faiss() -> Any:
    """The module. numpy, whose BLAS reads the same variable, is loaded already; it stays as set."""
    # What FAISS's own loader looks at, too.
    features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    kind = next((kind for name, kind in _KNOWN.items() if features.get(name)), "")
    if not kind or _VARIABLE in os.environ:
        return importlib.import_module("faiss")
    os.environ[_VARIABLE] = kind
    try:
        return importlib.import_module("faiss")
    finally:
        del os.environ[_VARIABLE]
