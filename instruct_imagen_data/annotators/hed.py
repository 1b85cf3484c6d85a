"""HED: soft edges by a VGG with five side outputs, in ControlNet's own training of it.

Source: Xie and Tu 2015; network and weights of lllyasviel, as controlnet-aux has them (FACTS 71).
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


class Hed:
    """Edges of pictures, white on black."""

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
    ) -> "Hed":
        """The network with its weights. `config`: `side`, the shorter side it sees, in pixels."""
        maps.check_config(config, "side")
        side = int(config["side"])
        network = controlnet.module("hed").ControlNetHED_Apache2()
        network.load_state_dict(read_state(weights), strict=True)
        network.eval().to(device, dtype_of(precision))
        return cls(network, side)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [h, w, 3] at the detection size of a picture uint8 [h, w, 3]."""
        return maps.to_detection_size(rgb, self._side)

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Edges of prepared pictures, one each, in order."""
        return maps.by_shape(
            batch, lambda some: [Map(maps.to_bytes(one)) for one in self.edges(some)]
        )

    def edges(self, pictures: np.ndarray) -> np.ndarray:
        """Probabilities float32 [n, h, w] of pictures uint8 [n, h, w, 3]: the side outputs are
        enlarged and averaged as logits.
        """
        import torch
        from torch.nn.functional import interpolate

        with torch.inference_mode():
            # Values stay in 0..255: the network has their mean among its weights.
            x = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).to(self._dtype)
            sides = [side.float() for side in self._network(x)]  # [n, 1, h / 2^k, w / 2^k]
            size = pictures.shape[1:3]
            logits = [interpolate(one, size, mode="bilinear") for one in sides]
            edges: np.ndarray = torch.stack(logits).mean(dim=0).sigmoid()[:, 0].cpu().numpy()
        return edges
