"""FastDepth: metres to each point of an indoor scene, turned into a map that is bright where near.

A pruned MobileNet encoder and a decoder of depthwise 5x5 convolutions with additive skips.
Source: Wofk et al. 2019, dwofk/fast-depth. It orders close and indoor scenes, and outdoors poorly.
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

# (channels in, channels out, stride) of the encoder's blocks; those at _SKIPS are added to the
# decoder's, last first.
_ENCODER = (
    (16, 56, 1), (56, 88, 2), (88, 120, 1), (120, 144, 2), (144, 256, 1), (256, 408, 2),
    (408, 376, 1), (376, 272, 1), (272, 288, 1), (288, 296, 1), (296, 328, 1), (328, 480, 2),
    (480, 512, 1),
)  # fmt: skip
_DECODER = ((512, 200), (200, 256), (256, 120), (120, 56), (56, 16))
_SKIPS = (0, 2, 4)
_MULTIPLE = 32  # pixels
_NEAREST = 0.1  # metres; nearer is no nearer, or one point would leave the rest dark


class FastDepth:
    """Depth of pictures, all squeezed to one square, as the authors squeeze 304 x 228."""

    def __init__(self, network: "torch.nn.Module", side: int) -> None:
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
    ) -> "FastDepth":
        """The network with its weights, batch norm folded into the convolutions.

        `config`: `side` in pixels, a multiple of 32; it was trained at 224.
        """
        maps.check_config(config, "side")
        side = int(config["side"])
        if side < _MULTIPLE or side % _MULTIPLE:
            raise ValueError(f"'side' must be a multiple of {_MULTIPLE}, not {side}")
        network = build()
        network.load_state_dict(read_state(weights), strict=True)
        network.eval().to(device, dtype_of(precision))
        return cls(network, side)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [side, side, 3] of a picture uint8 [h, w, 3]."""
        square = (self._side, self._side)
        return np.asarray(Image.fromarray(rgb).resize(square, Image.Resampling.BILINEAR))

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Maps of 1 / metres from the least to the greatest; confidence 0 if flat."""
        return maps.by_shape(batch, lambda some: [_near(metres) for metres in self.metres(some)])

    def metres(self, pictures: np.ndarray) -> np.ndarray:
        """Depth float32 [n, h, w] in metres of pictures uint8 [n, h, w, 3]."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            depth = _forward(self._network, (x / 255).to(self._dtype))
            metres: np.ndarray = depth[:, 0].float().cpu().numpy()
        return metres


def _near(metres: np.ndarray) -> Map:
    pixels, varies = maps.min_max(1 / np.maximum(metres, _NEAREST))
    return Map(pixels, float(varies))


def build() -> "torch.nn.ModuleDict":
    """The layers, without weights, under the names of the weight file."""
    from torch.nn import Conv2d, Module, ModuleDict, ModuleList

    def block(narrow: int, wide: int, kernel: int, stride: int) -> Module:
        depthwise = Conv2d(narrow, narrow, kernel, stride, kernel // 2, groups=narrow)
        return ModuleDict({"dw": depthwise, "pw": Conv2d(narrow, wide, 1)})

    return ModuleDict(
        {
            "stem": Conv2d(3, 16, 3, 2, 1),
            "encoder": ModuleList(block(narrow, wide, 3, step) for narrow, wide, step in _ENCODER),
            "decoder": ModuleList(block(narrow, wide, 5, 1) for narrow, wide in _DECODER),
            "out": Conv2d(16, 1, 1),
        }
    )


def _forward(layers: Any, x: "torch.Tensor") -> "torch.Tensor":
    """Metres [n, 1, h, w] of pictures [n, 3, h, w] in 0..1."""
    from torch.nn.functional import interpolate, relu, relu6

    kept = []
    x = relu6(layers["stem"](x))  # [n, 16, h/2, w/2]
    for number, block in enumerate(layers["encoder"]):
        x = relu6(block["pw"](relu6(block["dw"](x))))
        if number in _SKIPS:
            kept.append(x)
    # [n, 512, h/32, w/32]; each block of the decoder doubles the sides
    for number, block in enumerate(layers["decoder"]):
        x = relu(block["pw"](relu(block["dw"](x))))
        x = interpolate(x, scale_factor=2, mode="nearest")
        if 1 <= number <= len(_SKIPS):
            x = x + kept.pop()
    return relu(layers["out"](x))
