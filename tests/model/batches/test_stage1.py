"""Samples of neighbourhoods: who is the target and who its context, drawn anew each time."""

import collections
import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.loader_sets import neighbourhood

from model.batches import stage1
from model.batches.draws import Draws
from model.batches.records import DataConfig, Unusable

CONFIG = DataConfig("", stage=1, size=16)


def row(caption: str = "thing 3, view {}") -> dict[str, Any]:
    found = dataclasses.asdict(neighbourhood(3, "train"))
    for place, member in enumerate(found["members"]):
        member["caption"] = caption.format(place)
    return found


def test_one_is_the_target_and_three_others_are_the_context() -> None:
    targets, contexts = collections.Counter[str](), collections.Counter[str]()
    draws = 500
    for index in range(draws):
        found = stage1.content(row(), Draws(0, index), CONFIG, True)
        place = found.key.removeprefix("3.")
        assert found.instruction == f"thing 3, view {place}"
        assert len(found.references) == len(set(found.texts)) == 3
        assert found.instruction not in found.texts
        assert found.roles == ("neighbour",) * 3
        assert found.target.shape == (16, 16, 3)
        targets[found.instruction] += 1
        contexts.update(found.texts)
    assert len(targets) == len(contexts) == 5
    assert min(targets.values()) > draws / 5 - 45  # five deviations
    assert min(contexts.values()) > draws * 3 / 5 - 55


@pytest.mark.parametrize(("most", "wanted"), [(1, 1), (4, 4), (9, 4)])
def test_max_references(most: int, wanted: int) -> None:
    config = dataclasses.replace(CONFIG, max_references=most)
    assert len(stage1.content(row(), Draws(0, 0), config, True).references) == wanted


def test_captions_cite_nothing() -> None:
    found = stage1.content(row("[ref#2] of {}"), Draws(0, 0), CONFIG, True)
    assert found.instruction.startswith("[[ref#2] of ")
    assert all(text.startswith("[[ref#2]") for text in found.texts)


def test_nothing_is_mirrored_where_left_and_right_are_told() -> None:
    def mirrored(caption: str) -> float:
        times = 0
        for index in range(60):
            target = stage1.content(row(caption), Draws(0, index), CONFIG, True).target
            times += bool(target[8, :, 2].astype(int).argmax() < 8)  # blue grows to the right
        return times / 60

    assert mirrored("a thing on the left, {}") == 0
    assert 0.2 < mirrored("a thing, {}") < 0.8


def test_a_neighbourhood_of_one_is_unusable() -> None:
    alone = row() | {"members": row()["members"][:1]}
    with pytest.raises(Unusable, match="1 members"):
        stage1.content(alone, Draws(0, 0), CONFIG, True)


def test_a_dropped_context_is_not_decoded_and_changes_nothing_else() -> None:
    whole = stage1.content(row(), Draws(0, 5), CONFIG, True)
    broken = row()
    for member in broken["members"]:
        if member["key"] != whole.key:
            member["image"]["bytes"] = b"broken"
    found = stage1.content(broken, Draws(0, 5), CONFIG, False)
    assert (found.references, found.texts, found.roles) == ((), (), ())
    assert (found.key, found.instruction) == (whole.key, whole.instruction)
    np.testing.assert_array_equal(found.target, whole.target)
