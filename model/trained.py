"""A trained network, opened to draw pictures with."""

import dataclasses

import torch

from instruct_imagen_data import shards, storage
from model import backbone, checkpoint
from model.batches import DataConfig
from model.diffusion import Frozen
from model.sampling import Sampling
from model.unet import InstructUNet


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """A network and what belongs to it.

    Attributes:
      folder: Where its weights are.
      unet: In evaluation mode, on the device.
      around: What stands around it.
      sampling: How its pictures are drawn, where nothing else is asked for.
      side: Of its pictures, in pixels.
      max_references: Reference pictures that it was trained with, at most.
    """

    folder: str
    unet: InstructUNet
    around: Frozen
    sampling: Sampling
    side: int
    max_references: int


def load(place: str) -> Trained:
    """The averaged weights of a run's latest checkpoint, or a folder that `backbone.save` wrote; on
    the GPU, where there is one.

    Raises:
      UsageError: it is neither; or a text encoder or VAE that it needs is not where it was.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = checkpoint.model_folder(place)
    found = backbone.load(folder)
    unet = backbone.network(found).to(device).eval().requires_grad_(False)
    around = backbone.frozen(found, device)
    side = int(found.unet.backbone_config["sample_size"]) * around.space.factor
    return Trained(folder, unet, around, found.sampling, side, _references(folder))


def _references(folder: str) -> int:
    """How many a sample of the run had; where the folder is of no run, the loader's own number."""
    run = storage.parent(folder)
    told = shards.read_json(run, checkpoint.STATE) or {}
    usual = DataConfig("").max_references
    return int(told.get("options", {}).get("data.max_references", usual))
