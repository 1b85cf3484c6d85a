"""MiDaS, DPT-Hybrid: relative inverse depth, bright where near.

Source: Ranftl et al. 2021; the network as controlnet-aux has it, without its detector, which takes
one picture at a time. Pictures are seen as ControlNet's apps show them: at detection size, in
-1..1, without the 384-pixel transform of the authors (FACTS 72).
"""

import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from instruct_imagen_data.annotators import controlnet, maps
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.annotators.precision import dtype_of
from instruct_imagen_data.annotators.weights import read_state

if TYPE_CHECKING:
    import torch

_BACKBONE = "vitb_rn50_384"
_HOOKED_BLOCKS = {"3": 8, "4": 11}  # of the transformer, by the name of what they give


class Midas:
    """Depth of pictures."""

    def __init__(self, network: Any, side: int) -> None:
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
    ) -> "Midas":
        """The network with its weights. `config`: `side`, the shorter side it sees, in pixels;
        ControlNet's apps take 384.
        """
        maps.check_config(config, "side")
        side = int(config["side"])
        network = build()
        network.load_state_dict(read_state(weights), strict=True)
        network.eval().to(device, dtype_of(precision))
        return cls(network, side)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [h, w, 3] at the detection size of a picture uint8 [h, w, 3]."""
        return maps.to_detection_size(rgb, self._side)

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Depth of prepared pictures from the least to the greatest; confidence 0 if flat."""
        return maps.by_shape(batch, lambda some: [_near(one) for one in self.inverse_depth(some)])

    def inverse_depth(self, pictures: np.ndarray) -> np.ndarray:
        """Relative, float32 [n, h, w], of pictures uint8 [n, h, w, 3]."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            depth = self._network((x / 127.5 - 1).to(self._dtype))
            self._network.pretrained.activations.values.clear()  # they are hundreds of MB
            values: np.ndarray = depth.float().cpu().numpy()
        return values


def _near(inverse_depth: np.ndarray) -> Map:
    pixels, varies = maps.min_max(inverse_depth)
    return Map(pixels, float(varies))


def build() -> "torch.nn.Module":
    """The network without weights: pictures [n, 3, h, w] in -1..1 -> [n, h, w]."""
    model = controlnet.module("midas.midas.dpt_depth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm: the backbone's name is an old one
        network: torch.nn.Module = model.DPTDepthModel(
            path=None, backbone=_BACKBONE, non_negative=True
        )
    _rehook(network)
    return network


class _PerThread(threading.local):
    """A dictionary of its own for each thread."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.values[name] = value


def _rehook(network: Any) -> None:
    """Keeps what the hooked layers give for each thread apart.

    The original keeps it in one dictionary a process: two threads that share a network would
    get each other's pictures.
    """
    backbone = network.pretrained
    stages = backbone.model.patch_embed.backbone.stages
    hooked = {"1": stages[0], "2": stages[1]}
    hooked |= {name: backbone.model.blocks[i] for name, i in _HOOKED_BLOCKS.items()}
    backbone.activations = _PerThread()
    for name, layer in hooked.items():
        layer._forward_hooks.clear()
        layer.register_forward_hook(_keep(backbone.activations, name))


def _keep(activations: _PerThread, name: str) -> Any:
    def hook(layer: Any, given: Any, output: Any) -> None:
        activations[name] = output

    return hook
