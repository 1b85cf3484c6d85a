"""Model sets: what is read from a TOML, and one clear line for everything that is wrong."""

import dataclasses
import hashlib
import io
import json
import shutil
import urllib.request
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from instruct_imagen_data import planted
from instruct_imagen_data.agreement import rank_correlation
from instruct_imagen_data.annotators import weights as weight_files
from instruct_imagen_data.annotators.domains import route, sentence_vectors
from instruct_imagen_data.annotators.model_set import (
    Domain,
    QualityRole,
    Role,
    Weights,
    check,
    load_networks,
    load_role,
    load_set,
)
from instruct_imagen_data.annotators.precision import cpu_has_bf16, resolve_precision
from instruct_imagen_data.annotators.weights import fetch, sha256_of
from instruct_imagen_data.errors import UsageError

EMBEDDED = load_set("embedded").path


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A copy of the embedded set, to be spoilt."""
    shutil.copytree(EMBEDDED.parent.parent / "embedded", tmp_path / "embedded")
    (tmp_path / "sets").mkdir()
    return Path(shutil.copy(EMBEDDED, tmp_path / "sets" / "mine.toml"))


def change(toml: Path, old: str, new: str) -> None:
    text = toml.read_text()
    assert old in text
    toml.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("name", ["paper", "embedded"])
def test_shipped_sets_read(name: str) -> None:
    models = load_set(name)
    assert models.name == name
    assert all(len(one.sentences) >= 4 for one in (*models.domains, *models.rejects))
    assert {"quality", "image_text"} <= {weights.role for weights in models.weights}
    assert set(models.roles) - {"style_transfer"} == {weights.role for weights in models.weights}
    assert all(weights.licence and weights.source for weights in models.weights)


def test_the_paper_sets_files_are_to_be_fetched_into_the_cache(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(weight_files.CACHE_VARIABLE, str(tmp_path))
    models = load_set("paper")
    for weights in models.weights:
        assert weights.path.parent == tmp_path
        with pytest.raises(UsageError, match=f"(?s){weights.role}.*{weights.path}.*https://"):
            check(weights)
    verified = {weights.role for weights in models.weights if weights.verified}
    assert {"image_text", "depth", "edge", "mask"} <= verified
    assert not models.quality.weights.verified  # its publisher states no hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("logit_scale", "logit_sale", r"\[image_text\]: no 'logit_scale'"),
        ('direction = "higher"', 'direction = "up"', r"\[quality\]: 'direction' must be"),
        ('network = "nima"', 'network = "niqe"', r"unknown network 'niqe'; .* nima, cnniqa"),
        ('network = "clip"', 'network = "nima"', r"unknown network 'nima'; .* clip"),
        ("cosine = ", "cosines = 1\ncosine = ", r"\[duplicates\]: unknown key 'cosines'"),
        ("floor = ", 'floor = "x" # ', r"\[quality\]: 'floor' must be a number, not 'x'"),
        ("range = [", "range = 3 # [", r"'range' must be two numbers"),
        ("range = [", "range = [0, 1, 2] # [", r"'range' must be two numbers"),
        ('name = "animals"', 'name = "food"', "each name once"),
        ("[duplicates]", "[duplicates", "no TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(toml: Path, old: str, new: str, message: str) -> None:
    change(toml, old, new)
    with pytest.raises(UsageError, match=message) as caught:
        load_set(str(toml))
    assert str(toml) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_set_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no model set 'papre': neither embedded, paper nor"):
        load_set("papre")


def test_missing_and_wrong_weight_files_are_refused(toml: Path) -> None:
    models = load_set(str(toml))
    check(models.quality.weights)
    models.quality.weights.path.write_bytes(b"other")
    with pytest.raises(UsageError, match=r"quality: .* is not the file of the model set"):
        load_networks(models)
    models.quality.weights.path.unlink()
    with pytest.raises(UsageError, match=r"quality: no weight file at .*nima.safetensors"):
        load_networks(models)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('backbone = "mobilenetv3_small_050"', "", r"\[quality\]: no nima out of .*: 'backbone'"),
        ("mobilenetv3_small_050", "mobilenetv3_small_075", r"\[quality\]: no nima out of .*size"),
        ("../embedded/nima.safetensors", "mine.toml", r"\[quality\]: no nima out of .*mine.toml"),
    ],
)
def test_weights_that_do_not_fit_are_refused(toml: Path, old: str, new: str, message: str) -> None:
    change(toml, old, new)
    change(toml, load_set("embedded").quality.weights.sha256, weight_files.UNVERIFIED)
    with pytest.raises(UsageError, match=message) as caught:
        load_networks(load_set(str(toml)))
    assert "\n" not in str(caught.value)


def test_bf16_hardly_moves_scores_and_vectors() -> None:
    """Slow on a CPU without bf16 instructions, but it runs there."""
    models = load_set("embedded")
    entities = planted.entities(1234, 1)[::2]
    pictures = [planted.render(one, 0, 1234, 160).rgb for one in entities]
    pictures += [cv2.GaussianBlur(rgb, (0, 0), 1 + i % 3) for i, rgb in enumerate(pictures)]
    full, half = (load_networks(models, precision) for precision in ("fp32", "bf16"))
    prepared = [full.image_text.prepare(rgb) for rgb in pictures]
    cosine = (full.image_text.images(prepared) * half.image_text.images(prepared)).sum(axis=1)
    assert cosine.mean() >= 0.998
    prepared = [full.quality.prepare(rgb) for rgb in pictures]
    values = [networks.quality(prepared).value for networks in (full, half)]
    moved = np.abs(values[0] - values[1])
    assert np.median(moved) <= 0.02
    assert moved.mean() <= 0.1
    assert rank_correlation(*values) >= 0.99


def test_hashes_tell_settings_that_scores_depend_on(toml: Path) -> None:
    before = load_set(str(toml)).hashes()
    assert before == load_set("embedded").hashes()  # wherever the files lie
    change(toml, "phash_bits = ", "phash_bits = 1")
    assert load_set(str(toml)).hashes() == before  # thresholds of later jobs are not among them
    change(toml, "a photo of an animal", "an animal")
    after = load_set(str(toml)).hashes()
    assert after.pop("set") != before.pop("set")
    assert after == before


def test_a_corpus_hashes_only_the_networks_that_measured_it(toml: Path) -> None:
    """Written as before there were other roles: corpora of then are continued, not refused."""
    role = Role("captioner", None, {"folder": toml.parent}, "MIT")
    models = dataclasses.replace(load_set(str(toml)), captioner=role)
    quality, pairs = models.quality, models.image_text
    files = {name: sha256_of(path) for name, path in pairs.config.items()}
    settings = [
        [quality.network, dict(quality.config)],
        [quality.direction, quality.low, quality.high],
        [pairs.network, files],
        [pairs.logit_scale, pairs.min_probability],
        [pairs.min_margin],
        [[one.name, one.sentences] for one in (*models.domains, *models.rejects)],
    ]
    expected = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    assert models.hashes()["set"] == expected
    assert set(models.hashes(("captioner",))) == {"set"}
    before = models.hashes(("quality", "captioner"))
    assert before == models.hashes(("captioner", "quality"))
    (toml.parent / "more").write_text("of the folder in the config")
    after = models.hashes(("quality", "captioner"))
    assert after["set"] != before["set"]
    assert after["quality"] == before["quality"] == models.quality.weights.sha256


def test_a_role_that_the_set_lacks_is_named(toml: Path) -> None:
    models = dataclasses.replace(load_set(str(toml)), contour=None)
    assert "contour" not in models.roles
    for use in (lambda: load_role(models, "contour"), lambda: models.hashes(("contour",))):
        with pytest.raises(UsageError, match=r"'contour' network: add a table \[contour\] with"):
            use()


ROLES_OF_SHARED = [("depth", (224, 224)), ("edge", (512, 768)), ("mask", (320, 320))]


@pytest.mark.parametrize(("role", "shape"), ROLES_OF_SHARED)
def test_networks_of_maps_are_loaded_by_role(root: Path, shared: Path, role: str, shape) -> None:
    models = load_set(str(root / "tests" / "data" / "shared_set.toml"))
    rgb = np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    network = load_role(models, role)
    (found,) = network([network.prepare(rgb)])
    assert found.pixels.shape == shape
    assert found.pixels.dtype == np.uint8
    assert set(models.hashes((role,))) == {role, "set"}
    other = dataclasses.replace(models.roles[role], config={"sidelong": 3})
    with pytest.raises(UsageError, match=rf"\[{role}\]: no .* out of .*: unknown config"):
        load_role(dataclasses.replace(models, **{role: other}), role)


def test_a_style_network_is_loaded_by_role(root: Path, shared: Path) -> None:
    models = load_set(str(root / "tests" / "data" / "shared_set.toml"))
    network = load_role(models, "style_transfer")
    rgb = np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    content = network.prepare_content(rgb, 64)
    (painted,) = network([content], network.codes([network.prepare_style(rgb)]))
    assert painted.shape == content.shape == (64, 96, 3)
    before = models.hashes(("style_transfer",))
    assert set(before) == {"style_transfer", "set"}
    gone = dataclasses.replace(models.style_transfer, config={"predictor": root / "none"})
    with pytest.raises(UsageError, match=r"\[style_transfer\]: no ghiasi .* no 'predictor' file"):
        load_role(dataclasses.replace(models, style_transfer=gone), "style_transfer")


def test_only_networks_without_weights_may_lack_a_file(toml: Path) -> None:
    models = load_set(str(toml))
    network = load_role(models, "style_transfer")
    content = np.zeros((32, 48, 3), np.uint8)
    assert network([content], network.content_codes([content]))[0].shape == content.shape
    assert set(models.hashes(("style_transfer",))) == {"set"}
    change(toml, 'network = "moments"', 'network = "ghiasi"')
    with pytest.raises(UsageError, match=r"\[style_transfer\]: no 'weights'"):
        load_set(str(toml))
    file = Weights("style_transfer", toml, weight_files.UNVERIFIED, None, "MIT", "a test")
    given = Role("moments", file, {}, "MIT")
    with pytest.raises(UsageError, match=r"\[style_transfer\]: .* moments has no weights"):
        load_role(dataclasses.replace(models, style_transfer=given), "style_transfer")


def test_files_that_are_no_weights_are_refused(toml: Path) -> None:
    for name in ("noise.pth", "empty.pth", "noise.safetensors"):
        path = toml.parent / name
        path.write_bytes(b"" if name == "empty.pth" else bytes(range(256)))
        file = Weights("edge", path, weight_files.UNVERIFIED, None, "MIT", "a test")
        models = dataclasses.replace(
            load_set(str(toml)), edge=Role("pidinet", file, {"side": 64}, "MIT")
        )
        with pytest.raises(UsageError, match=rf"\[edge\]: no pidinet out of .*{name}: ") as caught:
            load_role(models, "edge")
        assert "\n" not in str(caught.value)


def test_a_path_in_a_config_that_leads_nowhere_is_named(toml: Path) -> None:
    gone = dataclasses.replace(
        load_set(str(toml)), depth=Role("d", None, {"second": toml.parent / "none"}, "MIT")
    )
    with pytest.raises(UsageError, match=r"depth: nothing at .*none, which its config calls 'sec"):
        gone.hashes(("depth",))


def local(tmp_path: Path, sha256: str) -> tuple[Weights, Path]:
    """Weights published at a file:// URL, not fetched yet."""
    published = tmp_path / "published.bin"
    published.write_bytes(b"weights")
    target = tmp_path / "cache" / "weights.bin"
    sha256 = sha256 or sha256_of(published)
    return Weights("quality", target, sha256, published.as_uri(), "MIT", "a test"), published


