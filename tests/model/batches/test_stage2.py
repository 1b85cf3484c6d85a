"""Samples of examples: template, markers, pictures and edges are drawn anew, and fit together."""

import collections
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.loader_sets import TEMPLATES, encoded, example, write_templates

from instruct_imagen_data import images, instructions, templates
from model.batches import stage2
from model.batches.draws import Draws
from model.batches.records import Content, DataConfig, Unusable
from model.batches.stage2 import Wordings

CONFIG = DataConfig("", size=16)


@pytest.fixture
def contents(tmp_path: Path) -> Any:
    """contents(dataset, draws=60, split="train", pictures=5, config=CONFIG, **changes): samples."""

    def make(
        dataset: str,
        draws: int = 60,
        split: str = "train",
        config: DataConfig = CONFIG,
        pictures: int = 5,
        context: bool = True,
        **changes: Any,
    ) -> list[Content]:
        write_templates(tmp_path, dataset, TEMPLATES)
        wordings = Wordings(templates.read(tmp_path / f"{dataset}.toml"), split)
        row = dataclasses.asdict(
            dataclasses.replace(example(dataset, 3, split, pictures), **changes)
        )
        return [
            stage2.content(row, Draws(0, index), config, wordings, context)
            for index in range(draws)
        ]

    return make


def red(pixels: Any) -> int:
    """The number that `encoded` painted a picture with."""
    return int(np.median(pixels[..., 0]))


def test_all_templates_of_the_split_are_drawn_and_no_other(contents: Any) -> None:
    told = collections.Counter(one.instruction for one in contents("natural", 300))
    wanted = {"Draw caption 3 .", ": caption 3", "Show caption 3 once more, by "}
    assert set(told) == wanted
    assert min(told.values()) > 60
    checked = {one.instruction for one in contents("natural", split="validation")}
    assert checked == {"As a test, caption 3, by "}


@pytest.mark.parametrize("dataset", ["depth_webli", "suti", "styled", "style_transfer"])
def test_instruction_texts_and_pictures_belong_together(contents: Any, dataset: str) -> None:
    for one in contents(dataset):
        numbers = [instructions.markers(text)[0] for text in one.texts]
        assert numbers == sorted(numbers)
        context = tuple(dict.fromkeys(one.texts))
        given = instructions.Instruction(one.instruction, context)
        instructions.validate(given, numbers, ["caption 3"])
        assert len(one.references) == len(one.texts) == len(one.roles)


def test_markers_change_numbers_and_their_texts_follow(contents: Any) -> None:
    orders = collections.Counter(one.roles for one in contents("style_transfer", 200))
    assert set(orders) == {("style", "content"), ("content", "style")}
    assert min(orders.values()) > 60
    for one in contents("style_transfer", 50):
        for number, (role, text) in enumerate(zip(one.roles, one.texts, strict=True), 1):
            assert text == f"[ref#{number}] a {role}"
            assert text in one.instruction


def test_one_to_three_of_many_pictures(contents: Any) -> None:
    numbers = collections.Counter(len(one.references) for one in contents("suti", 300))
    assert set(numbers) == {1, 2, 3}
    assert min(numbers.values()) > 60
    single = dataclasses.replace(CONFIG, max_references=1)
    assert {len(one.references) for one in contents("suti", config=single)} == {1}
    both = contents("style_transfer", config=single)
    assert {len(one.references) for one in both} == {2}, "each marker has its picture"


def test_all_pictures_of_a_subject_come_in_all_places(contents: Any) -> None:
    many = tuple(
        dataclasses.replace(
            example("suti", 3, "train", 1).references[0],
            image=dataclasses.replace(example("suti", 3, "train").image, bytes=encoded(10 * n)),
        )
        for n in range(1, 6)
    )
    seen = collections.Counter(
        (slot, red(one))
        for sample in contents("suti", 400, references=many)
        for slot, one in enumerate(sample.references)
    )
    assert {number for slot, number in seen if slot == 0} == {10, 20, 30, 40, 50}
    assert {number for slot, number in seen if slot == 2} == {10, 20, 30, 40, 50}


def test_edges_are_of_photo_depth_and_mask_and_of_several_widths(contents: Any) -> None:
    # The photo's edges are picture 3; those of its depth and mask are 4 and 5.
    kinds = collections.Counter(red(one.references[0]) for one in contents("edge_webli", 200))
    assert set(kinds) == {3, 4, 5}
    assert min(kinds.values()) > 35
    line = np.zeros((64, 64), np.uint8)
    line[:, 32] = 255
    reference = dataclasses.replace(
        example("edge_webli", 3, "train").references[0],
        image=dataclasses.replace(example("suti", 3, "train").image, bytes=images.encode_png(line)),
        variants=(),
    )
    widths = collections.Counter(
        round(float(one.references[0][8].astype(float)[:, 0].sum()) / 255 * 4)
        for one in contents("edge_webli", 100, references=(reference,))
    )
    assert set(widths) == {1, 2, 4, 6}  # quarters of a pixel: the line alone, then .5, 1, 1.5


def test_aligned_references_are_cut_and_mirrored_with_the_target(contents: Any) -> None:
    picture = dataclasses.replace(example("suti", 3, "train").image, bytes=encoded(3, 40, 16))
    for dataset, joint in (("depth_webli", True), ("styled", False)):
        reference = dataclasses.replace(example(dataset, 3, "train").references[0], image=picture)
        same = [
            np.array_equal(one.target, one.references[0])
            for one in contents(dataset, image=picture, references=(reference,))
        ]
        assert all(same) if joint else sum(same) < 10


def test_a_row_without_a_fitting_template_is_unusable(contents: Any) -> None:
    with pytest.raises(Unusable, match="no train template that needs only"):
        contents("natural", 1, caption="")


def test_an_undecodable_reference_counts_only_where_it_is_drawn(contents: Any) -> None:
    good = example("suti", 3, "train").references[0]
    bad = dataclasses.replace(good, image=dataclasses.replace(good.image, bytes=b"broken"))
    with pytest.raises(images.DecodeError):
        contents("suti", 40, references=(good, bad))


def test_a_dropped_context_is_not_decoded_and_changes_nothing_else(contents: Any) -> None:
    good = example("suti", 3, "train").references[0]
    bad = dataclasses.replace(good, image=dataclasses.replace(good.image, bytes=b"broken"))
    whole = contents("suti", references=(good,))
    for one, found in zip(whole, contents("suti", references=(bad,), context=False), strict=True):
        assert (found.references, found.texts, found.roles) == ((), (), ())
        assert found.instruction == one.instruction
        np.testing.assert_array_equal(found.target, one.target)
