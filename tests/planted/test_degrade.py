"""Spoilt pictures are worse in the way their name says; pages look like pages."""

import numpy as np
import pytest

from instruct_imagen_data.planted import (
    DEGRADATIONS,
    REJECT_CLASSES,
    degrade,
    entities,
    reject_picture,
    render,
)
from instruct_imagen_data.planted.draws import generator

PICTURE = render(entities(4, 1)[12], 0, 4, 160).rgb


def sharpness(rgb: np.ndarray) -> float:
    grey = rgb.astype(float).mean(2)
    return float(np.abs(np.diff(grey, 2, 0)).mean() + np.abs(np.diff(grey, 2, 1)).mean())


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_degradation_changes_the_picture_clearly(kind: str, strength: float) -> None:
    spoilt = degrade(PICTURE, kind, strength, generator(kind))
    assert spoilt.shape == PICTURE.shape
    assert spoilt.dtype == np.uint8
    error = np.square(spoilt.astype(float) - PICTURE).mean()
    assert 10 * np.log10(255**2 / error) < 31  # dB; the mild copies keep 35 and more
    again = degrade(PICTURE, kind, strength, generator(kind))
    assert (spoilt == again).all()


def test_each_kind_does_what_its_name_says() -> None:
    blur, noise, dark = (
        degrade(PICTURE, kind, 0.5, generator(kind)) for kind in ("blur", "noise", "dark")
    )
    assert sharpness(blur) < 0.6 * sharpness(PICTURE)
    assert sharpness(noise) > 3 * sharpness(PICTURE)
    assert dark.mean() < 0.25 * PICTURE.mean()


@pytest.mark.parametrize("kind", REJECT_CLASSES)
def test_pages_have_their_shape_and_differ(kind: str) -> None:
    pages = [reject_picture(kind, index, 4, 120) for index in range(4)]
    for page in pages:
        h, w = page.shape[:2]
        assert min(h, w) == 120
        if kind == "banner":
            assert 2.4 < w / h < 3.1
    assert (reject_picture(kind, 0, 4, 120) == pages[0]).all()
    assert len({page.tobytes() for page in pages}) == 4
