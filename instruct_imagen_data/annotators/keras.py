"""MobileNet weights out of a Keras HDF5 file, under timm's names.

For `timm.create_model("mobilenetv1_100", pad_type="same", bn_eps=1e-3)`: Keras pads stride-2
layers at the bottom and right only, and its batch norm adds 1e-3.
"""

from pathlib import Path
from typing import Any

import numpy as np

from instruct_imagen_data.errors import UsageError

_BLOCKS = (1, 2, 2, 6, 2)  # depthwise-separable layers in each of timm's stages; Keras counts on
_Layers = dict[str, dict[str, np.ndarray]]  # layer -> variable -> array
_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def read_mobilenet(path: Path) -> dict[str, np.ndarray]:
    """timm's state dict of a Keras MobileNet with average pooling and a dense ten-bin head.

    Any width multiplier. Reads `save_weights` files and whole models (`save`) of Keras 1 and 2.

    Raises:
      UsageError: the file is no HDF5, or a layer of MobileNet is not in it.
    """
    layers = _read_layers(path)
    state = {"conv_stem.weight": _convolution(_take(layers, "conv1", "kernel", path))}
    state |= _batch_norm(layers, "conv1_bn", "bn1", path)
    number = 0
    for stage, blocks in enumerate(_BLOCKS):
        for block in range(blocks):
            number += 1
            ours = f"blocks.{stage}.{block}"
            depthwise = _take(layers, f"conv_dw_{number}", "depthwise_kernel", path)
            # Keras [h, w, channels, 1] -> [channels, 1, h, w]
            state[f"{ours}.conv_dw.weight"] = np.ascontiguousarray(depthwise.transpose(2, 3, 0, 1))
            state |= _batch_norm(layers, f"conv_dw_{number}_bn", f"{ours}.bn1", path)
            pointwise = _take(layers, f"conv_pw_{number}", "kernel", path)
            state[f"{ours}.conv_pw.weight"] = _convolution(pointwise)
            state |= _batch_norm(layers, f"conv_pw_{number}_bn", f"{ours}.bn2", path)
    head = next((name for name in layers if name.startswith("dense")), "dense")
    state["classifier.weight"] = np.ascontiguousarray(_take(layers, head, "kernel", path).T)
    state["classifier.bias"] = _take(layers, head, "bias", path)
    return state


def _read_layers(path: Path) -> _Layers:
    """All layers, from names such as `conv1_bn/conv1_bn/gamma:0`."""
    import h5py

    layers: _Layers = {}

    def keep(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            layer, variable = name.split("/")[-2:]
            layers.setdefault(layer, {})[variable.partition(":")[0]] = np.asarray(node, np.float32)

    try:
        with h5py.File(path, "r") as file:
            file.get("model_weights", file).visititems(keep)
    except OSError as error:
        raise UsageError(f"{path} is no HDF5 file: {error}") from error
    return layers


def _take(layers: _Layers, layer: str, name: str, path: Path) -> np.ndarray:
    try:
        return layers[layer][name]
    except KeyError:
        raise UsageError(f"{path} is no MobileNet NIMA of Keras: no {layer}/{name} in it") from None


def _convolution(kernel: np.ndarray) -> np.ndarray:
    """Keras [h, w, in, out] -> torch [out, in, h, w]."""
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def _batch_norm(layers: _Layers, theirs: str, ours: str, path: Path) -> dict[str, np.ndarray]:
    state = {
        f"{ours}.{name}": _take(layers, theirs, keras_name, path)
        for name, keras_name in _BATCH_NORM.items()
    }
    state[f"{ours}.num_batches_tracked"] = np.zeros((), np.int64)
    return state
