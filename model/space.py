"""Where a backbone denoises: pixels, or the latents of a VAE."""

from pathlib import Path
from typing import Any, Protocol

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from instruct_imagen_data.errors import UsageError


class Space(Protocol):
    """Pictures float [n, 3, S, S], -1 .. 1, to what is denoised and back."""

    factor: int  # pixels a position, along a side

    def encode(self, pictures: Tensor) -> Tensor: ...
    def decode(self, samples: Tensor) -> Tensor: ...


class Pixels:
    """Pictures as they are."""

    factor = 1

    def encode(self, pictures: Tensor) -> Tensor:
        return pictures

    def decode(self, samples: Tensor) -> Tensor:
        return samples


class Latents:
    """A frozen VAE's latents, at unit scale.

    The mode is taken, not a draw as Stable Diffusion was trained: its deviation is about a
    thousandth of the latents', and a reference then has one encoding.
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae.eval().requires_grad_(False)
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self._shift = vae.config.shift_factor or 0.0

    @classmethod
    def load(cls, folder: str, device: torch.device | str = "cpu") -> "Latents":
        """The VAE of a folder, in fp32. Raises UsageError where there is none."""
        if not (Path(folder) / "config.json").is_file():
            raise UsageError(f"{folder}: there is no VAE (no config.json)")
        vae = AutoencoderKL.from_pretrained(
            folder, local_files_only=True, torch_dtype=torch.float32
        )
        return cls(vae.to(device))

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        if not len(pictures):
            side = [one // self.factor for one in pictures.shape[2:]]
            return pictures.new_zeros(0, self._vae.config.latent_channels, *side)
        mode: Tensor = self._vae.encode(pictures).latent_dist.mode()
        return (mode - self._shift) * self._vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, samples: Tensor) -> Tensor:
        latents = samples / self._vae.config.scaling_factor + self._shift
        pictures: Tensor = self._vae.decode(latents).sample
        return pictures
