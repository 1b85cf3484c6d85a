"""CLIP: pictures and text as unit vectors of one space, by open_clip.

Any architecture that open_clip knows by name, or a configuration file of one's own, with a local
checkpoint. Preprocessing is open_clip's.
"""

import json
import logging
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from instruct_imagen_data.annotators.precision import BATCH
from instruct_imagen_data.errors import UsageError

if TYPE_CHECKING:
    import torch

_LOCAL = "local-dir:"  # open_clip's prefix for a folder with an open_clip_config.json


class Clip:
    """Embeds pictures and texts in vectors of `dimension` numbers."""

    def __init__(self, network: Any, tokenizer: Any, precision: str) -> None:
        import open_clip
        import torch
        from torchvision.transforms import Compose

        settings = network.visual.preprocess_cfg
        steps = open_clip.image_transform(
            image_size=settings["size"],
            is_train=False,
            interpolation=settings["interpolation"],
            resize_mode=settings["resize_mode"],
            fill_color=settings["fill_color"],
        )
        self._network = network
        self._tokenizer = tokenizer
        self._device = next(network.parameters()).device
        self._dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        # The last two turn a picture into a tensor and normalise it: done on whole batches here.
        self._crop = Compose(steps.transforms[:-2])
        self._mean = torch.tensor(settings["mean"], device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(settings["std"], device=self._device).view(1, 3, 1, 1)
        self.dimension: int = self.texts(["a picture"]).shape[1]

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "Clip":
        """The network with its weights, ready for inference.

        Args:
          weights: safetensors or a `.pt` file, with open_clip's or OpenAI's names.
          config: `architecture`, a name of open_clip's or the Path of a JSON file (an
            `open_clip_config.json`, or its `model_cfg` alone); and `vocabulary`, the Path of a
            gzipped list of BPE merges, where it is not open_clip's own.
          precision: fp32, bf16 or fp16; the network is created in it.
          device: cpu or a CUDA device.

        Raises:
          UsageError: the tokenizer's vocabulary is not the one the network was trained with.
        """
        import torch

        network = build(config["architecture"], precision, device)
        _load_checkpoint(network, weights)
        tokenizer = tokenizer_of(network, config["architecture"], config.get("vocabulary"))
        network.eval().to(memory_format=torch.channels_last)
        return cls(network, tokenizer, precision)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [side, side, 3] of a picture uint8 [h, w, 3], resized and cropped as trained."""
        return np.asarray(self._crop(Image.fromarray(rgb)))

    def images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors float32 [n, dimension] of prepared pictures, one each, in order."""
        import torch

        rows = []
        with torch.inference_mode():
            for start in range(0, len(batch), BATCH):
                pixels = torch.from_numpy(np.stack(batch[start : start + BATCH]))
                # [n, 3, side, side] by strides alone: rows of RGB are what channels-last means
                pixels = pixels.to(self._device).permute(0, 3, 1, 2)
                pixels = ((pixels / 255 - self._mean) / self._std).to(self._dtype)
                rows.append(_unit(self._network.encode_image(pixels)))
        return np.concatenate([np.empty((0, self.dimension), np.float32), *rows])

    def texts(self, batch: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dimension] of texts, cut at the context length, in order."""
        import torch

        rows = []
        with torch.inference_mode():
            for start in range(0, len(batch), BATCH):
                tokens = self._tokenizer(list(batch[start : start + BATCH]))
                rows.append(_unit(self._network.encode_text(tokens.to(self._device))))
        return np.concatenate(rows) if rows else np.empty((0, self.dimension), np.float32)


def build(architecture: str | Path, precision: str = "fp32", device: str = "cpu") -> Any:
    """open_clip's network without weights, by a name it knows or a JSON file.

    Raises:
      UsageError: open_clip has no such name, or the file is no configuration.
    """
    import open_clip

    name = _name(architecture)
    if not name.startswith(_LOCAL) and name not in open_clip.list_models():
        raise UsageError(f"open_clip has no architecture {name!r}")
    root = logging.getLogger()
    root.addFilter(_nothing)  # it warns, on the root logger, that there are no weights: not yet
    try:
        return open_clip.create_model(
            name, load_weights=False, precision=precision, device=device, pretrained_text=False
        )
    finally:
        root.removeFilter(_nothing)


def tokenizer_of(network: Any, architecture: str | Path, vocabulary: Path | None) -> Any:
    """open_clip's tokenizer: texts -> ids [n, context length].

    Raises:
      UsageError: the vocabulary is not of the network's size. Too large a one would look up ids
        past the end of the table; open_clip does not notice.
    """
    import open_clip

    options = {} if vocabulary is None else {"bpe_path": str(vocabulary)}
    tokenizer = open_clip.get_tokenizer(_name(architecture), **options)
    size = getattr(tokenizer, "vocab_size", None) or len(tokenizer.tokenizer)
    rows = getattr(network, "vocab_size", None) or network.text.vocab_size
    if size != rows:
        raise UsageError(
            f"image_text: the tokenizer has {size} ids and the network {rows}: set 'vocabulary' "
            "to the merges it was trained with"
        )
    return tokenizer


def _name(architecture: str | Path) -> str:
    """What open_clip calls it; a file of one's own is made known to open_clip first."""
    import open_clip

    if isinstance(architecture, str):
        return architecture
    try:
        if "model_cfg" in json.loads(architecture.read_text()):
            return f"{_LOCAL}{architecture.parent}"
    except (OSError, ValueError) as error:
        raise UsageError(f"image_text: {architecture} is no configuration: {error}") from error
    open_clip.add_model_config(architecture)
    return architecture.stem


def _load_checkpoint(network: Any, weights: Path) -> None:
    """Puts the weights into the network, all of them."""
    import open_clip
    import torch

    if not _is_torchscript(weights):
        open_clip.load_checkpoint(network, str(weights), strict=True, weights_only=True)
        return
    with warnings.catch_warnings():  # OpenAI published TorchScript, which torch deprecates
        warnings.simplefilter("ignore", FutureWarning)
        load: Any = torch.jit.load
        state = load(str(weights), map_location="cpu").state_dict()
    for name in ("input_resolution", "context_length", "vocab_size"):
        state.pop(name, None)  # buffers of OpenAI's archive, not weights
    network.load_state_dict(state, strict=True)


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _unit(vectors: "torch.Tensor") -> np.ndarray:
    """float32 rows of length 1."""
    from torch.nn import functional

    unit: np.ndarray = functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return unit


def _nothing(record: logging.LogRecord) -> bool:
    return False
