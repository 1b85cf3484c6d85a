"""The embedded map networks on planted pictures of a seed they were not trained on."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from instruct_imagen_data import agreement, planted
from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map, Refused, binary_mask, depth_map
from instruct_imagen_data.annotators.model_set import load_role, load_set
from instruct_imagen_data.annotators.tinymap import FLAT, KINDS, TinyMap, build, forward
from instruct_imagen_data.training.windows import without_object

SEED = 42  # never trained on
ROLES = ("depth", "edge", "mask", "contour")
WIDTHS = [4, 6, 8]


@pytest.fixture(scope="module")
def networks() -> dict[str, TinyMap]:
    models = load_set("embedded")
    return {role: load_role(models, role) for role in ROLES}


@pytest.fixture(scope="module")
def views() -> list[planted.View]:
    """A picture of an entity of every noun, of many sizes."""
    shown = enumerate(planted.entities(SEED, 1))
    return [planted.render(one, i % 7, SEED, 160 + 37 * i % 200) for i, one in shown]


def stored(rgb: np.ndarray) -> np.ndarray:
    """After a JPEG, as in the planted web."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


def look(network: TinyMap, pictures: Sequence[np.ndarray]) -> list[Map]:
    return network([network.prepare(rgb) for rgb in pictures])


def sized(found: Map, view: planted.View) -> np.ndarray:
    height, width = view.mask.shape
    return maps.to_size(found.pixels, width, height)


def test_edges_of_new_pictures(networks, views) -> None:
    found = look(networks["edge"], [stored(view.rgb) for view in views])
    scores = [
        agreement.edge_f1(sized(one, view), view.edges, 2.0)
        for one, view in zip(found, views, strict=True)
    ]
    assert np.mean(scores) >= 0.7
    assert np.mean(np.array(scores) >= 0.6) >= 0.8


def test_masks_of_new_pictures(networks, views) -> None:
    """Of objects; less well of what counts as the main motif of a landscape or a painting."""
    entities = planted.entities(SEED, 1)
    found = look(networks["mask"], [stored(view.rgb) for view in views])
    scores: dict[bool, list[float]] = {True: [], False: []}
    for one, view, entity in zip(found, views, entities, strict=True):
        if view.mask.max() >= 128:
            assert one.confidence >= maps.MIN_CONFIDENCE
            is_object = entity.domain not in ("scenery", "art")
            scores[is_object].append(agreement.mask_iou(sized(one, view), view.mask))
    assert len(scores[True]) >= 35
    assert np.mean(scores[True]) >= 0.85
    assert np.mean(scores[True] + scores[False]) >= 0.82


def test_depth_of_new_pictures(networks, views) -> None:
    shown = [view for view in views if np.ptp(view.depth) > 0]
    assert len(shown) >= 45
    found = look(networks["depth"], [stored(view.rgb) for view in shown])
    scores = [
        agreement.rank_correlation(sized(one, view), view.depth)
        for one, view in zip(found, shown, strict=True)
    ]
    assert np.mean(scores) >= 0.8


