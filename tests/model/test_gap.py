"""The context gap, of a denoiser that is arithmetic: its losses are known."""

import dataclasses
from pathlib import Path

import pytest
import torch
from helpers.loader_sets import example, write_stage1, write_stage2
from torch import Tensor, nn

from instruct_imagen_data import schema
from instruct_imagen_data.errors import UsageError
from model import gap
from model.batches import Batch, DataConfig
from model.context import Context
from model.diffusion import Frozen, timesteps
from model.gap import TIMES
from model.space import Pixels
from model.text import Text
from model.text.words import Words


def around() -> Frozen:
    from diffusers import DDPMScheduler

    schedule = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    return Frozen(schedule, Words(16), 24, 12, Pixels())


class Copies(nn.Module):
    """Takes the reference for the target, and grey where there is none."""

    def __init__(self, frozen: Frozen) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self._kept = frozen.scheduler.alphas_cumprod

    def forward(self, noisy: Tensor, steps: Tensor, text: Text, context: Context) -> Tensor:
        clean = torch.zeros_like(noisy)
        for (row, slot), image in zip(context.index.tolist(), context.images, strict=True):
            if context.mask[row, slot]:
                clean[row] = image
        kept = self._kept[steps][:, None, None, None]
        noise = (noisy - kept.sqrt() * clean) / (1 - kept).sqrt()
        return kept.sqrt() * noise - (1 - kept).sqrt() * clean


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    """Two datasets whose references are the target itself, bit for bit."""

    def same(row: schema.Example) -> schema.Example:
        references = tuple(
            dataclasses.replace(one, image=row.image, aligned=True, role="content", variants=())
            for one in row.references
        )
        return dataclasses.replace(row, references=references)

    data = write_stage2(tmp_path / "data", {"depth_webli": 60, "mask_webli": 60}, same)
    templates = str(data / "templates")
    return DataConfig(str(data), size=8, lanes=4, window=8, templates=templates)


def losses_by_hand(own: Batch, shown: Tensor, time: float, frozen: Frozen) -> Tensor:
    """If clean is off by d, v is off by -d / sqrt(1 - a): v = (sqrt(a) x - clean) / sqrt(1 - a)."""
    steps = timesteps(frozen.scheduler, torch.tensor([time]))
    kept = frozen.scheduler.alphas_cumprod[steps].double()
    off = (shown - own.target).double().square().flatten(1).mean(1)
    return off / (1 - kept)


def test_losses_of_a_denoiser_that_copies_its_reference(config: DataConfig) -> None:
    frozen = around()
    probed = gap.probes(config, rows=7, size=3)
    found = gap.measure(Copies(frozen), probed, frozen)
    assert set(found) == {"depth_webli", "mask_webli"}
    for dataset, one in found.items():
        own = [probe for probe in probed if probe.dataset == dataset]
        assert sum(len(probe.right.keys) for probe in own) == 7
        for time in TIMES:
            told = one.by_time[str(time)]
            assert told["right"] == pytest.approx(0, abs=1e-6)
            for kind, shown in (
                ("shuffled", [probe.shuffled.context_images for probe in own]),
                ("none", [torch.zeros_like(probe.right.target) for probe in own]),
            ):
                by_hand = [
                    losses_by_hand(probe.right, pictures, time, frozen)
                    for probe, pictures in zip(own, shown, strict=True)
                ]
                assert told[kind] == pytest.approx(float(torch.cat(by_hand).mean()), rel=1e-3)
        for kind in gap.KINDS:
            mean = sum(one.by_time[str(time)][kind] for time in TIMES) / len(TIMES)
            assert one.losses[kind] == pytest.approx(mean)
        assert one.losses["shuffled"] > 0.001


def test_references_are_lent_within_a_dataset_and_never_ones_own(config: DataConfig) -> None:
    for probe in gap.probes(config, rows=7, size=3):
        assert set(probe.right.datasets) == set(probe.shuffled.datasets) == {probe.dataset}
        assert probe.right.keys == probe.shuffled.keys
        assert torch.equal(probe.right.noise, probe.shuffled.noise)
        assert probe.right.context_roles == probe.shuffled.context_roles
        assert probe.right.keep_text.all()
        assert probe.right.keep_context.all()
        pairs = zip(probe.right.context_images, probe.shuffled.context_images, strict=True)
        assert not any(torch.equal(own, lent) for own, lent in pairs)


def test_roles_under_other_markers_are_not_exchanged(tmp_path: Path) -> None:
    """The numbers of style and content are drawn; lent texts keep those of the instruction."""
    data = write_stage2(tmp_path / "data", {"style_transfer": 60})
    templates = str(data / "templates")
    given = DataConfig(str(data), size=8, lanes=4, window=8, templates=templates)
    found = gap.probes(given, rows=8)
    orders = set()
    for probe in found:
        orders |= {probe.right.context_roles[:2]}
        assert probe.right.context_roles == probe.shuffled.context_roles
        assert [one[:7] for one in probe.right.context_texts] == [
            one[:7] for one in probe.shuffled.context_texts
        ]
    assert orders == {("style", "content"), ("content", "style")}


def test_rows_of_one_subject_do_not_lend_to_each_other(tmp_path: Path) -> None:
    """Red of a picture is its row's number: rows 0 to 29 show one subject, the others another."""

    def of_two(row: schema.Example) -> schema.Example:
        number = int(row.key.removeprefix("suti"))
        return dataclasses.replace(row, sources=(f"subject {number // 30}", row.key))

    data = write_stage2(tmp_path / "data", {"suti": 60}, of_two)
    templates = str(data / "templates")
    given = DataConfig(str(data), size=8, lanes=4, window=8, templates=templates)
    met = set()
    for probe in gap.probes(given, rows=8):
        reds = [
            (batch.context_images[:, 0].mean((1, 2)) + 1) * 127.5
            for batch in (probe.right, probe.shuffled)
        ]
        subjects = [[int(red) // 30 for red in some.tolist()] for some in reds]
        met |= set(zip(*subjects, strict=True))
    assert met == {(0, 1), (1, 0)}


def test_stage_1_has_a_gap_of_its_own(tmp_path: Path) -> None:
    data = write_stage1(tmp_path / "data", rows=40)
    given = DataConfig(str(data), stage=1, size=8, lanes=4, window=8)
    found = gap.measure(Copies(around()), gap.probes(given, rows=4), around())
    assert set(found) == {"neighbourhoods"}


def test_what_cannot_be_measured_is_told(tmp_path: Path) -> None:
    data = write_stage2(tmp_path / "data", {"natural": 20})
    given = DataConfig(str(data), size=8, lanes=4, window=8, templates=str(data / "templates"))
    with pytest.raises(UsageError, match="no two rows of the validation split"):
        gap.probes(given, rows=4)
    assert example("natural", 0, "validation").references == ()
