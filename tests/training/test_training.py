"""The parts of the training of the embedded networks, on arithmetic and on a few pictures."""

import numpy as np
import pytest
import torch

from instruct_imagen_data import planted
from instruct_imagen_data.annotators import clip as clip_annotator
from instruct_imagen_data.annotators import nima as nima_annotator
from instruct_imagen_data.annotators.model_set import load_set
from instruct_imagen_data.annotators.quality import from_distribution
from instruct_imagen_data.training import clip, nima
from instruct_imagen_data.training.batches import Rows, Texts, augment, near_copies, to_tensor
from instruct_imagen_data.training.evaluate import Measured, hash_distances, scores
from instruct_imagen_data.training.pictures import Pictures, _render_file, classes, nouns, pictures


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Random pixels for two entities of each of four nouns, in two views, and six rejects."""
    rng = np.random.default_rng(5)
    noun = np.repeat(np.arange(4) * 9, 4)
    entity = np.repeat(np.arange(8), 2)
    of_noun = [list(planted.DOMAINS).index(_domain(nouns()[i])) for i in noun]
    rejects = np.repeat([classes().index(kind) for kind in planted.REJECT_CLASSES], 2)
    n = len(noun) + len(rejects)
    none = np.full(len(rejects), -1)
    return Pictures(
        clip=rng.integers(0, 256, (n, 128, 128, 3), dtype=np.uint8),
        clean=rng.integers(0, 256, (n, 160, 160, 3), dtype=np.uint8),
        degraded=rng.integers(0, 60, (n, 160, 160, 3), dtype=np.uint8),
        strength=rng.random(n, dtype=np.float32),
        domain=np.concatenate((of_noun, rejects)),
        noun=np.concatenate((noun, none)),
        entity=np.concatenate((entity, none)),
        caption=np.array([f"caption {i}" for i in range(n)]),
    )


def _domain(noun: str) -> str:
    return next(domain for domain, all_of_it in planted.NOUNS.items() if noun in all_of_it)


def test_rendered_pictures_are_kept_and_read_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(planted, "entities", planted_entities)
    _render_file(91, 1, 1, tmp_path / "pictures-91-1-1.npz")
    before = (tmp_path / "pictures-91-1-1.npz").stat().st_mtime_ns
    shown = pictures(tmp_path, [91], 1, 1, processes=1)
    assert (tmp_path / "pictures-91-1-1.npz").stat().st_mtime_ns == before
    assert len(shown) == 3 + 2 * len(planted.REJECT_CLASSES)
    assert shown.clip.dtype == shown.degraded.dtype == np.uint8
    assert set(shown.noun[:3]) == {nouns().index(one.noun) for one in planted_entities(91, 1)}
    assert (shown.entity[3:] == -1).all()


_ENTITIES = planted.entities


def planted_entities(seed: int, count: int) -> list[planted.Entity]:
    """Three of a seed's entities: rendering all takes too long here."""
    return _ENTITIES(seed, count)[::20]


