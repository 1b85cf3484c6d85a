"""Pictures of a prompt in a style, by a text-to-image pipeline of diffusers (StyleDrop's part).

The style picture goes in through an IP-Adapter. The paper tunes a StyleDrop model for each style;
a pipeline that was tuned for styles can be given as it is, and told the style by its prompt.
"""

import inspect
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.precision import dtype_of
from instruct_imagen_data.errors import UsageError

PROMPT = "{caption}, in the style of {style}"
_KEYS = (
    "folder", "adapter", "adapter_weight_name", "adapter_subfolder", "steps", "guidance", "prompt",
    "side", "style_by",
)  # fmt: skip
_MULTIPLE = 8  # pixels: what a latent stands for


class DiffusersStyler:
    """A local pipeline, as `save_pretrained` writes it.

    Attributes:
      by_prompt: Whether the prompt alone tells the style, which then needs a name.
    """

    def __init__(self, pipeline: Any, config: Mapping[str, Any], by_prompt: bool) -> None:
        self._pipeline = pipeline
        self._format = config.get("prompt", PROMPT)
        self._side = int(config["side"])
        self._steps = int(config["steps"])
        self._guidance = float(config["guidance"])
        self.by_prompt = by_prompt

    @classmethod
    def load(
        cls,
        weights: Path | None,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "DiffusersStyler":
        """The pipeline, with its adapter; nothing is downloaded, and no pickle is read.

        `config`: `folder` (of the pipeline), `steps`, `guidance`, `side` (pixels), and where they
        are needed `prompt` (a format of {caption} and {style}), `adapter` (an IP-Adapter's file;
        or a folder, with `adapter_weight_name` and `adapter_subfolder`, that may also hold the
        image encoder), `style_by` ("picture", or "prompt" for a pipeline that sees no pictures).

        Raises:
          UsageError: diffusers is not installed; or the pipeline sees no style pictures, and the
            config does not say that the prompt will do.
          ValueError: a value that makes no sense, or a folder without such a pipeline.
        """
        _check(weights, config)
        try:
            import diffusers
            import transformers  # noqa: F401  # without it, diffusers fails late and unclearly
        except ModuleNotFoundError as error:
            raise UsageError(
                "styler: diffusers_styler needs the packages diffusers and transformers:"
                " pip install diffusers transformers"
            ) from error
        auto: Any = diffusers.AutoPipelineForText2Image
        try:
            pipeline = auto.from_pretrained(
                str(config["folder"]), dtype=dtype_of(precision), use_safetensors=True,
                safety_checker=None, local_files_only=True,
            )  # fmt: skip
            if "adapter" in config:
                _load_adapter(pipeline, config)
        except (OSError, ValueError, AttributeError) as error:
            raise ValueError(f"no pipeline in the folder {config['folder']}: {error}") from error
        by_prompt = config.get("style_by") == "prompt"
        if not by_prompt and not _sees_pictures(pipeline):
            raise UsageError(
                f"styler: the pipeline in {config['folder']} sees no style pictures: give its"
                " config an 'adapter' (an IP-Adapter), or style_by = \"prompt\""
            )
        pipeline.set_progress_bar_config(disable=True)
        return cls(pipeline.to(device), config, by_prompt)

    def prompt(self, caption: str, style: str) -> str:
        """What to ask for; a style without a name ("") is left to its picture."""
        return str(self._format.format(caption=caption, style=style)) if style else caption

    def paint(
        self, prompts: Sequence[str], styles: Sequence[np.ndarray], seeds: Sequence[int]
    ) -> list[np.ndarray]:
        """Pictures uint8 [side, side, 3] of prompts, one each, in order.

        One at a time, each with its own noise: what a seed gives does not depend on the others.

        Args:
          styles: uint8 [h, w, 3], one for each prompt.
          seeds: 64 bits each.
        """
        return [self._paint(*one) for one in zip(prompts, styles, seeds, strict=True)]

    def _paint(self, prompt: str, style: np.ndarray, seed: int) -> np.ndarray:
        import torch
        from PIL import Image

        shown = {} if self.by_prompt else {"ip_adapter_image": Image.fromarray(style)}
        painted = self._pipeline(
            prompt=prompt,
            height=self._side,
            width=self._side,
            num_inference_steps=self._steps,
            guidance_scale=self._guidance,
            generator=torch.Generator("cpu").manual_seed(seed),  # the same noise on every device
            **shown,
        )
        return np.asarray(painted.images[0].convert("RGB"))


def _check(weights: Path | None, config: Mapping[str, Any]) -> None:
    """Raises ValueError or KeyError for what no pipeline can be loaded by."""
    maps.check_config(config, *_KEYS)
    if weights is not None:
        raise ValueError("the weights of a diffusers pipeline are in its 'folder'")
    if config["side"] < _MULTIPLE or config["side"] % _MULTIPLE or config["steps"] < 1:
        raise ValueError(f"'side' must be a multiple of {_MULTIPLE}, and 'steps' at least 1")
    if config.get("style_by", "picture") not in ("picture", "prompt"):
        raise ValueError(f"'style_by' must be picture or prompt, not {config['style_by']!r}")
    if config.get("style_by") == "prompt" and "adapter" in config:
        raise ValueError("an 'adapter' wants the style picture: leave out style_by")
    names = {name for _, name, _, _ in string.Formatter().parse(config.get("prompt", PROMPT))}
    if "caption" not in names or not names <= {"caption", "style", None}:
        raise ValueError("'prompt' must be a text with {caption}, and may have {style}")
    if config.get("style_by") == "prompt" and "style" not in names:
        raise ValueError("'prompt' must have {style} where it alone tells the style")


def _load_adapter(pipeline: Any, config: Mapping[str, Any]) -> None:
    """Puts the adapter of a config, and its image encoder if there is none yet, on a pipeline."""
    path, name = Path(config["adapter"]), config.get("adapter_weight_name")
    if path.is_file():
        path, name = path.parent, path.name
    if name is None:
        raise ValueError(f"{path} is a folder: 'adapter_weight_name' must name the adapter's file")
    pipeline.load_ip_adapter(
        str(path), subfolder=config.get("adapter_subfolder", ""), weight_name=name,
        local_files_only=True,
    )  # fmt: skip


def _sees_pictures(pipeline: Any) -> bool:
    """Whether an adapter hands pictures to the denoiser."""
    denoiser = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    takes = "ip_adapter_image" in inspect.signature(pipeline.__call__).parameters
    encoder = getattr(pipeline, "image_encoder", None)
    return takes and encoder is not None and getattr(denoiser, "encoder_hid_proj", None) is not None
