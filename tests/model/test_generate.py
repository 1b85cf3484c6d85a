"""`instruct-imagen generate`: pictures, their recipes, files of instructions, and wrong use."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import models
from PIL import Image

from instruct_imagen_data import images
from model import asked, generate, sampling, trained
from model.asked import Given
from model.batches import pictures
from model.batches.pictures import Frame
from model.sampling import Prompt, Sampling

INSTRUCTION = "a vase in the style of [ref#1], by [ref#2]"


@pytest.fixture
def place(tmp_path: Path, picture: Callable[..., bytes]) -> Path:
    """A folder with a network and three pictures."""
    models.write_model(tmp_path / "model")
    for number, name in enumerate(("style", "dog", "cat")):
        (tmp_path / f"{name}.png").write_bytes(picture(number, 40, 30, "PNG"))
    return tmp_path


def recipe_of(path: Path) -> dict[str, Any]:
    with Image.open(path) as opened:
        found: dict[str, Any] = json.loads(opened.text["instruct-imagen"])  # type: ignore[attr-defined]
    return found


def flags(place: Path, *refs: str, instruction: str = INSTRUCTION, output: str = "out.png") -> Any:
    given = [("--ref", one.replace("=", f"={place}/")) for one in refs]
    return (
        *("--model", place / "model", "--instruction", instruction),
        *(one for pair in given for one in pair),
        *("--output", place / output),
    )


def test_a_picture_and_its_recipe(command: Any, place: Path) -> None:
    refs = ("2=dog.png;dog", "1=style.png;watercolour", "2=cat.png")
    done = command("generate", *flags(place, *refs), "--seed", 3)
    assert (done.code, done.lines) == (0, [])
    assert done.out == f"1 picture: {place}/out.png\n"
    found = recipe_of(place / "out.png")
    told = [(one["marker"], Path(one["image"]).name, one["text"]) for one in found["references"]]
    assert told == [(1, "style.png", "watercolour"), (2, "dog.png", "dog"), (2, "cat.png", "dog")]
    assert (found["instruction"], found["seed"], found["index"]) == (INSTRUCTION, 3, 0)
    assert found["sampling"] == dataclasses.asdict(Sampling(**models.DDIM))
    # The same picture by the library, from what the recipe says.
    model = trained.load(found["model"])
    shown = []
    for one in found["references"]:
        shown.append(pictures.shown(Path(one["image"]).read_bytes(), 8, Frame(0.5, False)))
    texts = ("[ref#1] watercolour", "[ref#2] dog", "[ref#2] dog")
    prompt = Prompt(0, INSTRUCTION, tuple(shown), texts)
    how = Sampling(**found["sampling"])
    (wanted,) = sampling.draw(model.unet, model.around, [prompt], how, seed=3)
    assert pixels(place / "out.png") == wanted.tobytes()


def test_the_same_command_gives_the_same_bytes(command: Any, place: Path) -> None:
    refs = ("1=style.png;watercolour", "2=dog.png;dog")
    for name in ("a.png", "b.png"):
        assert command("generate", *flags(place, *refs, output=name)).code == 0
    assert (place / "a.png").read_bytes() == (place / "b.png").read_bytes()
    for name, more in (("c.png", ("--seed", 1)), ("d.png", ("--scale", 5.0))):
        assert command("generate", *flags(place, *refs, output=name), *more).code == 0
        assert pixels(place / name) != pixels(place / "a.png")
    assert command("generate", *flags(place, "1=dog.png;watercolour", refs[1])).code == 0
    assert pixels(place / "out.png") != pixels(place / "a.png")


def pixels(path: Path) -> bytes:
    with Image.open(path) as opened:
        return opened.tobytes()


TOML = """
[[pictures]]
instruction = "a boat"

