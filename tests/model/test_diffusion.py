"""Times, noise, targets, conditions and the loss, each against its formula."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from helpers import networks, ranks

from instruct_imagen_data.errors import UsageError
from model import backbone, diffusion


def cosine(steps: int = 1000) -> np.ndarray:
    """Cumulative products of the cosine schedule (Nichol and Dhariwal 2021), betas to .999."""
    bar = [np.cos((one / steps + 0.008) / 1.008 * np.pi / 2) ** 2 for one in range(steps + 1)]
    betas = [min(1 - after / before, 0.999) for before, after in itertools.pairwise(bar)]
    return np.cumprod(1 - np.array(betas))


def test_timesteps_cover_the_schedule() -> None:
    scheduler = DDPMScheduler()
    time = torch.tensor([0.0, 0.0005, 0.5, 0.9999, 1.0])
    assert diffusion.timesteps(scheduler, time).tolist() == [0, 0, 500, 999, 999]


def test_leaning_late_draws_the_share_it_says() -> None:
    time = (torch.arange(100_000) + 0.5) / 100_000
    leaned = diffusion.lean_late(time, 0.5)
    # Half of [LATE, 1] for sure, and of the other half the 35 % that fall there.
    assert float((leaned >= 0.65).float().mean()) == pytest.approx(0.5 + 0.5 * 0.35, abs=1e-3)
    assert float(leaned[time >= 0.5].min()) < 1e-4
    assert float(leaned.max()) <= 1
    assert torch.allclose(diffusion.lean_late(time, 0.0), time)


@pytest.mark.parametrize("kind", diffusion.PREDICTIONS)
def test_noise_and_targets_are_their_formulas(kind: str) -> None:
    scheduler = networks.around(prediction_type=kind).scheduler
    rng = np.random.default_rng(0)
    clean, noise = rng.normal(size=(2, 3, 3, 4, 4)).astype(np.float32)
    steps = torch.tensor([0, 400, 999])
    alpha = cosine()[steps.numpy()][:, None, None, None]
    given = torch.from_numpy(clean), torch.from_numpy(noise), steps
    np.testing.assert_allclose(
        diffusion.noised(scheduler, *given),
        np.sqrt(alpha) * clean + np.sqrt(1 - alpha) * noise,
        atol=1e-4,
    )
    wanted = noise if kind == "epsilon" else np.sqrt(alpha) * noise - np.sqrt(1 - alpha) * clean
    np.testing.assert_allclose(diffusion.target(scheduler, *given), wanted, atol=1e-4)


def test_another_prediction_type_is_told() -> None:
    scheduler, one = DDPMScheduler(prediction_type="sample"), torch.zeros(1, 1, 1, 1)
    with pytest.raises(UsageError, match="predicts 'sample' is not known"):
        diffusion.target(scheduler, one, one, torch.tensor([1]))


def test_what_is_dropped_reaches_the_network_as_nothing() -> None:
    around, device = networks.around(), torch.device("cpu")
    given = dataclasses.replace(
        networks.batch(3, references=2),
        keep_text=torch.tensor([False, True, True]),
        keep_context=torch.tensor([False, False, True]),
    )
    text, context = diffusion.conditions(given, around, device)
    empty, third = around.text(["", given.instructions[2]], around.length).states
    assert torch.equal(text.states[0], empty)
    assert torch.equal(text.states[2], third)
    # Where the context alone is dropped the text stands as it is, with its marker.
    assert torch.equal(text.states[1], around.text([given.instructions[1]], 24).states[0])
    assert context.index.tolist() == [[2, 0], [2, 1]]  # only what is read is encoded
    assert torch.equal(context.images, given.context_images[4:])
    assert context.mask.tolist() == [[False, False], [False, False], [True, True]]


def test_loss_is_the_mean_squared_error_of_each_row() -> None:
    around, tiny = networks.around(), backbone.network(backbone.preset("tiny"))
    networks.awaken(tiny)
    given = networks.batch(4, references=2)
    with torch.no_grad():
        rows = diffusion.loss(tiny, given, around)
        steps = (given.time * 1000).long()
        noisy = diffusion.noised(around.scheduler, given.target, given.noise, steps)
        text, context = diffusion.conditions(given, around, torch.device("cpu"))
        predicted = tiny(noisy, steps, text, context)
    wanted = diffusion.target(around.scheduler, given.target, given.noise, steps)
    expected = ((predicted - wanted).numpy() ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(rows.numpy(), expected, rtol=1e-6)
    assert rows.dtype == torch.float32
    with torch.no_grad():
        late = diffusion.loss(tiny, given, around, late_share=1.0)
    assert not torch.allclose(late, rows)


def test_a_row_has_the_loss_that_it_has_alone() -> None:
    around, tiny = networks.around(), networks.awaken(backbone.network(backbone.preset("tiny")))
    given = networks.batch(3, references=1)
    alone = ranks.rows(given, 1, 2)
    with torch.no_grad():
        together = diffusion.loss(tiny, given, around)[1:2]
        assert torch.allclose(together, diffusion.loss(tiny, alone, around), atol=1e-5)