def test_fetch_downloads_once(tmp_path: Path) -> None:
    weights, published = local(tmp_path, "")
    assert fetch(weights).read_bytes() == b"weights"
    published.unlink()
    assert fetch(weights).read_bytes() == b"weights"
    assert [path.name for path in weights.path.parent.iterdir()] == ["weights.bin"]


def test_a_fetched_file_of_another_hash_is_not_kept(tmp_path: Path) -> None:
    weights, _ = local(tmp_path, "0" * 64)
    with pytest.raises(UsageError, match=r"quality: .*its sha256 is .*, not 0000"):
        fetch(weights)
    assert list(weights.path.parent.iterdir()) == []


def test_a_failed_download_says_where_to_get_the_file(tmp_path: Path) -> None:
    weights, published = local(tmp_path, "0" * 64)
    published.unlink()
    with pytest.raises(UsageError) as caught:
        fetch(weights)
    for part in ("quality", published.as_uri(), str(weights.path)):
        assert part in str(caught.value)
    assert list(weights.path.parent.iterdir()) == []


def test_a_download_cut_short_is_not_kept(tmp_path: Path, monkeypatch) -> None:
    """Also where no hash would tell."""

    class Cut(io.BytesIO):
        headers: ClassVar = {"Content-Length": "1000"}

    weights, _ = local(tmp_path, weight_files.UNVERIFIED)
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Cut(b"half"))
    with pytest.raises(UsageError, match="quality: 4 of 1000 bytes came"):
        fetch(weights)
    assert list(weights.path.parent.iterdir()) == []