[[pictures]]
instruction = "a vase in the style of [ref#1]"
references = [{marker = 1, image = "style.png", text = "watercolour"}]
seed = 5
output = "vase.png"
"""


def test_a_file_of_instructions(command: Any, place: Path) -> None:
    (place / "asked.toml").write_text(TOML)
    model = ("--model", place / "model", "--seed", 2)
    done = command("generate", *model, "--instructions", place / "asked.toml", "--output", place)
    assert (done.code, done.out) == (0, f"2 pictures: {place}\n")
    assert [recipe_of(place / name)["seed"] for name in ("000.png", "vase.png")] == [2, 5]
    assert recipe_of(place / "vase.png")["index"] == 1
    # The first of a file is what the flags would have drawn.
    alone = ("--instruction", "a boat", "--output", place / "boat.png")
    assert command("generate", *model, *alone).code == 0
    assert pixels(place / "boat.png") == pixels(place / "000.png")
    # As JSON, and a list alone.
    (place / "asked.json").write_text(
        json.dumps(
            [
                {"instruction": "a boat"},
                {
                    "instruction": "a vase in the style of [ref#1]",
                    "references": [{"marker": 1, "image": "style.png", "text": "watercolour"}],
                    "seed": 5,
                },
            ]
        )
    )
    out = place / "json"
    assert command("generate", *model, "--instructions", place / "asked.json", "--output", out)
    for one, other in (("000.png", "000.png"), ("001.png", "vase.png")):
        assert pixels(out / one) == pixels(place / other)


def test_flags_change_how_it_is_drawn(command: Any, place: Path) -> None:
    more = ("--guidance", "nested", "--scale", 2, "--context-scale", 3, "--method", "ddpm")
    refs = ("1=style.png;watercolour", "2=dog.png;dog")
    assert command("generate", *flags(place, *refs), *more, "--steps", 3).code == 0
    wanted = Sampling("ddpm", 3, "nested", 2.0, 3.0, "clip")
    assert recipe_of(place / "out.png")["sampling"] == dataclasses.asdict(wanted)


@pytest.mark.parametrize(
    ("refs", "instruction", "more", "told"),
    [
        ((), "a [ref#1] vase", (), r"cites [ref#1], and there is no picture for it: add --ref '1="),
        (("1=dog.png;dog",), "a vase", (), "for [ref#1], and the instruction does not cite it"),
        (("2=dog.png;dog",), "a [ref#2]", (), "do not run from 1 without gaps"),
        (("1=dog.png;dog", "1=cat.png;cat"), "a [ref#1]", (), "is both 'dog' and 'cat'"),
        (("1=hen.png;hen",), "a [ref#1]", (), "[ref#1]: no file"),
        (("1=model/config.json;hen",), "a [ref#1]", (), "not_an_image"),
        (("dog.png",), "a [ref#1]", (), "write NUMBER=PICTURE;WHAT IT IS"),
        ((), "a [ref#one] vase", (), "is no marker: write [ref#1]"),
        ((), "a {caption}", (), "slot {caption} was left"),
        ((), "  ", (), "the instruction is empty"),
        ((), "a boat", ("--guidance", "nested", "--scale", 2), "say --context-scale as well"),
        ((), "a boat", ("--guidance", "oscillating", "--scale", 9, "--method", "dpm"), "multistep"),
        ((), "a boat", ("--steps", 7), "their number divides 1000"),
        ((), "a boat", ("--instructions", "a.toml"), "either --instruction or a file"),
        ((), "a boat", ("--upscaler", "nowhere"), "no diffusers pipeline"),
        ((), "a boat", ("--sede", 1), "unknown flag --sede: did you mean --seed?"),
    ],
)
def test_wrong_use_is_one_line(
    command: Any, place: Path, refs: tuple[str, ...], instruction: str, more: Any, told: str
) -> None:
    done = command("generate", *flags(place, *refs, instruction=instruction), *more)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith("instruct-imagen generate: ")
    assert told in done.err
    assert not (place / "out.png").exists()


def test_wrong_places_are_one_line(command: Any, place: Path) -> None:
    boat = ("--instruction", "a boat")
    done = command("generate", "--model", place, *boat, "--output", place / "o.png")
    assert "holds no trained network" in done.err
    done = command("generate", "--model", place / "model", *boat, "--output", place / "o.jpg")
    assert "ending in .png" in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = ", "cannot be read as JSON or TOML"),
        ("[[picture]]\ninstruction = 'a'", "a list `pictures` is wanted"),
        ("[[pictures]]\nseed = 1", "picture 1: it has no instruction"),
        ("[[pictures]]\ninstruction = 'a'\nsed = 1", "picture 1: sed is not known"),
        ("[[pictures]]\ninstruction = 'a'\nseed = 'x'", "seed = 'x': a whole number"),
        ("[[pictures]]\ninstruction = 'a'\noutput = '../a.png'", "and no path"),
        ("[[pictures]]\ninstruction = 'a'\noutput = 'a.png'\n" * 2, "as a.png"),
        ("[[pictures]]\ninstruction = '[ref#1]'", "picture 1: the instruction cites [ref#1]"),
        (
            "[[pictures]]\ninstruction = '[ref#1]'\nreferences = [{image = 'x'}]",
            "a reference has a marker and an image",
        ),
    ],
)
def test_a_file_that_is_none_names_the_picture(
    command: Any, place: Path, text: str, told: str
) -> None:
    (place / "asked.toml").write_text(text)
    given = ("--instructions", place / "asked.toml", "--output", place / "out")
    done = command("generate", "--model", place / "model", *given)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{place}/asked.toml" in done.err
    assert told in done.err


def test_a_text_may_hold_what_separates() -> None:
    assert asked.reference("12 = a=b.png; red; green") == Given(12, "a=b.png", "red; green")
    assert asked.reference("[ref#1]=a.png") == Given(1, "a.png", "")


def test_maps_are_resized_as_in_training(place: Path) -> None:
    """A mask stays black and white, and a photo does not."""
    mask = np.zeros((33, 33, 3), np.uint8)
    mask[11:20, 7:26] = 255
    data = images.encode_png(mask)
    for text, levels in (("object mask", 2), ("dog", 3)):
        one = asked.checked("a [ref#1]", [Given(1, "a.png", text)])
        (shown,) = generate.prompt_of(one, [data], 0, 8).references
        assert (len(np.unique(shown)) == levels) == (levels == 2)


def test_a_photo_that_lies_on_its_side_is_turned(picture: Callable[..., bytes]) -> None:
    """A camera's note that says so is followed, as in a corpus."""
    with Image.open(io.BytesIO(picture(1, 32, 32, "PNG"))) as opened:
        upright, turned = opened.convert("RGB"), opened.convert("RGB").rotate(90)
    note = Image.Exif()
    note[0x0112] = 6  # to be turned by a quarter, clockwise
    sinks = [io.BytesIO(), io.BytesIO()]
    upright.save(sinks[0], "PNG")
    turned.save(sinks[1], "PNG", exif=note)
    one = asked.checked("a [ref#1]", [Given(1, "a.png", "dog")])
    first, second = (
        generate.prompt_of(one, [sink.getvalue()], 0, 8).references[0] for sink in sinks
    )
    np.testing.assert_allclose(first.astype(int), second.astype(int), atol=8)  # a JPEG between
