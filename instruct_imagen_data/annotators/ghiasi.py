"""Arbitrary style transfer by two networks: a predictor of style codes, and a transformer.

The predictor turns a style picture into a code of 100 numbers; the transformer paints a content
picture, and the code sets the scale and shift of its normalised channels. Source: Ghiasi et al.
2017; the layers are those of Magenta's mobile variant, whose predictor is a MobileNetV2 and whose
transformer has a quarter of the channels (FACTS 61 and 62 describe the large one).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.precision import BATCH, dtype_of
from instruct_imagen_data.annotators.styles import STYLE_SIDE
from instruct_imagen_data.annotators.weights import read_state

if TYPE_CHECKING:
    import torch

CODE = 100
_BACKBONE = "mobilenetv2_100"
_FEATURES = 1280
_MULTIPLE = 4  # pixels; the transformer halves twice and doubles twice
_EPSILON = 1e-5
_RESIDUAL = 5


class Ghiasi:
    """Paints pictures in the style of others, several styles in one batch."""

    def __init__(self, predictor: Any, transformer: Any) -> None:
        self._predictor = predictor
        self._transformer = transformer
        weight = next(transformer.parameters())
        self._device, self._dtype = weight.device, weight.dtype

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "Ghiasi":
        """Both networks with their weights: `weights` is the transformer's file.

        `config`: `predictor`, the Path of the predictor's file.

        Raises:
          ValueError: there is no predictor file.
        """
        maps.check_config(config, "predictor")
        file = Path(config["predictor"])
        if not file.is_file():
            raise ValueError(f"no 'predictor' file at {file}")
        predictor, transformer = build_predictor(), build_transformer()
        predictor.load_state_dict(read_state(file), strict=True)
        transformer.load_state_dict(read_state(weights), strict=True)
        # Codes in bf16 are off by .15, which shows, and a style is seen once: always float32.
        predictor.eval().to(device)
        transformer.eval().to(device, dtype_of(precision))
        return cls(predictor, transformer)

    def prepare_style(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [256, 256, 3]: the centre square of a picture uint8 [h, w, 3], resized."""
        height, width = rgb.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = rgb[top : top + side, left : left + side]
        method = cv2.INTER_CUBIC if side < STYLE_SIDE else cv2.INTER_AREA
        resized: np.ndarray = cv2.resize(square, (STYLE_SIDE, STYLE_SIDE), interpolation=method)
        return resized

    def codes(self, styles: Sequence[np.ndarray]) -> np.ndarray:
        """Codes float32 [n, 100] of prepared styles, one each, in order."""
        import torch

        rows = [np.empty((0, CODE), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(styles), BATCH):
                x = self._pixels(np.stack(styles[start : start + BATCH]))
                code = self._predictor["head"](self._predictor["backbone"](x))
                rows.append(code.cpu().numpy())
        return np.concatenate(rows)

    def prepare_content(self, rgb: np.ndarray, side: int) -> np.ndarray:
        """uint8 [h, w, 3] of a picture: shorter side `side`, both sides multiples of 4."""
        return maps.to_detection_size(rgb, side, _MULTIPLE)

    def content_codes(self, contents: Sequence[np.ndarray]) -> np.ndarray:
        """Codes float32 [n, 100] of prepared contents, each seen as if it were a style."""
        return self.codes([self.prepare_style(rgb) for rgb in contents])

    def __call__(self, contents: Sequence[np.ndarray], codes: np.ndarray) -> list[np.ndarray]:
        """Prepared contents in the styles of codes [n, 100]: uint8 [h, w, 3], one each, in order.

        Raises:
          ValueError: there is not one code for each content.
        """
        if codes.shape != (len(contents), CODE):
            raise ValueError(f"{len(contents)} contents and codes of {codes.shape}")
        painted: dict[int, np.ndarray] = {}
        for some in maps.together(contents):
            values = self.paint(np.stack([contents[i] for i in some]), codes[some])
            painted.update(zip(some, np.round(values * 255).astype(np.uint8), strict=True))
        return [painted[position] for position in range(len(contents))]

    def paint(self, contents: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """float32 [n, h, w, 3] in 0..1 of contents uint8 [n, h, w, 3] and codes [n, 100]."""
        import torch

        with torch.inference_mode():
            code = torch.from_numpy(codes).to(self._device, self._dtype)
            x = forward(self._transformer, self._pixels(contents).to(self._dtype), code)
            painted: np.ndarray = x.permute(0, 2, 3, 1).float().cpu().numpy()
        return painted

    def _pixels(self, rgb: np.ndarray) -> "torch.Tensor":
        """[n, 3, h, w] in 0..1 of pictures uint8 [n, h, w, 3]; there is no mean or deviation."""
        import torch

        return torch.from_numpy(rgb).to(self._device).permute(0, 3, 1, 2) / 255


def build_predictor() -> "torch.nn.ModuleDict":
    """The layers from styles to codes, without weights.

    Its convolutions pad as TensorFlow's "same" does: on even sides right and bottom only.
    """
    import timm
    from torch.nn import Linear, ModuleDict

    backbone = timm.create_model(_BACKBONE, pretrained=False, num_classes=0, pad_type="same")
    return ModuleDict({"backbone": backbone, "head": Linear(_FEATURES, CODE)})


def build_transformer() -> "torch.nn.ModuleDict":
    """The layers that paint, without weights, under the names of the weight file."""
    from torch.nn import Conv2d, Linear, Module, ModuleDict, ModuleList

    def norm(channels: int) -> Module:
        return ModuleDict({"gamma": Linear(CODE, channels), "beta": Linear(CODE, channels)})

    def residual() -> Module:
        convs = {f"conv{i}": Conv2d(32, 32, 3) for i in (1, 2)}
        return ModuleDict({**convs, **{f"cin{i}": norm(32) for i in (1, 2)}})

    def expand(wide: int, narrow: int, kernel: int) -> Module:
        return ModuleDict({"conv": Conv2d(wide, narrow, kernel), "cin": norm(narrow)})

    contract = (Conv2d(3, 8, 9), Conv2d(8, 16, 3, stride=2), Conv2d(16, 32, 3, stride=2))
    return ModuleDict(
        {
            "contract": ModuleList(contract),
            "residual": ModuleList(residual() for _ in range(_RESIDUAL)),
            "expand": ModuleList((expand(32, 16, 3), expand(16, 8, 3), expand(8, 3, 9))),
        }
    )


def forward(layers: Any, x: "torch.Tensor", code: "torch.Tensor") -> "torch.Tensor":
    """Pictures [n, 3, h, w] in 0..1 of pictures of that kind and codes [n, 100]."""
    from torch.nn.functional import interpolate

    for conv in layers["contract"]:
        x = _convolve(conv, x).relu()  # at last [n, 32, h/4, w/4]
    for block in layers["residual"]:
        inner = _normalise(block["cin1"], _convolve(block["conv1"], x), code).relu()
        x = x + _normalise(block["cin2"], _convolve(block["conv2"], inner), code)
    for block in layers["expand"][:2]:
        x = interpolate(x, scale_factor=2, mode="nearest")
        x = _normalise(block["cin"], _convolve(block["conv"], x), code).relu()
    last = layers["expand"][2]
    return _normalise(last["cin"], _convolve(last["conv"], x), code).sigmoid()


def _convolve(conv: Any, x: "torch.Tensor") -> "torch.Tensor":
    """A convolution of a picture that is mirrored at its border."""
    from torch.nn.functional import pad

    convolved: torch.Tensor = conv(pad(x, [conv.kernel_size[0] // 2] * 4, mode="reflect"))
    return convolved


def _normalise(norm: Any, x: "torch.Tensor", code: "torch.Tensor") -> "torch.Tensor":
    """Conditional instance norm: each channel of each picture scaled and shifted by its code."""
    from torch.nn.functional import instance_norm

    gamma, beta = norm["gamma"](code)[:, :, None, None], norm["beta"](code)[:, :, None, None]
    normed: torch.Tensor = instance_norm(x, eps=_EPSILON) * gamma + beta
    return normed
