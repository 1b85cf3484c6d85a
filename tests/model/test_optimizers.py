"""Rates over a run, groups, and what an optimiser remembers."""

import pytest
import torch
from torch import nn

from model import optimizers
from model.config import OptimizerConfig, RunConfig


class Network(nn.Module):
    """Weights with and without the name of a layer that reads references."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(4, 4)
        self.context_mid = nn.Linear(4, 4, bias=False)
        nn.init.zeros_(self.context_mid.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.context_mid(self.backbone(x)) - x


def moved(config: OptimizerConfig, rate: float) -> dict[str, torch.Tensor]:
    """How far each weight goes in the first step."""
    torch.manual_seed(0)
    network = Network()
    before = {name: one.detach().clone() for name, one in network.named_parameters()}
    network(torch.randn(8, 4)).square().mean().backward()
    optimizers.step(optimizers.make(network, config), rate)
    assert all(one.grad is None for one in network.parameters())
    return {name: (one.detach() - before[name]).abs() for name, one in network.named_parameters()}


def test_the_rate_grows_stays_and_falls() -> None:
    config = OptimizerConfig(learning_rate=2.0, warmup_examples=40, decay_share=0.25)
    run = RunConfig(total_examples=400, batch_size=10)
    found = {n: optimizers.learning_rate(config, run, n) for n in (0, 10, 30, 40, 300, 350, 390)}
    assert found == {0: 0.5, 10: 1.0, 30: 2.0, 40: 2.0, 300: 2.0, 350: 1.0, 390: pytest.approx(0.2)}


def test_without_warm_up_and_decay_the_rate_is_constant() -> None:
    config, run = OptimizerConfig(learning_rate=1e-4), RunConfig(total_examples=50, batch_size=5)
    assert {optimizers.learning_rate(config, run, n) for n in range(0, 55, 5)} == {1e-4}


def test_layers_that_read_references_have_a_rate_of_their_own() -> None:
    config = OptimizerConfig(kind="adamw", context_factor=3.0)
    found = moved(config, 0.01)  # the first step of Adam is as long as the rate
    torch.testing.assert_close(
        found["context_mid.weight"], torch.full((4, 4), 0.03), rtol=0.01, atol=0
    )


def test_adafactor_moves_weights_that_begin_at_zero() -> None:
    """By about the rate times 1 - beta1; torch's own moves them by a millionth."""
    found = moved(OptimizerConfig(kind="adafactor"), 0.01)["context_mid.weight"]
    assert 0.0003 < found.mean() < 0.0011


@pytest.mark.parametrize("kind", ["adamw", "adafactor"])
def test_what_is_remembered_can_be_put_back(kind: str) -> None:
    config = OptimizerConfig(kind=kind)  # type: ignore[arg-type]
    torch.manual_seed(0)
    one, other = Network(), Network()
    other.load_state_dict(one.state_dict())
    of_one, of_other = optimizers.make(one, config), optimizers.make(other, config)
    data = torch.randn(8, 4)
    one(data).square().mean().backward()
    optimizers.step(of_one, 0.01)
    tensors, numbers = optimizers.state(one, of_one)
    other.load_state_dict(one.state_dict())
    optimizers.put_back(other, of_other, [(key, one.clone()) for key, one in tensors.items()])
    optimizers.put_back(other, of_other, numbers.items())
    for network, optimizer in ((one, of_one), (other, of_other)):
        network(data).square().mean().backward()
        optimizers.step(optimizer, 0.01)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_gradients_are_cut_to_a_norm_and_zero_leaves_them() -> None:
    network = nn.Linear(2, 1, bias=False)
    for limit, left in ((1.0, [0.6, 0.8]), (0.0, [3.0, 4.0])):
        network.weight.grad = torch.tensor([[3.0, 4.0]])
        assert optimizers.cut(network, limit) == 5.0
        torch.testing.assert_close(network.weight.grad, torch.tensor([left]))
