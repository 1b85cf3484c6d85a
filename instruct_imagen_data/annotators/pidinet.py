"""PiDiNet: edges by pixel-difference convolutions, here turned into plain ones of equal result.

Source: Su et al. 2021, hellozhuo/pidinet, configuration carv4. Pictures are normalised as by its
authors, RGB with ImageNet's mean and deviation; controlnet-aux's detector feeds BGR in 0..1, which
gives softer edges (correlation .83 to .92 with the authors' maps, ours .994).
"""

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

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CHANNELS = 60
_DILATION = 24
_KINDS = ("cd", "ad", "rd", "cv")  # of the 16 convolutions, in turn
# Neighbours of a 3x3 kernel turned by one step, and places of them in a 5x5 kernel.
_TURNED = [3, 0, 1, 6, 4, 2, 7, 8, 5]
_FAR = [0, 2, 4, 10, 14, 20, 22, 24]
_NEAR = [6, 7, 8, 11, 13, 16, 17, 18]


class PidiNet:
    """Edges of pictures, white on black."""

    def __init__(self, network: "torch.nn.Module", side: int | None) -> None:
        import torch

        self._network = network
        self._side = side
        weight = next(network.parameters())
        self._device, self._dtype = weight.device, weight.dtype
        self._mean = torch.tensor(MEAN, device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(STD, device=self._device).view(1, 3, 1, 1)

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "PidiNet":
        """The network with its weights.

        `config`: `side`, the shorter side it sees, in pixels; without it each picture is seen at
        its own size, as by the authors.
        """
        maps.check_config(config, "side")
        side = int(config["side"]) if "side" in config else None
        model = controlnet.module("pidi.model")
        kinds = [_KINDS[i % len(_KINDS)] for i in range(16)]
        network = model.PiDiNet(_CHANNELS, kinds, dil=_DILATION, sa=True, convert=True)
        network.load_state_dict(plain(read_state(weights)), strict=True)
        network.eval().to(device, dtype_of(precision))
        return cls(network, side)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [h, w, 3] at the detection size of a picture uint8 [h, w, 3]."""
        return rgb if self._side is None else maps.to_detection_size(rgb, self._side)

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Edges of prepared pictures, one each, in order."""
        return maps.by_shape(
            batch, lambda some: [Map(maps.to_bytes(one)) for one in self.edges(some)]
        )

    def edges(self, pictures: np.ndarray) -> np.ndarray:
        """Fused probabilities float32 [n, h, w] of pictures uint8 [n, h, w, 3]."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            fused = self._network(((x / 255 - self._mean) / self._std).to(self._dtype))[-1]
            edges: np.ndarray = fused[:, 0].float().cpu().numpy()
        return edges


def plain(state: Mapping[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """The weights with each pixel-difference kernel as the plain kernel of equal result.

    Source: section 3.1 of the paper; `convert_pidinet` of the authors. The kernels are in the
    order of the network: `init_block.weight`, then `block1_1.conv1.weight` and so on.
    """
    kernels = [f"block{i}_{j}.conv1.weight" for i in range(1, 5) for j in range(1, 5)]
    kernels = ["init_block.weight", *(name for name in kernels if name != "block1_4.conv1.weight")]
    kinds = {name: _KINDS[number % len(_KINDS)] for number, name in enumerate(kernels)}
    return {name: _plain(w.float(), kinds.get(name, "cv")) for name, w in state.items()}


def _plain(kernel: "torch.Tensor", kind: str) -> "torch.Tensor":
    """A 3x3 kernel of differences as a plain one: 3x3, and 5x5 for radial differences."""
    if kind == "cv":
        return kernel
    plain = kernel.flatten(2).clone()  # [out, in, 9]
    if kind == "cd":  # each neighbour minus the centre
        plain[:, :, 4] -= plain.sum(dim=2)
        return plain.view_as(kernel)
    if kind == "ad":  # each neighbour minus the next one around the centre
        return (plain - plain[:, :, _TURNED]).view_as(kernel)
    radial = kernel.new_zeros(*kernel.shape[:2], 25)  # a far pixel minus the near one inwards
    radial[:, :, _FAR] = plain[:, :, 1:]
    radial[:, :, _NEAR] = -plain[:, :, 1:]
    return radial.view(*kernel.shape[:2], 5, 5)