def test_an_unverified_file_is_used_as_it_is(tmp_path: Path) -> None:
    weights, _ = local(tmp_path, weight_files.UNVERIFIED)
    assert fetch(weights).read_bytes() == b"weights"


def test_quality_is_higher_for_the_better_whatever_the_network() -> None:
    weights = Weights("quality", Path("x"), "", None, "", "")
    role = QualityRole("cnniqa", weights, {}, "lower", 0, 100, 45)
    found = role.quality(np.array([10, 90], np.float32))
    np.testing.assert_array_equal(found, np.array([90, 10], np.float32))
    assert found.dtype == np.float32


def test_domains_are_routed_by_softmax_over_cosines() -> None:
    vectors = {"a cat": [1.0, 0], "a dog": [0, 1.0], "cars": [-1.0, 0]}
    domains = [Domain("animals", ("a cat", "a dog")), Domain("vehicles", ("cars",))]
    means = sentence_vectors(domains, lambda texts: np.array([vectors[text] for text in texts]))
    np.testing.assert_allclose(means, [[0.5**0.5, 0.5**0.5], [-1, 0]], atol=1e-6)
    found = route(np.array([[1.0, 0], [-0.6, 0.8]], np.float32), means.astype(np.float32), 3.0)
    cosine = np.array([[0.5**0.5, -1], [0.2 * 0.5**0.5, 0.6]])
    probability = np.exp(3 * cosine) / np.exp(3 * cosine).sum(1, keepdims=True)
    np.testing.assert_array_equal(found.index, [0, 1])
    np.testing.assert_allclose(found.probability, probability.max(1), atol=1e-6)
    np.testing.assert_allclose(found.margin, np.abs(cosine[:, 0] - cosine[:, 1]), atol=1e-6)


def test_precision_is_what_the_cpu_has(tmp_path: Path, monkeypatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    for flags, has in (("avx2 avx512f", False), ("avx512f avx512_bf16", True), ("amx_bf16", True)):
        cpuinfo.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
        assert cpu_has_bf16(cpuinfo) is has
    assert not cpu_has_bf16(tmp_path / "none")
    expected = "bf16" if cpu_has_bf16() else "fp32"
    assert resolve_precision("auto") == expected
    assert resolve_precision("fp32") == "fp32"
    module = "instruct_imagen_data.annotators.precision.cpu_has_bf16"
    monkeypatch.setattr(module, lambda: False)
    for asked, message in (("bf16", "no bf16"), ("fp16", "no fp16"), ("int8", "known are auto")):
        with pytest.raises(UsageError, match=message):
            resolve_precision(asked)
