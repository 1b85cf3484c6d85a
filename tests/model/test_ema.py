"""The moving average: its numbers by hand."""

import torch
from torch import nn

from model.ema import Ema, decay_at


def network(value: float) -> nn.Linear:
    made = nn.Linear(1, 1, bias=False)
    nn.init.constant_(made.weight, value)
    return made


def test_the_decay_grows_from_a_tenth_to_its_limit() -> None:
    assert [decay_at(n, 0.9999) for n in (0, 1, 8, 90)] == [1 / 10, 2 / 11, 9 / 18, 91 / 100]
    assert decay_at(8, 0.4) == 0.4
    assert decay_at(10**7, 0.9999) == 0.9999


def test_averages_by_hand() -> None:
    denoiser = network(1.0)
    average = Ema(denoiser)
    nn.init.constant_(denoiser.weight, 3.0)
    average.update(denoiser, 0.75)  # .75 * 1 + .25 * 3
    assert average.weights["weight"].item() == 1.5
    average.update(denoiser, 0.5)  # .5 * 1.5 + .5 * 3
    assert average.weights["weight"].item() == 2.25


def test_worn_weights_are_taken_off_again_bit_for_bit() -> None:
    denoiser = nn.Linear(7, 5)
    average = Ema(denoiser)
    nn.init.normal_(denoiser.weight)
    weight, held = denoiser.weight.detach().clone(), average.weights["weight"].clone()
    with average.worn(denoiser):
        assert torch.equal(denoiser.weight, held)
        assert torch.equal(average.weights["weight"], weight)
    assert torch.equal(denoiser.weight, weight)
    assert torch.equal(average.weights["weight"], held)
