"""U2-Net and U2-Net-p: what stands out in a picture, as a soft mask.

Source: Qin et al. 2020, xuebinqin/U-2-Net; the names of the weights are the authors'. Upsampling
is bilinear without aligned corners and pictures are resized by scikit-image without smoothing, as
their published masks were made.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map
from instruct_imagen_data.annotators.precision import dtype_of
from instruct_imagen_data.annotators.weights import read_state

if TYPE_CHECKING:
    import torch

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIDES = 6
# (name, depth or 0 for dilated; channels in, within and out) of each residual U-block.
ARCHITECTURES: dict[str, tuple[tuple[str, int, int, int, int], ...]] = {
    "u2net": (
        ("stage1", 7, 3, 32, 64), ("stage2", 6, 64, 32, 128), ("stage3", 5, 128, 64, 256),
        ("stage4", 4, 256, 128, 512), ("stage5", 0, 512, 256, 512), ("stage6", 0, 512, 256, 512),
        ("stage5d", 0, 1024, 256, 512), ("stage4d", 4, 1024, 128, 256),
        ("stage3d", 5, 512, 64, 128), ("stage2d", 6, 256, 32, 64), ("stage1d", 7, 128, 16, 64),
    ),
    "u2netp": (
        ("stage1", 7, 3, 16, 64), ("stage2", 6, 64, 16, 64), ("stage3", 5, 64, 16, 64),
        ("stage4", 4, 64, 16, 64), ("stage5", 0, 64, 16, 64), ("stage6", 0, 64, 16, 64),
        ("stage5d", 0, 128, 16, 64), ("stage4d", 4, 128, 16, 64), ("stage3d", 5, 128, 16, 64),
        ("stage2d", 6, 128, 16, 64), ("stage1d", 7, 128, 16, 64),
    ),
}  # fmt: skip


class U2Net:
    """Soft masks of pictures, white object on black."""

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
    ) -> "U2Net":
        """The network with its weights.

        `config`: `architecture`, a name in ARCHITECTURES, and `side` in pixels: 320 as trained.
        """
        maps.check_config(config, "architecture", "side")
        side = int(config["side"])
        network = build(config["architecture"])
        network.load_state_dict(read_state(weights), strict=True)
        network.eval().to(device, dtype_of(precision))
        return cls(network, side)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """float32 [side, side, 3] of a picture uint8 [h, w, 3]: resized whole, normalised.

        Values are divided by the picture's maximum, then ImageNet's mean and deviation.
        """
        from skimage.transform import resize

        size = (self._side, self._side)
        small = rgb / 255
        if rgb.shape[:2] != size:
            small = resize(rgb, size, mode="constant", anti_aliasing=False)
        greatest = small.max() or 1.0  # a black picture stays black
        prepared: np.ndarray = ((small / greatest - MEAN) / STD).astype(np.float32)
        return prepared

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        """Masks from the least to the greatest value; confidence is the greatest before that."""
        return maps.by_shape(batch, lambda some: [_mask(one) for one in self.saliency(some)])

    def saliency(self, prepared: np.ndarray) -> np.ndarray:
        """The fused output float32 [n, side, side] in 0..1 of prepared pictures."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(prepared).to(self._device).permute(0, 3, 1, 2).to(self._dtype)
            found: np.ndarray = forward(self._network, x)[0][:, 0].float().cpu().numpy()
        return found


def _mask(saliency: np.ndarray) -> Map:
    return Map(maps.min_max(saliency)[0], float(saliency.max()))


def build(architecture: str) -> "torch.nn.ModuleDict":
    """The layers, without weights, under the authors' names.

    Raises:
      ValueError: no such architecture.
    """
    from torch.nn import Conv2d, ModuleDict

    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ValueError(f"unknown 'architecture' {architecture!r}; known: {known}")
    stages = ARCHITECTURES[architecture]
    layers = {name: _u_block(*shape) for name, *shape in stages}
    wide = {name: out for name, *_, out in stages}
    outputs = ["stage1d", "stage2d", "stage3d", "stage4d", "stage5d", "stage6"]
    sides = {f"side{i}": Conv2d(wide[name], 1, 3, padding=1) for i, name in enumerate(outputs, 1)}
    return ModuleDict({**layers, **sides, "outconv": Conv2d(_SIDES, 1, 1)})


