"""Gradients are those of the whole batch: accumulated, checkpointed, on two processes; LoRA."""

from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from helpers import networks, ranks
from peft import LoraConfig

from model import backbone, diffusion


def close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, grad in expected.items():
        scale = max(1.0, float(grad.abs().max()))
        assert (found[name] - grad).abs().max() <= 1e-5 * scale, name


@pytest.mark.parametrize("at", ["bottleneck", "level"])
def test_accumulation_gives_the_gradients_of_the_whole(at: str) -> None:
    expected = ranks.gradients(ranks.network(at), ranks.whole(False))
    unet = ranks.network(at)
    for start in range(0, ranks.ROWS, 2):
        part = ranks.rows(ranks.whole(False), start, start + 2)
        (diffusion.loss(unet, part, networks.around()).mean() / 2).backward()
    found = {name: one.grad for name, one in unet.named_parameters()}
    close(found, expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", ["bottleneck", "level"])
def test_checkpointing_gives_the_same_gradients(at: str) -> None:
    plain, saving = ranks.network(at), ranks.network(at)
    saving.checkpointing = True
    close(ranks.gradients(saving, ranks.whole(True)), ranks.gradients(plain, ranks.whole(True)))


def test_checkpointing_keeps_less() -> None:
    """Bytes that autograd keeps of the middle of the network."""

    def kept(checkpointing: bool) -> int:
        sizes = {}
        unet = ranks.network("level")
        unet.checkpointing = checkpointing
        with torch.autograd.graph.saved_tensors_hooks(
            lambda one: sizes.setdefault(one.data_ptr(), one.nbytes) and one, lambda one: one
        ):
            diffusion.loss(unet, ranks.whole(False), networks.around()).mean()
        return sum(sizes.values())

    assert kept(True) < kept(False) / 2


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(tmp_path: Path) -> None:
    """DDP and FSDP2 over gloo, both `at`, also where a rank has no reference; checkpointed too."""
    torch.multiprocessing.spawn(ranks.run, (str(tmp_path),), nprocs=ranks.WORLD)
    for number, (_, at, one_without, _) in enumerate(ranks.CASES):
        found = torch.load(tmp_path / f"{number}.pt", weights_only=True)
        close(found, ranks.gradients(ranks.network(at), ranks.whole(one_without)))


def test_one_batch_can_be_learnt_by_heart() -> None:
    unet, around = backbone.network(backbone.preset("tiny")), networks.around()
    batch = networks.batch(4, references=1)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=2e-3)
    losses = []
    for _ in range(50):
        loss = diffusion.loss(unet, batch, around).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 100
    assert unet.context_mid.to_out.weight.any()


def test_lora_trains_the_adapters_and_the_new_layers_alone(tmp_path: Path) -> None:
    unet, around = backbone.network(backbone.preset("tiny")), networks.around()
    batch = networks.batch(2, references=1)
    with torch.no_grad():
        before = diffusion.loss(unet, batch, around)
    unet.backbone.requires_grad_(False)
    wanted = ["to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "add_v_proj"]
    unet.backbone.add_adapter(LoraConfig(r=2, target_modules=wanted))
    learnt = [name for name, one in unet.named_parameters() if one.requires_grad]
    assert any("lora_A" in name for name in learnt)
    assert all("lora_" in name or name.startswith("context_") for name in learnt)
    with torch.no_grad():
        assert torch.equal(diffusion.loss(unet, batch, around), before)
    base = {name: one.clone() for name, one in unet.named_parameters() if name not in learnt}
    optimizer = torch.optim.AdamW([one for one in unet.parameters() if one.requires_grad], lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        diffusion.loss(unet, batch, around).mean().backward()
        optimizer.step()
    with torch.no_grad():
        after = diffusion.loss(unet, batch, around)
    assert (after.mean() < before.mean()).item()
    for name, one in unet.named_parameters():
        if name in base:
            assert torch.equal(one, base[name]), name
    # The adapters' own file, in peft's form, into another network.
    unet.backbone.save_lora_adapter(tmp_path)
    other = backbone.network(backbone.preset("tiny"))
    other.backbone.load_lora_adapter(
        tmp_path, prefix=None, weight_name="pytorch_lora_weights.safetensors"
    )
    with torch.no_grad():
        for name in ("context_mid",):
            getattr(other, name).load_state_dict(getattr(unet, name).state_dict())
        assert torch.equal(diffusion.loss(other, batch, around), after)
