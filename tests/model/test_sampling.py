"""Sampling: known answers, thresholding by hand, the noise of (seed, index), what is asked once."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from helpers import networks
from helpers.denoisers import SIDE, Known

from instruct_imagen_data.errors import UsageError
from model import sampling
from model.sampling import Prompt, Sampling
from model.unet import InstructUNet, UNetConfig

DDIM = Sampling("ddim", 20, "none", 1.0, threshold="none")
ANCESTRAL = Sampling("ddpm", 32, "none", 1.0, threshold="clip")


def clean() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(3, SIDE, SIDE, generator=generator) * 1.6 - 0.8


def bytes_of(picture: torch.Tensor) -> np.ndarray:
    return np.round((picture.double().clamp(-1, 1).numpy() + 1) * 127.5).astype(np.uint8)


def prompts(*indices: int, references: int = 0) -> list[Prompt]:
    pictures = tuple(np.full((SIDE, SIDE, 3), 40 * n + 60, np.uint8) for n in range(references))
    texts = tuple(f"[ref#{n + 1}] depth map" for n in range(references))
    told = " and ".join(texts) or "a boat"
    return [Prompt(index, told, pictures, texts) for index in indices]


@pytest.mark.parametrize("how", [DDIM, ANCESTRAL, dataclasses.replace(DDIM, method="dpm")])
def test_a_network_that_knows_the_picture_draws_it(how: Sampling) -> None:
    around = networks.around()
    network = Known(around, clean())
    found = sampling.draw(network, around, prompts(0, 5), how, seed=3)  # type: ignore[arg-type]
    for one in found:
        np.testing.assert_allclose(
            one.astype(int), bytes_of(clean()).transpose(1, 2, 0).astype(int), atol=1
        )


def test_ddim_follows_the_noise_of_a_gaussian() -> None:
    """Of numbers of mean m and deviation s, DDIM's step keeps (x - sqrt(a) m) / deviation: the
    angle of sample and noise; here by a recursion of one number, in numpy.
    """
    around = networks.around()
    network = Known(around, torch.full((3, SIDE, SIDE), 0.25), spread=0.2)
    (found,) = sampling.draw(network, around, prompts(7), DDIM, seed=1)  # type: ignore[arg-type]
    first, times = network.seen[0][0].double().numpy(), [time for _, time in network.seen]
    assert times == list(range(999, 0, -50))
    products = np.append(around.scheduler.alphas_cumprod.double().numpy()[times], 1.0)
    x, mean, spread = first, 0.25, 0.2
    for a, after in itertools.pairwise(products):
        x0 = mean + np.sqrt(a) * spread**2 / (a * spread**2 + 1 - a) * (x - np.sqrt(a) * mean)
        noise = (x - np.sqrt(a) * x0) / np.sqrt(1 - a)
        x = np.sqrt(after) * x0 + np.sqrt(1 - after) * noise
    wanted = np.round((x[0].clip(-1, 1) + 1) * 127.5).transpose(1, 2, 0)
    np.testing.assert_allclose(found.astype(int), wanted, atol=1)
    assert found.astype(float).std() > 5  # it is no flat picture


def test_paper_thresholds_at_the_995th_of_1000_up_to_100() -> None:
    scheduler = sampling.scheduler_of(networks.around().scheduler, Sampling())
    values = np.random.Generator(np.random.Philox(key=1)).normal(0, 2, (2, 3, 16, 16))
    values[1] *= 0.1  # within -1 .. 1: left as it is
    values[1] = values[1].clip(-0.9, 0.9)
    found = scheduler._threshold_sample(torch.from_numpy(values))
    for one, picture in zip(values, found, strict=True):
        ordered = np.sort(np.abs(one).ravel())
        place = 0.995 * (len(ordered) - 1)
        below = ordered[int(place)]
        s = max(1.0, below + (place - int(place)) * (ordered[int(place) + 1] - below))
        np.testing.assert_allclose(picture, one.clip(-s, s) / s, rtol=1e-9)
    huge = torch.full((1, 1, 4, 4), 250.0)
    assert float(scheduler._threshold_sample(huge).max()) == 1.0
    assert scheduler.config.sample_max_value == 100.0
    assert scheduler.config.thresholding


def test_clipping_is_a_clamp_and_latents_are_left_alone() -> None:
    schedule, values = networks.around().scheduler, torch.linspace(-3, 3, 64).reshape(1, 1, 8, 8)
    clipping = sampling.scheduler_of(schedule, ANCESTRAL)
    assert torch.equal(clipping._threshold_sample(values), values.clamp(-1, 1))
    free = sampling.scheduler_of(schedule, DDIM)
    assert not free.config.thresholding
    assert not free.config.clip_sample


def test_a_backbone_keeps_its_own_thresholding() -> None:
    own = DDPMScheduler(
        thresholding=True, dynamic_thresholding_ratio=0.95, sample_max_value=1.5
    )  # as DeepFloyd IF
    made = sampling.scheduler_of(own, Sampling("ddpm", 100, "joint", 7.0, threshold="dynamic"))
    assert (made.config.dynamic_thresholding_ratio, made.config.sample_max_value) == (0.95, 1.5)


def test_oscillating_asks_for_two_predictions_and_one_in_turn() -> None:
    around = networks.around()
    network = Known(around, clean(), pull=0.01)
    how = Sampling("ddpm", 4, "oscillating", 25.0)
    sampling.draw(network, around, prompts(0, 1, 2), how, seed=0)  # type: ignore[arg-type]
    assert [len(sample) for sample, _ in network.seen] == [6, 3, 6, 3]


@pytest.mark.parametrize(
    ("how", "moved"),
    [
        (dataclasses.replace(DDIM, guidance="none"), 0.1 + 0.2),
        (dataclasses.replace(DDIM, guidance="joint", scale=2.0), 2 * (0.1 + 0.2)),
        (dataclasses.replace(DDIM, guidance="nested", scale=2.0, context_scale=3.0), 0.2 + 0.6),
        (dataclasses.replace(DDIM, guidance="nested", scale=3.0, context_scale=0.0), 0.3),
    ],
)
def test_guidance_moves_the_picture_by_its_formula(how: Sampling, moved: float) -> None:
    """The text moves what is predicted by .1, the reference by .2: the picture moves by each as
    often as the formula says. The empty text of `Words` is one token, another says more.
    """
    around = networks.around()
    network = Known(around, torch.zeros(3, SIDE, SIDE))
    network._told = _told  # type: ignore[method-assign]
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    prompt = Prompt(0, "a boat by [ref#1]", (picture,), ("[ref#1] depth map",))
    (found,) = sampling.draw(network, around, [prompt], how, seed=0)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.astype(float) / 127.5 - 1, moved, atol=0.01)


def _told(text: networks.Text, features: object) -> torch.Tensor:
    moved = 0.1 * (text.mask.sum(1) > 1).double()
    if features is not None:
        moved += 0.2 * features.mask.any(1)  # type: ignore[attr-defined]
    return moved[:, None, None, None]


@pytest.mark.parametrize("how", [DDIM, ANCESTRAL])
def test_a_picture_is_the_same_whatever_is_drawn_beside_it(how: Sampling) -> None:
    around = networks.around()
    several = Known(around, clean(), spread=0.5)
    together = sampling.draw(several, around, prompts(4, 9, 2), how, seed=11)  # type: ignore[arg-type]
    for place, index in enumerate((4, 9, 2)):
        single = Known(around, clean(), spread=0.5)
        (alone,) = sampling.draw(single, around, prompts(index), how, seed=11)  # type: ignore[arg-type]
        assert np.array_equal(alone, together[place])
        for (one, _), (many, _) in zip(single.seen, several.seen, strict=True):
            assert torch.equal(one[0], many[place])
    first = several.seen[0][0]
    assert not torch.equal(first[0], first[1])
    other = Known(around, clean(), spread=0.5)
    sampling.draw(other, around, prompts(4), how, seed=12)  # type: ignore[arg-type]
    assert not torch.equal(other.seen[0][0][0], first[0])


def test_drawing_leaves_torchs_own_generator_alone() -> None:
    around = networks.around()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    sampling.draw(Known(around, clean()), around, prompts(0), ANCESTRAL, seed=1)  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), before)


def tiny() -> InstructUNet:
    config = {
        **networks.IF_LIKE, "encoder_hid_dim": 64, "sample_size": SIDE,
    }  # fmt: skip
    torch.manual_seed(0)
    made = InstructUNet(UNetConfig(config, head_width=8, text_mask=False))
    return networks.awaken(made).eval()


def test_references_and_texts_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network, around, calls = tiny(), networks.around(), []
    encode, told = InstructUNet.encode, around.text

    def counted(self, sample, timestep, *more):  # type: ignore[no-untyped-def]
        calls.append((len(sample), int(torch.as_tensor(timestep).flatten()[0])))
        return encode(self, sample, timestep, *more)

    texts: list[list[str]] = []

    def counted_text(given, length):  # type: ignore[no-untyped-def]
        texts.append(list(given))
        return told(given, length)

    monkeypatch.setattr(InstructUNet, "encode", counted)
    around = dataclasses.replace(around, text=counted_text)
    how = Sampling("ddim", 5, "joint", 2.0, threshold="clip")
    sampling.draw(network, around, prompts(0, 1, references=2), how, seed=0)
    assert calls == [(4, 0), *((4, time) for time in (999, 799, 599, 399, 199))]
    assert [len(one) for one in texts] == [2, 1, 4]


def test_a_real_network_draws_the_same_alone_and_beside_others() -> None:
    network, around = tiny(), networks.around()
    how = Sampling("ddpm", 6, "nested", 2.0, 3.0, threshold="dynamic")
    mixed = [*prompts(3, references=2), *prompts(1), *prompts(8, references=1)]
    together = sampling.draw(network, around, mixed, how, seed=2)
    for prompt, wanted in zip(mixed, together, strict=True):
        (alone,) = sampling.draw(network, around, [prompt], how, seed=2)
        np.testing.assert_allclose(alone.astype(int), wanted.astype(int), atol=1)
    swapped = dataclasses.replace(mixed[0], references=mixed[0].references[::-1])
    (other,) = sampling.draw(network, around, [swapped], how, seed=2)
    assert not np.array_equal(other, together[0])  # its references matter


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (Sampling("dpm", 20, "oscillating", 25.0), "multistep"),
        (Sampling("ddim", 256), "their number divides 1000"),
        (Sampling("ddpm", 1001), "from 1 to the 1000"),
        (Sampling("ddpm", 0), "from 1 to the 1000"),
        (Sampling("euler", 20), "method 'euler': ddpm, ddim, dpm"),  # type: ignore[arg-type]
        (Sampling("ddpm", 20, "joint", 2.0, 3.0), "only nested guidance has one"),
    ],
)
def test_settings_that_do_not_fit_are_refused(how: Sampling, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        sampling.scheduler_of(networks.around().scheduler, how)
