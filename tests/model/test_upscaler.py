"""The hook for a super-resolution model: a pipeline of diffusers, by path, and what is none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import models, pipelines_on_disk
from PIL import Image

from instruct_imagen_data.errors import UsageError
from model.upscaler import Upscaler, without_markers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pipelines_on_disk.write_upscaler(tmp_path_factory.mktemp("upscaler"))


def test_a_picture_is_enlarged_and_the_same_by_seed(folder: Path) -> None:
    upscaler = Upscaler.load(str(folder))
    picture = np.random.Generator(np.random.Philox(key=1)).integers(0, 256, (8, 8, 3), np.uint8)
    told: dict[str, Any] = {}
    call = type(upscaler._pipeline).__call__

    class Quick(type(upscaler._pipeline)):  # type: ignore[misc]
        def __call__(self, prompt=None, image=None, **given):  # type: ignore[no-untyped-def]
            told["prompt"] = prompt
            return call(self, prompt=prompt, image=image, num_inference_steps=2, **given)

    upscaler._pipeline.__class__ = Quick
    found = upscaler(picture, "a vase by [ref#1] in [ref#2] style", 3)
    assert told["prompt"] == "a vase by in style"
    assert (found.dtype, found.shape) == (np.uint8, (16, 16, 3))
    assert np.array_equal(found, upscaler(picture, "a vase by [ref#1] in [ref#2] style", 3))
    assert not np.array_equal(found, upscaler(picture, "a vase by [ref#1] in [ref#2] style", 4))


def test_generate_hands_its_pictures_on(command: Any, folder: Path, tmp_path: Path) -> None:
    models.write_model(tmp_path / "model")
    given = ("--model", tmp_path / "model", "--instruction", "a boat")
    done = command("generate", *given, "--output", tmp_path / "o.png", "--upscaler", folder)
    assert done.code == 0, done.err
    with Image.open(tmp_path / "o.png") as opened:
        assert opened.size == (16, 16)


def test_what_is_no_upscaler_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no diffusers pipeline"):
        Upscaler.load(str(tmp_path))


def test_words_are_what_is_left_without_markers() -> None:
    assert without_markers("[ref#1]") == ""
    assert without_markers("As [[ref#2] says,  [ref#1] dog") == "As [ref#2] says, dog"