def test_near_is_bright_and_objects_and_lines_are_white(networks, views) -> None:
    """By brightness alone, of the pictures of animals: the object against what is around it."""
    shown = views[:8]
    pictures = [stored(view.rgb) for view in shown]
    for role in ROLES:
        for found, view in zip(look(networks[role], pictures), shown, strict=True):
            pixels, inside = sized(found, view), view.mask >= 128
            top = pixels[: view.mask.shape[0] // 10]  # sky, or what is farthest
            if role in ("mask", "depth"):
                assert pixels[inside].mean() > top.mean() + 50
            else:
                assert pixels.max() > 128 > pixels.mean()  # few lines on much black


@pytest.mark.parametrize("colour", [20, 60, 128, 255])
def test_an_empty_scene_has_no_object_and_no_lines(networks, colour: int) -> None:
    rgb = np.full((240, 320, 3), colour, np.uint8)
    for role in ("mask", "edge", "contour"):
        (found,) = look(networks[role], [rgb])
        if role == "mask":
            with pytest.raises(Refused, match="no_object"):
                binary_mask(found, 320, 240)
        else:
            assert np.mean(found.pixels >= 128) < 0.001
    for plain in (rgb, rgb * 0):
        (found,) = look(networks["edge"], [plain])
        assert not found.pixels.any()  # nor is the border of the picture one


def test_beside_an_object_there_is_mostly_none(networks, views) -> None:
    """A third of a picture without its object: most often nothing is sure there."""
    beside = [view.rgb[box] for view in views if (box := without_object(view.mask)) is not None]
    assert len(beside) >= 20
    sure = [one.confidence for one in look(networks["mask"], beside)]
    there = [one.confidence for one in look(networks["mask"], [view.rgb for view in views])]
    assert np.median(sure) < 0.3
    assert np.quantile(there, 0.1) > 0.9


def test_one_map_a_picture_in_order_whatever_the_batch(networks, views) -> None:
    pictures = [view.rgb for view in views[:12]]
    for role in ROLES:
        network = networks[role]
        prepared = [network.prepare(rgb) for rgb in pictures]
        together = network(prepared)
        for one, found in zip(prepared, together, strict=True):
            (alone,) = network([one])
            assert found.pixels.shape == one.shape[:2]
            assert np.abs(alone.pixels.astype(int) - found.pixels).max() <= 1
            assert alone.confidence == pytest.approx(found.confidence, abs=1e-4)
        assert network([]) == []


@pytest.mark.parametrize("shape", [(100, 100, 3), (300, 500, 3), (900, 200, 3)])
def test_pictures_are_prepared_at_the_detection_size(networks, shape) -> None:
    rgb = np.zeros(shape, np.uint8)
    for role in ROLES:
        height, width, _ = networks[role].prepare(rgb).shape
        side = load_set("embedded").role(role).config["side"]
        assert min(height, width) == side
        assert height % 64 == width % 64 == 0


def test_outputs_become_maps() -> None:
    """Worked out by hand."""
    near = np.array([[0.2, 0.4], [0.6, 0.7]], np.float32)
    depth = KINDS["depth"](near)
    np.testing.assert_array_equal(depth.pixels, [[0, 102], [204, 255]])
    assert depth.confidence == 1
    for some in (near * FLAT, near * 0):
        flat = KINDS["depth"](some)
        assert not flat.pixels.any()
        with pytest.raises(Refused, match="flat_depth"):
            depth_map(flat)
    mask = KINDS["mask"](near)
    np.testing.assert_array_equal(mask.pixels, depth.pixels)
    assert mask.confidence == pytest.approx(0.7)
    for kind in ("edge", "contour"):
        np.testing.assert_array_equal(KINDS[kind](near).pixels, [[0, 102], [153, 178]])
        np.testing.assert_array_equal(KINDS[kind](near / 2).pixels, [[0, 0], [76, 89]])


def test_the_layers_fit_every_size() -> None:
    """The fewest and the most levels that pictures of a multiple of 64 allow."""
    for widths in ([4, 4], WIDTHS, [4] * 6):
        network = build(widths, "zeros").eval()
        with torch.inference_mode():
            assert forward(network, torch.zeros(2, 3, 64, 192)).shape == (2, 1, 64, 192)
    for widths in ([4], [4] * 7):
        with pytest.raises(ValueError, match="levels: 2 to 6"):
            build(widths, "zeros")


def test_a_config_is_checked(tmp_path: Path) -> None:
    weights = tmp_path / "some.safetensors"
    save_file(build(WIDTHS, "zeros").state_dict(), weights)
    config = {"kind": "edge", "side": 64, "widths": WIDTHS, "padding": "zeros"}
    assert look(TinyMap.load(weights, config=config), [np.zeros((70, 90, 3), np.uint8)])
    with pytest.raises(ValueError, match="unknown 'kind' 'sketch'; known: depth, edge"):
        TinyMap.load(weights, config=config | {"kind": "sketch"})
    with pytest.raises(ValueError, match=r"unknown config .'depth'."):
        TinyMap.load(weights, config=config | {"depth": 3})
    with pytest.raises(RuntimeError, match="size mismatch"):
        TinyMap.load(weights, config=config | {"widths": [4, 6, 9]})
