"""The embedded set on a planted world it was not trained on, and how it was made."""

import json

import numpy as np
import pytest

from instruct_imagen_data import planted
from instruct_imagen_data.annotators.domains import route, sentence_vectors
from instruct_imagen_data.annotators.model_set import Networks, load_networks, load_set

SEED = 42  # never trained on


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks(load_set("embedded"))


@pytest.fixture(scope="module")
def views() -> tuple[list[np.ndarray], list[str]]:
    """Two pictures of an entity of every noun, and the domain of each."""
    entities = planted.entities(SEED, 1)
    pairs = [(planted.render(one, view, SEED, 200).rgb, one) for one in entities for view in (0, 1)]
    return [rgb for rgb, _ in pairs], [one.domain for _, one in pairs]


def test_the_files_are_small_and_their_making_is_recorded() -> None:
    models = load_set("embedded")
    folder = models.image_text.weights.path.parent
    assert all(weights.verified for weights in models.weights)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    sizes = {one.role: one.path.stat().st_size for one in models.weights}
    assert sizes["quality"] + sizes["image_text"] < 4e6
    assert all(sizes[role] < 0.4e6 for role in ("depth", "edge", "mask", "contour"))
    record = json.loads((folder / "TRAINING.json").read_text())
    for network in ("clip", "nima", "maps"):
        options = record[network]["options"]
        assert "instruct_imagen_data.training.embedded" in record[network]["command"]
        assert {options["evaluation_seed"], SEED}.isdisjoint(options["seeds"])
    assert record["scores"]["domain_accuracy"] >= 0.95
    assert record["scores"]["bad_recall"] >= 0.9
    assert record["scores"]["edge_f1"] >= 0.7
    assert record["scores"]["mask_iou"] >= 0.85
    assert record["scores"]["depth_rank"] >= 0.8
    assert record["scores"]["contour_f1"] >= 0.7


def test_domains_of_new_entities(networks: Networks, views) -> None:
    models = load_set("embedded")
    pictures, domains = views
    network = networks.image_text
    classes = (*models.domains, *models.rejects)
    vectors = network.images([network.prepare(rgb) for rgb in pictures])
    routing = route(
        vectors, sentence_vectors(classes, network.texts), models.image_text.logit_scale
    )
    found = [classes[index].name for index in routing.index]
    assert np.mean([a == b for a, b in zip(found, domains, strict=True)]) >= 0.9


def test_reject_classes_are_told_from_domains(networks: Networks) -> None:
    models = load_set("embedded")
    network = networks.image_text
    classes = (*models.domains, *models.rejects)
    kinds = [kind for kind in planted.REJECT_CLASSES for _ in range(4)]
    pages = [planted.reject_picture(kind, i, SEED, 200) for i, kind in enumerate(kinds)]
    vectors = network.images([network.prepare(rgb) for rgb in pages])
    routing = route(
        vectors, sentence_vectors(classes, network.texts), models.image_text.logit_scale
    )
    assert (routing.index >= len(models.domains)).mean() >= 0.9


@pytest.mark.parametrize("kind", sorted(planted.DEGRADATIONS))
def test_spoilt_pictures_score_below_clean_ones(networks: Networks, views, kind: str) -> None:
    network, clean = networks.quality, views[0][::4]
    rng = np.random.default_rng(SEED)
    spoilt = [planted.degrade(rgb, kind, 0.5, rng) for rgb in clean]
    scores = network([network.prepare(rgb) for rgb in [*clean, *spoilt]]).value
    better, worse = scores[: len(clean)], scores[len(clean) :]
    assert np.mean(better[:, None] > worse[None]) >= 0.95  # of all pairs


def test_one_score_an_input_in_order_whatever_the_batch(networks: Networks, views) -> None:
    network = networks.quality
    prepared = [network.prepare(rgb) for rgb in views[0][:33]]
    together = network(prepared)
    alone = np.concatenate([network([one]).value for one in prepared])
    np.testing.assert_allclose(together.value, alone, atol=1e-4)
    np.testing.assert_array_equal(together.value, network(prepared).value)
    np.testing.assert_allclose(together.distribution.sum(axis=1), 1, atol=1e-5)
    assert network([]).value.shape == (0,)
