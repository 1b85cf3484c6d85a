"""How the weights move: the optimiser, its rate, and the norm that gradients are cut to.

The paper (A.2.2): Adafactor with beta1 .9 and beta2 .999, rate 1e-4 after 10,000 steps of warm-up.
Departures: transformers' Adafactor has no beta2 but a decay of 1 - n ** -.8; gradients are cut to a
norm. torch's own Adafactor hardly moves weights that begin at zero, as our new layers do.
"""

import math
from collections.abc import Iterable

from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import AdamW, Optimizer
from transformers.optimization import Adafactor

from model.config import OptimizerConfig, RunConfig
from model.tensors import like

_CONTEXT = "context_"  # names of the layers that read references begin so
_FACTOR = "factor"  # of a group: its rate is so many times the step's


def make(network: nn.Module, config: OptimizerConfig) -> Optimizer:
    """The optimiser of a network; the layers that read references have a rate of their own."""
    named = list(network.named_parameters())
    groups = [
        {"params": [one for name, one in named if not name.startswith(_CONTEXT)], _FACTOR: 1.0},
        {
            "params": [one for name, one in named if name.startswith(_CONTEXT)],
            _FACTOR: config.context_factor,
        },
    ]
    if config.kind == "adamw":
        return AdamW(groups, config.learning_rate, (0.9, 0.999), weight_decay=config.weight_decay)
    made: Optimizer = Adafactor(
        groups,
        config.learning_rate,
        beta1=0.9,
        weight_decay=config.weight_decay,
        scale_parameter=False,
        relative_step=False,
    )
    return made


def learning_rate(config: OptimizerConfig, run: RunConfig, examples: int) -> float:
    """The rate of the step after so many examples of a run.

    Grows in a straight line over the warm-up, stays, and falls in one towards 0 over the last
    `decay_share` of the run.
    """
    warm = (examples + run.batch_size) / config.warmup_examples if config.warmup_examples else 1.0
    last = config.decay_share * run.total_examples
    left = max(0, run.total_examples - examples) / last if last else 1.0
    return config.learning_rate * min(1.0, warm, left)


def cut(network: nn.Module, norm: float) -> float:
    """The norm of the gradients, which are scaled down to `norm` where they are above."""
    found: Tensor = nn.utils.clip_grad_norm_(network.parameters(), norm or math.inf)
    return float(found.full_tensor() if isinstance(found, DTensor) else found)


def step(optimizer: Optimizer, rate: float) -> None:
    """Moves the weights and forgets the gradients."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[_FACTOR]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def state(network: nn.Module, optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, float]]:
    """(tensors, plain numbers) that the optimiser remembers, by "weight/what"."""
    tensors, numbers = {}, {}
    for name, weight in network.named_parameters():
        for what, value in optimizer.state.get(weight, {}).items():
            if isinstance(value, Tensor):
                tensors[f"{name}/{what}"] = value
            else:
                numbers[f"{name}/{what}"] = value
    return tensors, numbers


def put_back(
    network: nn.Module, optimizer: Optimizer, remembered: Iterable[tuple[str, Tensor | float]]
) -> None:
    """The inverse of `state`, into an optimiser that has not moved yet; whole tensors come in."""
    weights = dict(network.named_parameters())
    for key, value in remembered:
        name, _, what = key.rpartition("/")
        weight = weights[name]
        placed = value
        if isinstance(value, Tensor) and what != "step":  # AdamW counts on the CPU
            same = value.shape == weight.shape
            placed = like(value, weight) if same else value.to(weight.device)
        optimizer.state[weight][what] = placed
