"""Small networks, contexts and batches for the tests of `model`."""

from typing import Any

import torch
from diffusers import DDPMScheduler

from model.batches.records import Batch
from model.context import Context
from model.diffusion import Frozen
from model.space import Pixels
from model.text import Text
from model.text.words import Words
from model.unet import InstructUNet, UNetConfig

WIDTH = 16  # numbers a token

IF_LIKE: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 3,
    "out_channels": 6,  # with variances, as DeepFloyd IF
    "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "block_out_channels": [8, 16],
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "attention_head_dim": 8,
    "resnet_time_scale_shift": "scale_shift",
    "act_fn": "gelu",
    "encoder_hid_dim": WIDTH,
    "encoder_hid_dim_type": "text_proj",
    "cross_attention_dim": 24,
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 2,
}
SD_LIKE: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "block_out_channels": [8, 16, 16],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": 2,
    "cross_attention_dim": WIDTH,
}
SD_LEVEL: dict[str, Any] = {  # attention on the coarsest level, and as SD 2: linear projections
    **SD_LIKE,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [8, 16],
    "use_linear_projection": True,
}
KINDS = {"if": IF_LIKE, "sd": SD_LIKE, "sd-level": SD_LEVEL}


def unet(kind: str, at: str = "bottleneck", position: str = "none", **fields: Any) -> InstructUNet:
    """A network of KINDS with drawn weights; its new layers do nothing yet."""
    torch.manual_seed(0)
    config = {**KINDS[kind], **fields.pop("backbone", {})}
    given = {"head_width": 8, "text_mask": False, **fields}
    return InstructUNet(UNetConfig(config, at=at, position=position, **given))  # type: ignore[arg-type]


def awaken(network: InstructUNet) -> InstructUNet:
    """The network with new layers that do something: their output projections are drawn."""
    generator = torch.Generator().manual_seed(1)
    for name, weights in network.named_parameters():
        if name.endswith("to_out.weight"):
            weights.data = torch.randn(weights.shape, generator=generator) / 2
    return network


def text(rows: int, length: int = 6, seed: int = 2, width: int = WIDTH) -> Text:
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(rows, length, width, generator=generator)
    return Text(states, torch.ones(rows, length, dtype=torch.bool))


def samples(network: InstructUNet, rows: int = 2, seed: int = 3) -> torch.Tensor:
    config = network.config.backbone_config
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, config["in_channels"], config["sample_size"], config["sample_size"])
    return torch.randn(shape, generator=generator)


def context(
    network: InstructUNet, places: list[tuple[int, int]], mask: list[list[bool]]
) -> Context:
    """One drawn reference at each (row, slot), told by a drawn text."""
    count = len(places)
    index = torch.tensor(places, dtype=torch.int64).reshape(count, 2)
    return Context(samples(network, count, seed=4), index, text(count, seed=5), torch.tensor(mask))


def around(**schedule: Any) -> Frozen:
    """What stands around `tiny`: words of 64 numbers, pixels, a cosine schedule and v."""
    given = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", **schedule}
    return Frozen(DDPMScheduler(**given), Words(64), 24, 12, Pixels())


def batch(rows: int, references: int = 1, side: int = 16, seed: int = 0, slots: int = 1) -> Batch:
    """Drawn pictures, each row with `references`, one a slot."""
    generator = torch.Generator().manual_seed(seed)
    count = rows * references

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator) * 2 - 1

    places = [(row, slot) for row in range(rows) for slot in range(references)]
    mask = torch.zeros(rows, max(slots, references, 1), dtype=torch.bool)
    mask[:, :references] = True
    return Batch(
        indices=torch.arange(rows),
        keys=tuple(f"{row:04x}" for row in range(rows)),
        datasets=("depth_webli",) * rows,
        instructions=tuple(f"Paint number {row} as in [ref#1]" for row in range(rows)),
        target=draw(rows, 3, side, side),
        context_images=draw(count, 3, side, side),
        context_index=torch.tensor(places, dtype=torch.int64).reshape(count, 2),
        context_texts=tuple(f"[ref#{slot + 1}] depth map" for _, slot in places),
        context_roles=("depth",) * count,
        context_mask=mask,
        noise=torch.randn(rows, 3, side, side, generator=generator),
        time=torch.rand(rows, generator=generator),
        keep_text=torch.ones(rows, dtype=torch.bool),
        keep_context=torch.ones(rows, dtype=torch.bool),
    )
