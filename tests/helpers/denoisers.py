"""Networks whose answers are known: they stand where an InstructUNet would, and are arithmetic."""

import types

import torch
from torch import Tensor, nn

from model.context import Context, Features
from model.diffusion import Frozen
from model.text import Text

SIDE = 8


class Known(nn.Module):
    """Predicts the v of one clean picture that it knows, whatever it is told; rows do not mix.

    With `spread` it is the best predictor of pictures drawn around that one, each number with that
    deviation. With `pull`, what is predicted of the picture moves by `pull` where a text says
    anything, and by each reference's mean where there are references.
    """

    def __init__(
        self, around: Frozen, clean: Tensor, spread: float = 0.0, pull: float = 0.0
    ) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))  # for its device
        self.clean, self.spread, self.pull = clean, spread, pull
        self.products = around.scheduler.alphas_cumprod.double()
        self.config = types.SimpleNamespace(
            backbone_config={"in_channels": 3, "sample_size": clean.shape[-1]}
        )
        self.seen: list[tuple[Tensor, int]] = []  # (samples, time) of each call
        self.contexts = 0  # times that references were encoded

    def features(self, context: Context) -> Features:
        self.contexts += 1
        means = context.images.mean((1, 2, 3))[:, None, None]
        return Features(means, (1, 1), context.index, context.mask)

    def forward(
        self, sample: Tensor, step: Tensor, text: Text, features: Features | None = None
    ) -> Tensor:
        self.seen.append((sample.clone(), int(step[0])))
        a = self.products[int(step[0])]
        clean = self.clean.double().expand(sample.shape) + self._told(text, features)
        gain = a.sqrt() * self.spread**2 / (a * self.spread**2 + 1 - a)
        clean = clean + gain * (sample - a.sqrt() * clean)
        noise = (sample - a.sqrt() * clean) / (1 - a).sqrt()
        return (a.sqrt() * noise - (1 - a).sqrt() * clean).float()

    def _told(self, text: Text, features: Features | None) -> Tensor:
        said = text.states.abs().sum((1, 2)).double()
        moved = self.pull * (said - said.min()).sign()
        if features is not None:
            for (row, slot), mean in zip(features.index.tolist(), features.maps, strict=True):
                if features.mask[row, slot]:
                    moved[row] += float(mean)
        return moved[:, None, None, None]