def test_a_batch_holds_two_views_of_each_entity(few: Pictures) -> None:
    rows = Rows(few, entities=5, rejects=3).draw(np.random.default_rng(0))
    pairs = few.entity[rows[:10]].reshape(5, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all()
    assert len(set(pairs[:, 0])) == 5
    assert (few.entity[rows[10:]] == -1).all()
    assert len(set(rows)) == len(rows)


def test_texts_match_their_pictures(few: Pictures) -> None:
    models = load_set("embedded")
    role = models.image_text
    network = clip_annotator.build(role.config["architecture"])
    tokenizer = clip_annotator.tokenizer_of(network, *role.config.values())
    texts = Texts(few, (*models.domains, *models.rejects), tokenizer)
    rows = Rows(few, entities=6, rejects=4).draw(np.random.default_rng(0))
    tokens, match = texts.for_pictures(rows, np.random.default_rng(1))
    captions = tokenizer(few.caption.tolist())[rows]
    for column, text in enumerate(tokens):
        row = rows[column]
        same_noun = (few.noun[rows] == few.noun[row]) & (few.domain[rows] == few.domain[row])
        if torch.equal(text, captions[column]):
            expected = 0.5 * same_noun + 0.5 * (same_noun & (few.entity[rows] == few.entity[row]))
        else:
            expected = (few.domain[rows] == few.domain[row]).astype(float)
        np.testing.assert_array_equal(match[:, column], expected.astype(np.float32))
    assert (match[:, few.noun[rows] >= 0] == 0.5).any()


def test_augmentation_keeps_what_a_copy_is(few: Pictures) -> None:
    seen = augment(few.clip, 112, np.random.default_rng(0))
    copies = near_copies(seen, np.random.default_rng(1))
    assert seen.shape == copies.shape == (len(few), 112, 112, 3)
    assert not np.array_equal(seen, copies)
    smooth = np.linspace(0, 255, 112, dtype=np.uint8)[None, :, None, None].repeat(112, 2)
    smooth = smooth.repeat(3, 3)
    copy = near_copies(smooth, np.random.default_rng(2))
    assert np.abs(copy.astype(int) - smooth).max() <= 0.06 * 255  # not mirrored, hardly moved
    x = to_tensor(smooth, np.zeros(1), np.random.default_rng(3))
    np.testing.assert_allclose(x[0].permute(1, 2, 0), smooth[0] / 255, atol=1e-6)


def test_the_schedule_rises_and_falls() -> None:
    rates = [clip.schedule(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[4] == 1
    assert rates[-1] < 0.01
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_earth_movers_distance() -> None:
    """Between certainties of scores a and b: sqrt(|a - b| / 10), by the definition."""
    certain = torch.eye(10)
    assert nima.emd(certain, certain).item() == pytest.approx(0, abs=1e-3)
    for a, b in ((0, 9), (3, 4), (7, 2)):
        found = nima.emd(certain[a : a + 1], certain[b : b + 1]).item()
        assert found == pytest.approx((abs(a - b) / 10) ** 0.5, abs=1e-6)


def test_clip_learns_and_repeats_itself(few: Pictures) -> None:
    models = load_set("embedded")
    role = models.image_text
    recipe = clip.Recipe(3, 1, small_side=32, entities=6, rejects=4, copies=2)
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        network = clip_annotator.build(role.config["architecture"])
        before = {name: value.clone() for name, value in network.state_dict().items()}
        tokenizer = clip_annotator.tokenizer_of(network, *role.config.values())
        domains = (*models.domains, *models.rejects)
        clip.train(few, domains, network, tokenizer, recipe, seed=3)
        states.append(network.state_dict())
        moved = [name for name, value in before.items() if not torch.equal(value, states[-1][name])]
        assert {"visual.head.proj.weight", "text_projection", "logit_scale"} <= set(moved)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_nima_learns_to_tell_dark_pictures(few: Pictures) -> None:
    """By batch statistics: the running ones need more steps than a test should take."""
    config = load_set("embedded").quality.config
    torch.manual_seed(0)
    network = nima_annotator.build(config)
    nima.train(few, network, config, nima.Recipe(12, batch=8), seed=1)
    pixels = torch.from_numpy(np.concatenate((few.clean[:8], few.degraded[:8])))
    with torch.inference_mode():
        logits = network.train()(pixels.permute(0, 3, 1, 2) / 63.75 - 2)  # mean .5, deviation .25
    value = from_distribution(logits.softmax(1).numpy()).value
    assert value[:8].mean() > value[8:].mean() + 1


def test_scores_are_counted_right() -> None:
    """Six pictures whose answers are written down: two good views, a copy, two bad, a banner."""
    truth = {
        "origin": np.array(list("abcdef"), object),
        "topic": np.array(["cat", "cat", "cat", "car", "car", None], object),
        "domain": np.array(["animals"] * 3 + ["vehicles"] * 2 + ["banner"], object),
        "quality": np.array(["good", "good", "good", "good", "bad", "good"], object),
        "duplicate_of": np.array([None, None, "a", None, None, None], object),
    }
    vectors = np.eye(6, dtype=np.float32)
    vectors[2] = vectors[0]
    hashes = np.arange(6, dtype=np.uint8)[:, None] * np.array([[37]], np.uint8)
    hashes[2] = hashes[0]
    measured = Measured(
        truth=truth,
        quality=np.array([5, 6, 7, 8, 1, 2], np.float32),
        vectors=vectors,
        hashes=hashes,
        domain=np.array(["animals", "food", "animals", "vehicles", "vehicles", "banner"]),
        accepted=np.array([True, True, False, True, True, True]),
    )
    found = scores(measured, load_set("embedded"))
    assert found["domain_accuracy"] == 0.75
    assert found["acceptance"] == 0.75
    assert found["reject_recall"] == 1
    assert found["bad_recall"] == 1
    assert found["duplicate_recall"] == found["duplicate_precision"] == 1


def test_hash_distances_count_bits() -> None:
    hashes = np.random.default_rng(0).integers(0, 256, (5, 32), dtype=np.uint8)
    expected = [[sum(bin(x ^ y).count("1") for x, y in zip(a.tolist(), b.tolist(), strict=True))
                 for b in hashes] for a in hashes]  # fmt: skip
    np.testing.assert_array_equal(hash_distances(hashes), expected)