def _u_block(depth: int, narrow: int, within: int, out: int) -> "torch.nn.ModuleDict":
    """A residual U-block: `depth` levels, or four levels by dilation for 0."""
    from torch.nn import BatchNorm2d, Conv2d, ModuleDict

    def unit(channels: int, wide: int, dilation: int) -> ModuleDict:
        conv = Conv2d(channels, wide, 3, padding=dilation, dilation=dilation)
        return ModuleDict({"conv_s1": conv, "bn_s1": BatchNorm2d(wide)})

    levels = depth or 4
    # Only the innermost level of a pooled block is dilated, all levels of the other kind.
    rates = [1] * (levels - 1) + [2] if depth else [1, 2, 4, 8]
    units = {"rebnconvin": unit(narrow, out, 1), "rebnconv1": unit(out, within, rates[0])}
    for level in range(2, levels + 1):
        units[f"rebnconv{level}"] = unit(within, within, rates[level - 1])
    for level in range(levels - 1, 0, -1):
        wide = out if level == 1 else within
        units[f"rebnconv{level}d"] = unit(2 * within, wide, rates[level - 1])
    return ModuleDict(units)


def forward(layers: Any, x: "torch.Tensor") -> list["torch.Tensor"]:
    """Seven maps [n, 1, h, w] in 0..1 of pictures [n, 3, h, w]: the fused one, then the sides."""
    import torch
    from torch.nn.functional import max_pool2d

    size, kept = x.shape[2:], []
    for level in range(1, _SIDES + 1):
        x = _run_block(layers[f"stage{level}"], x, pooled=level < 5)
        kept.append(x)
        if level < _SIDES:
            x = max_pool2d(x, 2, 2, ceil_mode=True)
    found = [kept.pop()]  # the deepest first
    for level in range(_SIDES - 1, 0, -1):
        skip = kept.pop()
        both = torch.cat((_enlarge(found[-1], skip.shape[2:]), skip), dim=1)
        found.append(_run_block(layers[f"stage{level}d"], both, pooled=level < 5))
    sides = [layers[f"side{i}"](one) for i, one in enumerate(reversed(found), 1)]
    sides = [_enlarge(one, size) for one in sides]
    fused = layers["outconv"](torch.cat(sides, dim=1))
    return [one.sigmoid() for one in (fused, *sides)]


def _run_block(units: Any, x: "torch.Tensor", *, pooled: bool) -> "torch.Tensor":
    """A residual U-block; `pooled`: its levels halve the size, else they dilate."""
    import torch
    from torch.nn.functional import max_pool2d

    def run(name: str, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = units[name]["bn_s1"](units[name]["conv_s1"](x))
        return normed.relu()

    levels = len(units) // 2  # "in", then each level down, and each but the last up
    outer = run("rebnconvin", x)
    kept = [run("rebnconv1", outer)]
    for level in range(2, levels + 1):
        # the innermost level sees the size of the one above it
        smaller = pooled and level < levels
        x = max_pool2d(kept[-1], 2, 2, ceil_mode=True) if smaller else kept[-1]
        kept.append(run(f"rebnconv{level}", x))
    x = kept.pop()
    for level in range(levels - 1, 0, -1):
        skip = kept.pop()
        x = run(f"rebnconv{level}d", torch.cat((_enlarge(x, skip.shape[2:]), skip), dim=1))
    return x + outer


def _enlarge(x: "torch.Tensor", size: Sequence[int]) -> "torch.Tensor":
    from torch.nn.functional import interpolate

    return interpolate(x, tuple(size), mode="bilinear") if x.shape[2:] != tuple(size) else x
