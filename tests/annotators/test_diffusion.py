"""Pictures by a diffusers pipeline: a tiny one of random weights, where the package is there."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instruct_imagen_data.annotators.diffusion import PROMPT, DiffusersStyler
from instruct_imagen_data.errors import UsageError

SIZES = {"steps": 2, "guidance": 3.0, "side": 16}


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UsageError, match="pip install diffusers"):
        DiffusersStyler.load(None, config={"folder": tmp_path, **SIZES})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"side": 20}, "multiple of 8"),
        ({"steps": 0}, "at least 1"),
        ({"style_by": "ear"}, "picture or prompt"),
        ({"style_by": "prompt", "adapter": Path("a")}, "leave out style_by"),
        ({"style_by": "prompt", "prompt": "{caption}"}, "must have {style}"),
        ({"prompt": "a {subject}"}, "with {caption}"),
        ({"seed": 1}, "unknown config"),
    ],
)
def test_a_wrong_config_is_refused(wrong: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        DiffusersStyler.load(None, config={"folder": tmp_path, **SIZES, **wrong})


def test_the_prompt() -> None:
    styler = DiffusersStyler(None, SIZES, False)
    assert styler.prompt("a {cat}", "Cubism") == "a {cat}, in the style of Cubism"
    assert styler.prompt("a cat", "") == "a cat"
    assert PROMPT == "{caption}, in the style of {style}"


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    """What a tiny Stable Diffusion is made of; random weights."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is optional")
    transformers = pytest.importorskip("transformers", reason="transformers is optional")
    import torch

    torch.manual_seed(4)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    text = transformers.CLIPTextConfig(
        **sizes, num_hidden_layers=1, vocab_size=8, max_position_embeddings=16,
        bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    vision = transformers.CLIPVisionConfig(
        **sizes, num_hidden_layers=1, image_size=8, patch_size=4, projection_dim=8
    )
    return {
        "text_encoder": transformers.CLIPTextModel(text),
        "image_encoder": transformers.CLIPVisionModelWithProjection(vision),
        "feature_extractor": transformers.CLIPImageProcessor(
            size={"shortest_edge": 8}, crop_size={"height": 8, "width": 8}
        ),
        "unet": diffusers.UNet2DConditionModel(
            sample_size=16, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), cross_attention_dim=8,
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=2,
        ),
        "vae": diffusers.AutoencoderKL(block_out_channels=(4,), norm_num_groups=2),
        "scheduler": diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline, as save_pretrained writes it."""
    import diffusers
    import transformers

    folder = tmp_path_factory.mktemp("pipeline")
    words = ["<|startoftext|>", "<|endoftext|>", "a</w>", "c", "t</w>", "r", "e", "d</w>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16)
    pipeline = diffusers.StableDiffusionPipeline(
        **parts, tokenizer=tokenizer, safety_checker=None, requires_safety_checker=False
    )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IP-Adapter for it, of random weights."""
    import torch
    from safetensors.torch import save_file

    random = torch.Generator().manual_seed(5)
    state = {
        "image_proj.proj.weight": torch.randn(32, 8, generator=random),  # four tokens of 8
        "image_proj.proj.bias": torch.zeros(32),
        "image_proj.norm.weight": torch.ones(8),
        "image_proj.norm.bias": torch.zeros(8),
    }
    number = 1
    for name in parts["unet"].attn_processors:
        if "attn2" in name:
            width = parts["unet"].get_submodule(name.removesuffix(".processor")).to_q.out_features
            for key in ("to_k_ip", "to_v_ip"):
                weight = torch.randn(width, 8, generator=random)
                state[f"ip_adapter.{number}.{key}.weight"] = weight
            number += 2
    path = tmp_path_factory.mktemp("adapter") / "adapter.safetensors"
    save_file(state, path)
    return path


STYLES = [np.full((20, 30, 3), value, np.uint8) for value in (0, 90, 255)]


def test_a_seed_and_a_style_give_a_picture(folder: Path, adapter: Path) -> None:
    styler = DiffusersStyler.load(None, config={"folder": folder, "adapter": adapter, **SIZES})
    assert not styler.by_prompt
    seeds = [7, 2**64 - 1, 7]
    found = styler.paint(["a", "red", "a"], STYLES, seeds)
    assert [(one.shape, one.dtype) for one in found] == [((16, 16, 3), np.dtype("uint8"))] * 3
    assert not np.array_equal(found[0], found[2])  # the style is seen
    for i, picture in enumerate(found):  # whatever the company
        (alone,) = styler.paint([["a", "red", "a"][i]], [STYLES[i]], [seeds[i]])
        assert np.array_equal(alone, picture)
    (other,) = styler.paint(["a"], STYLES[:1], [8])
    assert not np.array_equal(other, found[0])
    assert styler.paint([], [], []) == []


def test_a_folder_holds_an_adapter(folder: Path, adapter: Path) -> None:
    config = {"folder": folder, "adapter": adapter.parent, **SIZES}
    with pytest.raises(ValueError, match="adapter_weight_name"):
        DiffusersStyler.load(None, config=config)
    config["adapter_weight_name"] = adapter.name
    assert not DiffusersStyler.load(None, config=config).by_prompt


def test_a_pipeline_that_sees_no_pictures(folder: Path) -> None:
    config = {"folder": folder, **SIZES}
    with pytest.raises(UsageError, match="sees no style pictures"):
        DiffusersStyler.load(None, config=config)
    styler = DiffusersStyler.load(None, config={**config, "style_by": "prompt"})
    assert styler.by_prompt
    black, _, white = styler.paint(["a"] * 3, STYLES, [7] * 3)
    assert np.array_equal(black, white)


def test_a_folder_without_a_pipeline_is_refused(folder: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match="no pipeline in the folder"):
            DiffusersStyler.load(None, config={"folder": place, **SIZES})
