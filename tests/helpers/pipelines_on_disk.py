"""Diffusers pipelines with drawn weights, small, in the layout of the real ones."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    PNDMScheduler,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from helpers import networks
from transformers import (
    ByT5Tokenizer,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

WIDTH = networks.WIDTH
LETTERS = "abcdefghijklmnopqrstuvwxyz<>_0123456789[]#,.|/"


def write_t5(encoder: Path, tokenizer: Path, bytes_only: bool = False) -> None:
    """A T5 encoder with a vocabulary of letters (or bytes) and sentinels."""
    if bytes_only:
        made = ByT5Tokenizer()
    else:
        special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
        pieces = [("▁", -2.0), ("▁a", -1.5), *((one, -3.0) for one in LETTERS)]
        # As in the real file: sentinels are pieces too, so that splitting alone finds them.
        sentinels = [(f"<extra_id_{number}>", 0.0) for number in range(99, -1, -1)]
        made = T5Tokenizer(vocab=special + pieces + sentinels)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(made) + 8, d_model=WIDTH, d_kv=4, num_heads=2, d_ff=16, num_layers=1
    )
    T5EncoderModel(config).save_pretrained(encoder)
    made.save_pretrained(tokenizer)


def write_clip(encoder: Path, tokenizer: Path) -> None:
    """A CLIP text tower of 77 tokens with a vocabulary of letters."""
    names = [*LETTERS, *(f"{one}</w>" for one in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    made = CLIPTokenizer(vocab={name: place for place, name in enumerate(names)}, merges=[])
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(names),
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=len(names) - 2,
        eos_token_id=len(names) - 1,
        pad_token_id=len(names) - 1,
    )
    CLIPTextModel(config).save_pretrained(encoder)
    made.save_pretrained(tokenizer)


def write_if(folder: Path) -> Path:
    """As DeepFloyd IF stage I: T5, six channels, learned variances, noise predicted."""
    write_t5(folder / "text_encoder", folder / "tokenizer")
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5,
    )
    _write(folder, "IFPipeline", networks.IF_LIKE, scheduler)
    return folder


def write_sd(folder: Path, **schedule: Any) -> Path:
    """As Stable Diffusion 1.5: CLIP, a VAE, and a scheduler that names no prediction type."""
    write_clip(folder / "text_encoder", folder / "tokenizer")
    given = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", **schedule}
    _write(folder, "StableDiffusionPipeline", networks.SD_LIKE, PNDMScheduler(**given))
    torch.manual_seed(0)
    vae = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        block_out_channels=[8, 8],
        norm_num_groups=4,
        latent_channels=4,
    )
    vae.save_pretrained(folder / "vae")
    if not schedule:  # the file of SD 1.5 is older than the field
        path = folder / "scheduler" / "scheduler_config.json"
        found = json.loads(path.read_text())
        del found["prediction_type"]
        path.write_text(json.dumps(found))
    return folder


def _write(folder: Path, name: str, unet: dict[str, Any], scheduler: Any) -> None:
    torch.manual_seed(0)
    UNet2DConditionModel(**unet).save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": name}))


def write_upscaler(folder: Path) -> Path:
    """As Stable Diffusion's upscaler, of a factor of two: the picture is beside the latents."""
    write_clip(folder / "text_encoder", folder / "tokenizer")
    schedule = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
    shape = {**networks.SD_LIKE, "in_channels": 7, "num_class_embeds": 1000}
    torch.manual_seed(0)
    StableDiffusionUpscalePipeline(
        vae=AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * 2,
            up_block_types=["UpDecoderBlock2D"] * 2,
            block_out_channels=[8, 8],
            norm_num_groups=4,
            latent_channels=4,
            scaling_factor=0.08333,
        ),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer", model_max_length=77),
        unet=UNet2DConditionModel(**shape),
        low_res_scheduler=DDPMScheduler(**schedule),
        scheduler=DDIMScheduler(**schedule),
    ).save_pretrained(folder)
    return folder
