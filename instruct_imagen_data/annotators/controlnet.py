"""Modules of controlnet-aux, whose import is slow and full of warnings that are not ours."""

import importlib
import warnings
from typing import Any


def module(name: str) -> Any:
    """The module controlnet_aux.`name`. Seconds: the package imports all of its detectors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"controlnet_aux.{name}")
