"""The networks that a model set may name, the roles they serve, and how they are loaded."""

import dataclasses
import pickle
from typing import Any

from safetensors import SafetensorError

from instruct_imagen_data.annotators.captioner.endpoint import OpenaiCaptioner
from instruct_imagen_data.annotators.captioner.local import TransformersCaptioner
from instruct_imagen_data.annotators.clip import Clip
from instruct_imagen_data.annotators.cnniqa import Cnniqa
from instruct_imagen_data.annotators.diffusion import DiffusersStyler
from instruct_imagen_data.annotators.fastdepth import FastDepth
from instruct_imagen_data.annotators.ghiasi import Ghiasi
from instruct_imagen_data.annotators.hed import Hed
from instruct_imagen_data.annotators.midas import Midas
from instruct_imagen_data.annotators.moments import Moments
from instruct_imagen_data.annotators.nima import Nima
from instruct_imagen_data.annotators.photosketch import PhotoSketch
from instruct_imagen_data.annotators.pidinet import PidiNet
from instruct_imagen_data.annotators.roles import ImageTextRole, ModelSet, QualityRole, Role
from instruct_imagen_data.annotators.tinymap import TinyMap
from instruct_imagen_data.annotators.u2net import U2Net
from instruct_imagen_data.annotators.weights import fetch
from instruct_imagen_data.errors import UsageError

NETWORKS: dict[str, Any] = {
    "nima": Nima,
    "cnniqa": Cnniqa,
    "clip": Clip,
    "midas": Midas,
    "fastdepth": FastDepth,
    "hed": Hed,
    "pidinet": PidiNet,
    "u2net": U2Net,
    "photosketch": PhotoSketch,
    "tinymap": TinyMap,
    "ghiasi": Ghiasi,
    "moments": Moments,
    "openai_captioner": OpenaiCaptioner,
    "transformers_captioner": TransformersCaptioner,
    "diffusers_styler": DiffusersStyler,
}
SERVES: dict[str, tuple[str, ...]] = {
    "quality": ("nima", "cnniqa"),
    "image_text": ("clip",),
    "depth": ("midas", "fastdepth", "tinymap"),
    "edge": ("hed", "pidinet", "tinymap"),
    "mask": ("u2net", "tinymap"),
    "contour": ("photosketch", "tinymap"),
    "style_transfer": ("ghiasi", "moments"),
    "captioner": ("openai_captioner", "transformers_captioner"),
    "styler": ("diffusers_styler",),
}
WITHOUT_FILE = ("moments",)  # networks that have no weights
_REASON_LENGTH = 200
# What loading raises for a config that lacks or does not know a key, for other layers than the
# network's (RuntimeError), and for a file that is none of weights.
_UNFIT = (KeyError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError, EOFError)


@dataclasses.dataclass(frozen=True)
class Networks:
    """The loaded networks that every corpus is measured with."""

    quality: Nima | Cnniqa
    image_text: Clip


def load_networks(models: ModelSet, precision: str = "fp32", device: str = "cpu") -> Networks:
    """The networks of a corpus, with weights fetched and checked, ready for inference.

    Raises:
      UsageError: as `load_role`.
    """
    quality, image_text = (
        load_role(models, role, precision, device) for role in ("quality", "image_text")
    )
    return Networks(quality=quality, image_text=image_text)


def load_role(
    models: ModelSet, role: str, precision: str = "fp32", device: str = "cpu"
) -> Any:  # what the role's users agree on, such as maps.MapNetwork, styles.StyleNetwork
    """The network of a role, with weights fetched and checked, ready for inference.

    Raises:
      UsageError: the set has no such role; a weight file is missing, wrong, cannot be downloaded,
        or does not fit the network that the set describes.
    """
    declared: QualityRole | ImageTextRole | Role = models.role(role)
    path = None if declared.weights is None else fetch(declared.weights)
    network = NETWORKS[declared.network]
    try:
        return network.load(path, config=declared.config, precision=precision, device=device)
    except _UNFIT as error:
        reason = " ".join(str(error).split())[:_REASON_LENGTH]
        place = f"{models.path}, [{role}]"
        raise UsageError(f"{place}: no {declared.network} out of {path}: {reason}") from error
