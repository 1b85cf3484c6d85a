"""Captions by a transformers model: a tiny one of random weights, where the package is there."""

import sys
from pathlib import Path

import numpy as np
import pytest

from instruct_imagen_data.annotators.captioner.local import TransformersCaptioner
from instruct_imagen_data.errors import UsageError

WORDS = ["a", "cat", "dog", "red", "house", "of", "picture", "the"]


def test_a_missing_package_is_said(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match="pip install transformers"):
        TransformersCaptioner.load(None, config={"folder": tmp_path})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BLIP, as save_pretrained writes it."""
    transformers = pytest.importorskip("transformers", reason="transformers is optional")
    import torch

    folder = tmp_path_factory.mktemp("blip")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]) + "\n")
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"))
    pixels = transformers.BlipImageProcessor(size={"height": 32, "width": 32})
    transformers.BlipProcessor(pixels, tokenizer).save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    text = {"vocab_size": 13, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
    config = transformers.BlipConfig(
        text_config={
            **sizes, **text, "num_hidden_layers": 1, "pad_token_id": 0, "encoder_hidden_size": 16,
        },
        vision_config={**sizes, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )  # fmt: skip
    torch.manual_seed(4)
    transformers.BlipForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_a_local_model_gives_a_caption_each(folder: Path) -> None:
    captioner = TransformersCaptioner.load(None, config={"folder": folder})
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((40, 60), (32, 32))]
    found = captioner.captions(pictures)
    assert len(found) == 2
    assert captioner.captions(pictures) == found
    assert captioner.captions([]) == []
    for text in found:
        assert isinstance(text, str)
        assert set(text.split()) <= {*WORDS, "[UNK]"}


def test_a_prompt_begins_the_caption_and_is_no_part_of_it(folder: Path) -> None:
    config = {"folder": folder, "prompt": "a picture of"}
    captioner = TransformersCaptioner.load(None, config=config)
    (found,) = captioner.captions([np.zeros((32, 32, 3), np.uint8)])
    assert not str(found).startswith("a picture of")


def test_a_folder_without_a_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model in the folder"):
        TransformersCaptioner.load(None, config={"folder": tmp_path})
