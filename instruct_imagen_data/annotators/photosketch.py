"""Photo-Sketching: contour drawings of photos, white lines on black.

Source: Li et al. 2019, mtli/PhotoSketch; the names of the weights are the authors'. Their drawings
are dark on white and are turned round here. Their scripts leave the generator in training mode,
one picture at a time: its batch norm then normalises by the picture's own mean and variance, never
by the running ones. So it does here, also where pictures come in batches.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.annotators.precision import dtype_of
from instruct_imagen_data.annotators.weights import read_state

if TYPE_CHECKING:
    import torch

PUBLISHED = "latest_net_G.pth"  # inside the authors' archive
_BLOCKS = 9
_CHANNELS = 64
_MULTIPLE = 4  # pixels; the generator halves twice and doubles twice


class PhotoSketch:
    """Contours of pictures, all squeezed to one square, as the authors do."""

    def __init__(self, network: "torch.nn.ModuleDict", side: int) -> None:
        self._network = network
        self._side = side
        weight = next(network.parameters())
        self._device, self._dtype = weight.device, weight.dtype

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "PhotoSketch":
        """The generator with its weights: the authors' archive, or `latest_net_G.pth` out of it.

        `config`: `side` in pixels, a multiple of 4: 256 as trained.
        """
        maps.check_config(config, "side")
        side = int(config["side"])
        if side < _MULTIPLE or side % _MULTIPLE:
            raise ValueError(f"'side' must be a multiple of {_MULTIPLE}, not {side}")
        network = build()
        network.load_state_dict(read_state(weights, PUBLISHED), strict=True)
        network.eval().to(device, dtype_of(precision))
        return cls(network, side)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [side, side, 3] of a picture uint8 [h, w, 3]: bicubic, whatever its shape."""
        square = (self._side, self._side)
        return np.asarray(Image.fromarray(rgb).resize(square, Image.Resampling.BICUBIC))

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Contours of prepared pictures, one each, in order."""
        return maps.by_shape(batch, lambda some: [_lines(one) for one in self.drawings(some)])

    def drawings(self, pictures: np.ndarray) -> np.ndarray:
        """Drawings float32 [n, side, side] in -1..1, dark on white, of pictures
        uint8 [n, side, side, 3].
        """
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            drawn = run(self._network["model"], ((x / 255 - 0.5) / 0.5).to(self._dtype))
            drawings: np.ndarray = drawn[:, 0].float().cpu().numpy()
        return drawings


def _lines(drawing: np.ndarray) -> Map:
    """White lines on black, of a drawing whose bytes are cut like the authors'."""
    return Map(255 - maps.to_bytes((drawing + 1) / 2))


def build() -> "torch.nn.ModuleDict":
    """The generator's layers, without weights, under the authors' names.

    The numbers in the names count all layers, also those that have no weights.
    """
    from torch.nn import (
        BatchNorm2d,
        Conv2d,
        ConvTranspose2d,
        Identity,
        Module,
        ModuleDict,
        ModuleList,
        ReflectionPad2d,
        ReLU,
        Tanh,
    )

    wide, wider, widest = _CHANNELS, 2 * _CHANNELS, 4 * _CHANNELS

    def normed(conv: Module, channels: int) -> list[Module]:
        return [conv, BatchNorm2d(channels), ReLU()]

    def halve(narrow: int, channels: int) -> list[Module]:
        return normed(Conv2d(narrow, channels, 3, 2, padding=1, bias=False), channels)

    def double(channels: int, narrow: int) -> list[Module]:
        conv = ConvTranspose2d(channels, narrow, 3, 2, padding=1, output_padding=1, bias=False)
        return normed(conv, narrow)

    def block() -> Module:
        first, second = (
            [ReflectionPad2d(1), *normed(Conv2d(widest, widest, 3, bias=False), widest)]
            for _ in range(2)
        )
        # Identity: the place of a dropout that drops nothing. The last ReLU is left out.
        return ModuleDict({"conv_block": ModuleList([*first, Identity(), *second[:-1]])})

    layers = [
        *(ReflectionPad2d(3), *normed(Conv2d(3, wide, 7, bias=False), wide)),
        *(*halve(wide, wider), *halve(wider, widest)),
        *(block() for _ in range(_BLOCKS)),
        *(*double(widest, wider), *double(wider, wide)),
        *(ReflectionPad2d(3), Conv2d(wide, 1, 7), Tanh()),
    ]
    return ModuleDict({"model": ModuleList(layers)})


def run(layers: Any, x: "torch.Tensor") -> "torch.Tensor":
    """What layers, one after the other, make of pictures [n, c, h, w].

    Batch norm takes the mean and variance of each picture by itself: see the module's text.
    """
    from torch.nn import BatchNorm2d, ModuleDict
    from torch.nn.functional import instance_norm

    for layer in layers:
        if isinstance(layer, ModuleDict):
            x = x + run(layer["conv_block"], x)
        elif isinstance(layer, BatchNorm2d):
            x = instance_norm(x, weight=layer.weight, bias=layer.bias, eps=layer.eps)
        else:
            x = layer(x)
    return x
