"""CNNIQA: a technical quality score out of 32-pixel patches, lower is better.

Source: Kang et al. 2014, as implemented in lidq92/CNNIQA. It orders blur, noise and compression;
the local normalisation takes exposure and contrast away.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from instruct_imagen_data.annotators.precision import dtype_of
from instruct_imagen_data.annotators.quality import Quality

if TYPE_CHECKING:
    import torch

PATCH = 32  # pixels; also the stride


class Cnniqa:
    """Scores pictures, roughly 0 (best) to 100."""

    def __init__(self, state: Mapping[str, "torch.Tensor"]) -> None:
        self._state = state

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "Cnniqa":
        """The network with its weights, from safetensors: conv1 and fc1 to fc3.

        `config` must be empty: the network has no variants.
        """
        from safetensors.torch import load_file

        if config:
            raise ValueError(f"cnniqa takes no config, got {sorted(config)}")
        dtype = dtype_of(precision)
        state = load_file(weights)
        return cls({name: value.to(device=device, dtype=dtype) for name, value in state.items()})

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """Grey uint8 [h, w] of a picture uint8 [h, w, 3], at its own size.

        A side of at most 32 pixels is stretched to 33 by its last row or column, since a picture
        needs one whole patch.
        """
        grey = np.asarray(Image.fromarray(rgb).convert("L"))
        missing = [max(0, PATCH + 1 - side) for side in grey.shape]
        return np.pad(grey, [(0, more) for more in missing], mode="edge") if any(missing) else grey

    def __call__(self, batch: Sequence[np.ndarray]) -> Quality:
        """Scores of prepared pictures, one each, in order; a picture's patches go together."""
        value = np.array([self._score(_patches(grey)) for grey in batch], np.float32)
        return Quality(value=value, deviation=np.zeros_like(value), distribution=None)

    def _score(self, patches: np.ndarray) -> float:
        """Mean score of the normalised patches float32 [n, 32, 32] of one picture."""
        import torch
        from torch.nn import functional

        w = self._state
        with torch.inference_mode():
            x = torch.from_numpy(patches)[:, None].to(w["conv1.weight"])
            x = functional.conv2d(x, w["conv1.weight"], w["conv1.bias"])  # [n, 50, 26, 26]
            x = torch.cat((x.amax(dim=(2, 3)), x.amin(dim=(2, 3))), dim=1)  # [n, 100]
            x = functional.linear(x, w["fc1.weight"], w["fc1.bias"]).relu()
            x = functional.linear(x, w["fc2.weight"], w["fc2.bias"]).relu()
            x = functional.linear(x, w["fc3.weight"], w["fc3.bias"])  # [n, 1]
            return float(x.float().mean())


def _patches(grey: np.ndarray) -> np.ndarray:
    """Locally normalised patches float32 [n, 32, 32] of a grey picture uint8 [h, w].

    As upstream: the ranges end before h - 32 and w - 32, so a side that is an exact multiple of
    32 loses its last row or column of patches.
    """
    height, width = grey.shape
    rows, columns = -(-(height - PATCH) // PATCH), -(-(width - PATCH) // PATCH)
    x = grey[: rows * PATCH, : columns * PATCH].astype(np.float32) / 255
    x = x.reshape(rows, PATCH, columns, PATCH).swapaxes(1, 2).reshape(-1, PATCH, PATCH)
    mean = _box(x)
    deviation = np.sqrt(np.maximum(_box(x * x) - mean * mean, 0))
    normalised: np.ndarray = (x - mean) / (deviation + 1)
    return normalised


def _box(x: np.ndarray) -> np.ndarray:
    """3x3 means within each patch of [n, 32, 32], borders mirrored."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="symmetric")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    total: np.ndarray = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    return total / 9
