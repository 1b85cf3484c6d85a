"""NIMA: a distribution over ten scores, by an image classifier with a ten-bin head.

Any timm backbone; average pool, dropout 0.75, ten logits, softmax. Source: Talebi and Milanfar
2018; the weights of the `paper` set and their preprocessing are those of
idealo/image-quality-assessment.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from instruct_imagen_data.annotators.keras import read_mobilenet
from instruct_imagen_data.annotators.precision import BATCH, dtype_of
from instruct_imagen_data.annotators.quality import BINS, Quality, from_distribution

if TYPE_CHECKING:
    import torch

DROPOUT = 0.75
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_KERAS_SUFFIXES = (".hdf5", ".h5")


class Nima:
    """Scores pictures from 1 to 10, higher is better."""

    def __init__(self, network: Any, config: Mapping[str, Any], dtype: Any) -> None:
        import torch

        self._network = network
        self._dtype = dtype
        self._device = next(network.parameters()).device
        self._side = int(config["side"])
        self._resampling = _RESAMPLING[config["interpolation"]]
        self._mean = torch.tensor(config["mean"], device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(config["std"], device=self._device).view(1, 3, 1, 1)

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "Nima":
        """The network with its weights, ready for inference.

        Args:
          weights: safetensors with timm's names, or the Keras HDF5 of a MobileNet NIMA.
          config: `backbone` (timm name), `side` (pixels), `interpolation`, `mean` and `std`
            (of values in 0..1), and optional `backbone_options` for timm.
          precision: fp32, bf16 or fp16.
          device: cpu or a CUDA device.
        """
        import torch
        from safetensors.torch import load_file

        if weights.suffix in _KERAS_SUFFIXES:
            state = {name: torch.from_numpy(v) for name, v in read_mobilenet(weights).items()}
        else:
            state = load_file(weights)
        network: Any = build(config)
        network.load_state_dict(state, strict=True)
        dtype = dtype_of(precision)
        network.eval().to(device, dtype).to(memory_format=torch.channels_last)
        # In bf16 the last sums alone would turn the order of pictures that are about as good.
        network.get_classifier().float()
        return cls(network, config, dtype)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [side, side, 3] of a picture uint8 [h, w, 3]: resized whole, not cropped."""
        picture = Image.fromarray(rgb).resize((self._side, self._side), self._resampling)
        return np.asarray(picture)

    def __call__(self, batch: Sequence[np.ndarray]) -> Quality:
        """Scores of prepared pictures, one each, in order."""
        rows = [self._distribution(batch[i : i + BATCH]) for i in range(0, len(batch), BATCH)]
        return from_distribution(np.concatenate([np.empty((0, BINS), np.float32), *rows]))

    def _distribution(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            # [n, 3, side, side] by strides alone: rows of RGB are what channels-last means
            pixels = torch.from_numpy(np.stack(batch)).to(self._device).permute(0, 3, 1, 2)
            maps = self._network.forward_features(
                ((pixels / 255 - self._mean) / self._std).to(self._dtype)
            )
            features = self._network.forward_head(maps, pre_logits=True).float()
            logits = self._network.get_classifier()(features)
            distribution: np.ndarray = logits.softmax(dim=1).cpu().numpy()
        return distribution


def build(config: Mapping[str, Any]) -> "torch.nn.Module":
    """The network without weights: pictures [n, 3, side, side] -> logits [n, BINS]."""
    import timm

    options = dict(config.get("backbone_options", {}))
    network: torch.nn.Module = timm.create_model(
        config["backbone"], pretrained=False, num_classes=BINS, drop_rate=DROPOUT, **options
    )
    return network
