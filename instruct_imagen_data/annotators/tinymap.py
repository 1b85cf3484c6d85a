"""A small network for depth, edge, mask or contour maps: the embedded set's, by config.

This project's own: strided convolutions down, the mean of the deepest level added to each of its
places, and back up by skips; the last layer paints 2 x 2 pixels a place. Trained on the planted
world (`training/maps.py`) and of no use on real pictures.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.annotators.precision import dtype_of
from instruct_imagen_data.annotators.weights import read_state

if TYPE_CHECKING:
    import torch

Padding = Literal["zeros", "replicate"]  # of every convolution
_LEVELS = 6  # at most: pictures have sides of multiples of 64
PAINTED = 4  # pixels of a map that the head paints at each place: 2 x 2
FLAT = 0.15  # range of depth, of 1, up to which all is equally far; planted truth has 0.3 at least
FAINT = 0.25  # probability of a line below which none is drawn: plain black has a haze of them


def _depth(near: np.ndarray) -> Map:
    pixels, varies = maps.min_max(near)
    if not varies or float(near.max() - near.min()) <= FLAT:
        return Map(np.zeros_like(pixels), 0.0)
    return Map(pixels)


def _mask(saliency: np.ndarray) -> Map:
    return Map(maps.min_max(saliency)[0], float(saliency.max()))


def _lines(probability: np.ndarray) -> Map:
    return Map(maps.to_bytes(np.where(probability < FAINT, 0, probability)))


# What becomes of an output float32 [h, w] in 0..1, by kind. Near is bright, and lines are white.
KINDS: Mapping[str, Callable[[np.ndarray], Map]] = {
    "depth": _depth,
    "edge": _lines,
    "mask": _mask,
    "contour": _lines,
}


class TinyMap:
    """Maps of one kind."""

    def __init__(self, network: "torch.nn.ModuleDict", kind: str, side: int) -> None:
        self._network = network
        self._map = KINDS[kind]
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
    ) -> "TinyMap":
        """The network with its weights.

        `config`: `kind`, a name in KINDS; `side` in pixels, of the shorter side; `widths`, the
        channels at a half, a quarter ... of the size; `padding`, "zeros", which tell the network
        how far it is from the border, or "replicate", so that the border is no edge.
        """
        maps.check_config(config, "kind", "side", "widths", "padding")
        if config["kind"] not in KINDS:
            raise ValueError(f"unknown 'kind' {config['kind']!r}; known: {', '.join(KINDS)}")
        network = build(config["widths"], config["padding"])
        network.load_state_dict(read_state(weights), strict=True)
        network.eval().to(device, dtype_of(precision))
        return cls(network, config["kind"], int(config["side"]))

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [h, w, 3]: shorter side `side`, both sides multiples of 64."""
        return maps.to_detection_size(rgb, self._side)

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Maps of prepared pictures, each of its picture's size."""
        return maps.by_shape(batch, lambda some: [self._map(one) for one in self.outputs(some)])

    def outputs(self, prepared: np.ndarray) -> np.ndarray:
        """float32 [n, h, w] in 0..1 of prepared pictures uint8 [n, h, w, 3]."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(prepared).to(self._device).permute(0, 3, 1, 2)
            logits = forward(self._network, (x / 127.5 - 1).to(self._dtype))
            found: np.ndarray = logits.float().sigmoid()[:, 0].cpu().numpy()
        return found


def build(widths: Sequence[int], padding: Padding, count: int = 1) -> "torch.nn.ModuleDict":
    """The layers, without weights; in training, one network paints `count` maps.

    Raises:
      ValueError: fewer than two widths, or more than the sides of pictures can be halved.
    """
    from torch.nn import Conv2d, Module, ModuleDict

    if not 2 <= len(widths) <= _LEVELS:
        raise ValueError(f"'widths' of {len(widths)} levels: 2 to {_LEVELS}")
    layers: dict[str, Module] = {"stem": _unit(3, widths[0], 4, 2, padding)}
    for level, (above, wide) in enumerate(itertools.pairwise(widths), 1):
        layers[f"down{level}"] = _unit(above, wide, 3, 2, padding)
        layers[f"stay{level}"] = _unit(wide, wide, 3, 1, padding)
        layers[f"narrow{level}"] = Conv2d(wide, above, 1)
        layers[f"up{level}"] = _unit(above, above, 3, 1, padding)
    layers["whole"] = Conv2d(widths[-1], widths[-1], 1)
    layers["head"] = Conv2d(widths[0], PAINTED * count, 3, padding=1, padding_mode=padding)
    return ModuleDict(layers)


def _unit(
    narrow: int, wide: int, side: int, stride: int, padding: Padding
) -> "torch.nn.ModuleDict":
    from torch.nn import BatchNorm2d, Conv2d, ModuleDict

    conv = Conv2d(narrow, wide, side, stride, padding=1, bias=False, padding_mode=padding)
    return ModuleDict({"conv": conv, "norm": BatchNorm2d(wide)})


def forward(layers: Any, x: "torch.Tensor") -> "torch.Tensor":
    """Logits [n, count, h, w] of pictures [n, 3, h, w] in -1..1."""
    from torch.nn.functional import interpolate, pixel_shuffle

    def run(name: str, x: "torch.Tensor") -> "torch.Tensor":
        normed: torch.Tensor = layers[name]["norm"](layers[name]["conv"](x))
        return normed.relu()

    levels = sum(name.startswith("down") for name in layers)
    x = run("stem", x)  # [n, widths[0], h / 2, w / 2]
    kept = []
    for level in range(1, levels + 1):
        kept.append(x)
        x = run(f"down{level}", x)
        x = x + run(f"stay{level}", x)
    x = x + layers["whole"](x.mean(dim=(2, 3), keepdim=True))
    for level in range(levels, 0, -1):
        x = interpolate(layers[f"narrow{level}"](x), scale_factor=2.0) + kept.pop()
        x = x + run(f"up{level}", x)
    painted: torch.Tensor = pixel_shuffle(layers["head"](x), 2)
    return painted
