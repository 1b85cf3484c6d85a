"""Guidance: the formulas, what they are where scales are 1, and when which is used."""

import pytest
import torch

from model import guidance
from model.guidance import FULL, NULL, TEXT, Weights


def predictions() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64)
        for name in (FULL, TEXT, NULL)
    }


def joined(weights: Weights) -> torch.Tensor:
    made = predictions()
    return guidance.joined(weights, {name: made[name] for name in weights.needed})


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0, 25.0])
def test_joint_is_its_formula(scale: float) -> None:
    one = predictions()
    wanted = one[NULL] + scale * (one[FULL] - one[NULL])
    torch.testing.assert_close(joined(guidance.joint(scale)), wanted)


@pytest.mark.parametrize(("scale", "context_scale"), [(0.0, 3.0), (2.0, 0.0), (1.0, 4.0), (7.5, 2)])
def test_nested_is_its_formula(scale: float, context_scale: float) -> None:
    one = predictions()
    of_text = one[NULL] + scale * (one[TEXT] - one[NULL])
    wanted = of_text + context_scale * (one[FULL] - one[TEXT])
    torch.testing.assert_close(joined(guidance.nested(scale, context_scale)), wanted)


@pytest.mark.parametrize("weights", [guidance.joint(1.0), guidance.nested(1.0, 1.0)])
def test_at_scale_one_it_is_the_conditional_prediction_alone(weights: Weights) -> None:
    assert weights.needed == (FULL,)
    assert torch.equal(joined(weights), predictions()[FULL])


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 3.0, 25.0])
def test_nested_with_equal_scales_is_joint(scale: float) -> None:
    assert guidance.nested(scale, scale) == guidance.joint(scale)


def test_noise_and_velocity_are_guided_to_the_same_picture() -> None:
    """v = sqrt(a) noise - sqrt(1 - a) x0, with x0 of the sample and the noise."""
    noises, weights, a = predictions(), guidance.nested(3.0, 5.0), 0.37
    sample = torch.randn(2, 3, 4, 4, dtype=torch.float64)

    def velocity(noise: torch.Tensor) -> torch.Tensor:
        clean = (sample - (1 - a) ** 0.5 * noise) / a**0.5
        return a**0.5 * noise - (1 - a) ** 0.5 * clean

    velocities = {name: velocity(noise) for name, noise in noises.items()}
    by_velocity = guidance.joined(weights, velocities)
    torch.testing.assert_close(by_velocity, velocity(guidance.joined(weights, noises)))


def test_oscillating_is_25_and_nothing_in_turn() -> None:
    found = [guidance.at("oscillating", step, 25.0, 0.0) for step in range(4)]
    assert found == [guidance.joint(25.0), guidance.joint(1.0)] * 2
    assert [one.needed for one in found] == [(FULL, NULL), (FULL,)] * 2


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("none", Weights(1.0, 0.0, 0.0)),
        ("joint", Weights(2.0, 0.0, -1.0)),
        ("nested", Weights(3.0, -1.0, -1.0)),
    ],
)
def test_other_kinds_are_the_same_at_every_step(kind: guidance.Kind, wanted: Weights) -> None:
    assert {guidance.at(kind, step, 2.0, 3.0) for step in range(3)} == {wanted}


def test_what_weighs_nothing_is_not_asked_for() -> None:
    assert guidance.nested(2.0, 0.0).needed == (TEXT, NULL)
    assert guidance.joint(0.0).needed == (NULL,)
