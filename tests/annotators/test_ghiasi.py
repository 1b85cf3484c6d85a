"""Ghiasi's style transfer against codes and pictures that were published beside its weights."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instruct_imagen_data.agreement import edge_f1
from instruct_imagen_data.annotators.ghiasi import Ghiasi, build_transformer, forward
from instruct_imagen_data.annotators.model_set import load_role, load_set
from instruct_imagen_data.annotators.pidinet import PidiNet
from instruct_imagen_data.annotators.styles import at_strength


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "weights" / "ghiasi"


@pytest.fixture(scope="module")
def golden(folder: Path) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "golden.npz"))


@pytest.fixture(scope="module")
def network(folder: Path) -> Ghiasi:
    config = {"predictor": folder / "style_predictor.safetensors"}
    return Ghiasi.load(folder / "style_transformer.safetensors", config=config)


def test_golden_codes(network: Ghiasi, golden: dict[str, np.ndarray]) -> None:
    found = network.codes([network.prepare_style(rgb) for rgb in golden["style"]])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, golden["code_float"], atol=1e-4)
    assert np.abs(found - golden["code_tflite_int8"]).max() <= 0.04


def test_golden_pictures(network: Ghiasi, golden: dict[str, np.ndarray]) -> None:
    """Every content in every style, all of them in one batch."""
    pairs = [(content, style) for content in (0, 1) for style in (0, 1)]
    contents = np.stack([network.prepare_content(golden["content"][i], 256) for i, _ in pairs])
    codes = golden["code_float"][[style for _, style in pairs]]
    found = network.paint(contents, codes)
    expected = golden["output_every4"].reshape(4, 64, 64, 3).astype(np.float32)
    np.testing.assert_allclose(found[:, ::4, ::4], expected, atol=1e-3)
    pictures = network(contents, codes)
    for picture, values in zip(pictures, found, strict=True):
        assert picture.dtype == np.uint8
        assert np.abs(picture / 255 - values).max() <= 0.5 / 255 + 1e-5


def test_golden_pictures_of_the_original_graph(network, golden) -> None:
    """TFLite, whose graph is fixed to 384 pixels: a quarter of the picture, enlarged threefold."""
    contents = golden["content"][:, :128, :128].repeat(3, axis=1).repeat(3, axis=2)
    found = network.paint(contents, golden["code_float"])
    expected = golden["tflite384_every8"].astype(np.float32)
    np.testing.assert_allclose(found[:, ::8, ::8], expected, atol=1e-3)


def test_a_batch_of_styles_and_sizes_is_as_one_by_one(network, golden) -> None:
    wide = np.tile(golden["content"][0], (1, 2, 1))
    contents = [
        network.prepare_content(rgb, side)
        for rgb, side in ((wide, 64), (golden["content"][1], 64), (wide, 64), (wide[:99], 48))
    ]
    assert [one.shape[:2] for one in contents] == [(64, 128), (64, 64), (64, 128), (48, 192)]
    codes = np.concatenate([golden["code_float"], network.content_codes(contents[:2])])
    found = network(contents, codes)
    for one, content, code in zip(found, contents, codes, strict=True):
        assert one.shape == content.shape
        (alone,) = network([content], code[None])
        assert np.abs(alone.astype(int) - one).max() <= 1


def test_strength_goes_from_the_contents_own_code_to_the_styles(network, golden) -> None:
    content = network.prepare_content(golden["content"][0], 256)
    own, style = network.content_codes([content]), golden["code_float"][:1]
    np.testing.assert_allclose(own, network.codes([network.prepare_style(content)]))
    np.testing.assert_array_equal(at_strength(own, style, 0.0), own)
    np.testing.assert_array_equal(at_strength(own, style, 1.0), style)
    codes = np.concatenate([at_strength(own, style, one) for one in (0.0, 0.3, 0.6, 1.0)])
    found = [one.astype(float) for one in network([content] * 4, codes)]
    # Its own style gives the content nearly back (measured: 14 levels), the other one does not.
    away = [float(np.abs(one - content).mean()) for one in found]
    assert away == sorted(away)
    assert away[0] < 18
    assert away[-1] > 40


def test_contents_get_sides_that_are_multiples_of_4(network: Ghiasi) -> None:
    for shape, side, expected in (
        ((100, 151), 256, (256, 388)),
        ((333, 222), 128, (192, 128)),
        ((50, 1000), 64, (64, 256)),  # more than 1:4 is seen as 1:4
    ):
        rgb = np.zeros((*shape, 3), np.uint8)
        assert network.prepare_content(rgb, side).shape == (*expected, 3)


def test_a_style_is_its_centre_square(network: Ghiasi) -> None:
    rgb = np.zeros((300, 700, 3), np.uint8)
    rgb[:, 200:500] = 90
    assert (network.prepare_style(rgb) == 90).all()
    assert network.prepare_style(rgb[:10, 300:310]).shape == (256, 256, 3)


def test_bf16_hardly_moves_pictures_and_never_codes(network, golden, folder: Path) -> None:
    """Slow on a CPU without bf16 instructions, but it runs there."""
    config = {"predictor": folder / "style_predictor.safetensors"}
    weights = folder / "style_transformer.safetensors"
    half = Ghiasi.load(weights, config=config, precision="bf16")
    styles = [network.prepare_style(rgb) for rgb in golden["style"]]
    np.testing.assert_array_equal(half.codes(styles), network.codes(styles))
    content, code = golden["content"][:1, 64:192, 64:192], golden["code_float"][:1]
    moved = np.abs(half.paint(content, code) - network.paint(content, code))
    assert moved.mean() < 0.01


def test_wrong_use_is_said(network: Ghiasi, folder: Path) -> None:
    content = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=r"1 contents and codes of \(2, 100\)"):
        network([content], np.zeros((2, 100), np.float32))
    assert network([], np.zeros((0, 100), np.float32)) == []
    assert network.codes([]).shape == (0, 100)
    weights = folder / "style_transformer.safetensors"
    with pytest.raises(ValueError, match="no 'predictor' file at"):
        Ghiasi.load(weights, config={"predictor": folder / "none"})
    with pytest.raises(ValueError, match="unknown config"):
        Ghiasi.load(weights, config={"side": 3})


def test_real_pictures_take_the_style_and_keep_their_edges(
    network: Ghiasi, root: Path, shared: Path
) -> None:
    """Photos in four painters' styles at 256 pixels. Style: cosine of the small CLIP's vectors
    to the style's. Edges: PiDiNet's, F1 within 2 pixels of the content's; the style picture's own
    are the floor.

    Of all 11 photos in 4 styles, with edges at 512 pixels, all 44 gain in style (-.06 to .27 on
    average) and all beat the floor (.50 to .22); a wheat field gains least (.01 in one photo).
    """
    models = load_set(str(root / "tests" / "data" / "shared_set.toml"))
    clip = load_role(models, "image_text")
    edges = PidiNet.load(models.edge.weights.path, config={"side": 256})
    folder = shared / "data" / "style_transfer"
    names = ("adain__golden_gate", "adain__sailboat", "gordicaleksa__tubingen")
    photos = [_read(folder / "content" / f"nst_{name}.jpg") for name in names]
    contents = [network.prepare_content(rgb, 256) for rgb in photos]
    styles = [_read(path) for path in sorted((folder / "style").glob("*.jpg"))]
    assert len(styles) == 4
    codes = network.codes([network.prepare_style(rgb) for rgb in styles])
    of_styles = clip.images([clip.prepare(rgb) for rgb in styles])
    gains, leads = [], []
    for content in contents:
        painted = network([content] * 4, codes)
        vectors = clip.images([clip.prepare(rgb) for rgb in (content, *painted)])
        gains.append(np.sum((vectors[1:] - vectors[:1]) * of_styles, axis=1))
        size = (content.shape[1], content.shape[0])
        floors = [np.asarray(Image.fromarray(rgb).resize(size)) for rgb in styles]
        own, *others = edges([edges.prepare(rgb) for rgb in (content, *painted, *floors)])
        agreed = [edge_f1(own.pixels, one.pixels, 2) for one in others]
        leads.append(np.subtract(agreed[:4], agreed[4:]))
    assert np.min(gains) > 0
    assert np.mean(gains) > 0.25  # measured: .31
    assert np.min(leads) > 0.1
    assert np.mean(leads) > 0.3  # measured: .42


def _read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_conditional_norm_is_the_papers() -> None:
    """y = (x - mean) / sqrt(variance + 1e-5) * gamma(code) + beta(code), worked out in numpy."""
    import torch

    torch.manual_seed(0)
    layers = build_transformer()
    seen: list[np.ndarray] = []
    last = layers["expand"][2]
    last["conv"].register_forward_hook(lambda layer, given, out: seen.append(out.numpy()))
    x, code = torch.rand(2, 3, 16, 24), torch.randn(2, 100)
    with torch.inference_mode():
        found = forward(layers, x, code).numpy()
    (before,) = seen
    gamma, beta = (
        code.numpy() @ last["cin"][name].weight.detach().numpy().T
        + last["cin"][name].bias.detach().numpy()
        for name in ("gamma", "beta")
    )
    mean, variance = before.mean((2, 3), keepdims=True), before.var((2, 3), keepdims=True)
    normed = (before - mean) / np.sqrt(variance + 1e-5)
    expected = 1 / (1 + np.exp(-(normed * gamma[:, :, None, None] + beta[:, :, None, None])))
    np.testing.assert_allclose(found, expected, atol=1e-5)
