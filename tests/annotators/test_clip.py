"""CLIP: golden vectors of real weights, open_clip's own preprocessing, and what may go wrong."""

import warnings
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from instruct_imagen_data.annotators import clip
from instruct_imagen_data.annotators.clip import Clip
from instruct_imagen_data.annotators.model_set import load_set
from instruct_imagen_data.errors import UsageError

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
WEIGHTS = SHARED / "weights" / "small_clip"
needs_shared = pytest.mark.skipif(
    not WEIGHTS.is_dir(), reason="the small_clip weights are not beside the checkout (../shared)"
)


@pytest.fixture(scope="module")
def embedded() -> Clip:
    role = load_set("embedded").image_text
    return Clip.load(role.weights.path, config=role.config)


@needs_shared
def test_golden_vectors() -> None:
    golden = np.load(WEIGHTS / "golden.npz")
    config = {"architecture": WEIGHTS / "configs" / "small-clip-mnv2.json"}
    network = Clip.load(WEIGHTS / "small-clip-mnv2.safetensors", config=config)
    images = network.images([network.prepare(rgb) for rgb in golden["rgb"]])
    texts = network.texts([str(text) for text in golden["texts"]])
    np.testing.assert_allclose(images, golden["image_embedding"], atol=2e-3)
    np.testing.assert_allclose(texts, golden["text_embedding"], atol=2e-3)
    assert network.dimension == 256


@pytest.mark.parametrize("size", [(300, 180), (64, 400), (112, 112), (90, 80)])
def test_preprocessing_is_open_clips(embedded: Clip, size: tuple[int, int]) -> None:
    """prepare and the batch's normalisation together equal open_clip's transform."""
    rgb = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    network = embedded._network
    transform = open_clip.image_transform(112, is_train=False, mean=(0.5,) * 3, std=(0.25,) * 3)
    with torch.inference_mode():
        vector = network.encode_image(transform(Image.fromarray(rgb))[None], normalize=True)
    np.testing.assert_allclose(embedded.images([embedded.prepare(rgb)]), vector, atol=1e-5)
    assert embedded.prepare(rgb).dtype == np.uint8


def test_one_vector_an_input_in_order_whatever_the_batch(embedded: Clip) -> None:
    rng = np.random.default_rng(2)
    prepared = [rng.integers(0, 256, (112, 112, 3), dtype=np.uint8) for _ in range(33)]
    together = embedded.images(prepared)
    alone = np.concatenate([embedded.images([one]) for one in prepared])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_array_equal(together, embedded.images(prepared))
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    texts = [f"picture number {i}" for i in range(33)]
    alone = np.concatenate([embedded.texts([text]) for text in texts])
    np.testing.assert_allclose(embedded.texts(texts), alone, atol=1e-4)


def test_nothing_in_nothing_out(embedded: Clip) -> None:
    assert embedded.images([]).shape == embedded.texts([]).shape == (0, embedded.dimension)


def test_long_and_odd_texts_are_texts(embedded: Clip) -> None:
    texts = ["", "word " * 500, "näive café 日本語 🙂", "<end_of_text> a cat", "\x00\ud800"[:1]]
    assert np.isfinite(embedded.texts(texts)).all()


def test_the_vocabulary_must_be_the_networks() -> None:
    role = load_set("embedded").image_text
    config = {"architecture": role.config["architecture"]}
    with pytest.raises(UsageError, match="49408 ids and the network 3584"):
        Clip.load(role.weights.path, config=config)


def test_unknown_architectures_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no architecture 'ViT-Z-99'"):
        clip.build("ViT-Z-99")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(UsageError, match=r"broken\.json is no configuration"):
        clip.build(broken)


def test_a_torchscript_archive_loads(embedded: Clip, tmp_path: Path) -> None:
    """OpenAI publishes such archives, with three buffers that are no weights."""

    class Archive(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    archive = Archive()
    for name, value in embedded._network.state_dict().items():
        module = archive
        *path, leaf = name.split(".")
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        module.register_buffer(leaf, value.clone())
    for name in ("input_resolution", "context_length", "vocab_size"):
        archive.register_buffer(name, torch.tensor(1))
    path = tmp_path / "archive.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.trace(archive, torch.zeros(1)), path)
    config = load_set("embedded").image_text.config
    prepared = [np.full((112, 112, 3), 90, np.uint8)]
    loaded = Clip.load(path, config=config)
    np.testing.assert_array_equal(loaded.images(prepared), embedded.images(prepared))


def test_the_paper_sets_network_takes_openais_names() -> None:
    """The architecture of the paper set exists and is the one OpenAI trained, by its settings."""
    settings = open_clip.get_model_config(load_set("paper").image_text.config["architecture"])
    assert settings["quick_gelu"] is True
    assert settings["vision_cfg"]["patch_size"] == 14
    assert settings["embed_dim"] == 768
