"""CNNIQA against the scores that were published beside its weights."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instruct_imagen_data.annotators.cnniqa import Cnniqa

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
WEIGHTS = SHARED / "weights" / "cnniqa"
needs_shared = pytest.mark.skipif(
    not WEIGHTS.is_dir(), reason="the cnniqa weights are not beside the checkout (../shared)"
)


@needs_shared
def test_golden_scores_of_the_quality_ladders() -> None:
    golden = json.loads((WEIGHTS / "golden_scores.json").read_text())
    network = Cnniqa.load(WEIGHTS / "cnniqa_live.safetensors", config={})
    folder = SHARED / "data" / "quality_gt"
    scores = golden["scores"]
    names = sorted(scores)[::5]
    pictures = [np.asarray(Image.open(folder / name).convert("RGB")) for name in names]
    found = network([network.prepare(rgb) for rgb in pictures])
    np.testing.assert_allclose(found.value, [scores[name] for name in names], atol=0.05)
    assert found.distribution is None
    assert not found.deviation.any()


@needs_shared
def test_small_pictures_are_stretched_to_one_patch() -> None:
    network = Cnniqa.load(WEIGHTS / "cnniqa_live.safetensors", config={})
    rgb = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)
    grey = network.prepare(rgb)
    assert grey.shape == (33, 50)
    assert np.isfinite(network([grey]).value).all()


@needs_shared
def test_a_config_is_refused() -> None:
    with pytest.raises(ValueError, match="no config"):
        Cnniqa.load(WEIGHTS / "cnniqa_live.safetensors", config={"side": 3})
