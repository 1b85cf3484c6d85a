"""Grids of samples: what a run draws, as it learns, for the same few validation rows.

RUN/samples/000000004800.png    named by the examples seen; a line for each row:
    its references | what is drawn with them | what was to be drawn

Rows, references and noise are the same each time, the weights are the average's, the sampler is
that of the preset: from one grid to the next only what was learnt differs.
"""

import dataclasses
import io
import json
from collections.abc import Sequence

import numpy as np
from PIL import Image, PngImagePlugin

from model import sampling
from model.batches import DataConfig, Sample, validation
from model.batches.records import Pixels
from model.diffusion import Frozen
from model.sampling import Prompt, Sampling
from model.unet import InstructUNet

FOLDER = "samples"
ROWS = 8  # of all datasets, but at least one of each
SIDE = 64  # pixels that smaller pictures are enlarged to
MARGIN = 2  # pixels around each


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """Pictures of some rows.

    Attributes:
      pixels: uint8 [H, W, 3], a line for each row.
      instructions: Of each line.
    """

    pixels: Pixels
    instructions: tuple[str, ...]

    def png(self) -> bytes:
        """A PNG file; its text "instructions" is a JSON list."""
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("instructions", json.dumps(self.instructions, ensure_ascii=False))
        sink = io.BytesIO()
        Image.fromarray(self.pixels).save(sink, "PNG", pnginfo=chunks)
        return sink.getvalue()


def rows(config: DataConfig, network: InstructUNet, around: Frozen) -> list[Sample]:
    """The rows of a run's grids, in the size that the network draws; by dataset.

    Args:
      config: Of the training data.

    Raises:
      UsageError: no validation rows, or one that cannot be read.
    """
    side = int(network.config.backbone_config["sample_size"]) * around.space.factor
    plan = validation.plan_of(dataclasses.replace(config, size=side))
    found = validation.first(plan, max(1, ROWS // len(plan.sources)))
    return sorted(found, key=lambda one: (one.dataset, one.index))


def draw(
    network: InstructUNet, shown: Sequence[Sample], around: Frozen, how: Sampling, seed: int
) -> Grid:
    """The grid of some rows, by the weights that the network has now (see `Ema.worn`)."""
    prompts = [Prompt(one.index, one.instruction, one.references, one.texts) for one in shown]
    training = network.training
    network.eval()
    drawn: list[Pixels] = []
    for start in range(0, len(prompts), ROWS):
        some = prompts[start : start + ROWS]
        drawn += sampling.draw(network, around, some, how, seed=seed)
    network.train(training)
    most = max(len(one.references) for one in shown)
    lines = [
        np.hstack([_tile(picture, made.shape[0]) for picture in _line(one, made, most)])
        for one, made in zip(shown, drawn, strict=True)
    ]
    return Grid(np.vstack(lines), tuple(one.instruction for one in shown))


def _line(one: Sample, made: Pixels, most: int) -> list[Pixels | None]:
    """References, with blanks up to the most that a row has; what was drawn; the target."""
    blanks = [None] * (most - len(one.references))
    return [*one.references, *blanks, made, one.target]


def _tile(picture: Pixels | None, side: int) -> Pixels:
    """A picture of so many pixels, or a blank, with a white margin; few pixels become squares."""
    times = max(1, SIDE // side)
    tile = np.full((side * times + 2 * MARGIN, side * times + 2 * MARGIN, 3), 255, np.uint8)
    if picture is not None:
        large = picture.repeat(times, axis=0).repeat(times, axis=1)  # [side * times, ..., 3]
        tile[MARGIN:-MARGIN, MARGIN:-MARGIN] = large
    return tile
