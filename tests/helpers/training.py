"""A very small network and runs of it, for the tests of the trainer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from model import checkpoint
from model.batches import Batch
from model.config import TrainConfig
from model.options import Options, config_of

MICRO = """
[unet]
sample_size = 8
in_channels = 3
out_channels = 3
down_block_types = ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"]
mid_block_type = "UNetMidBlock2DSimpleCrossAttn"
up_block_types = ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"]
block_out_channels = [8, 16]
layers_per_block = 1
norm_num_groups = 4
attention_head_dim = 8
act_fn = "gelu"
cross_attention_dim = 16
[context]
position = "sincos2d"
head_width = 8
[text]
kind = "words"
width = 16
length = 7
context_length = 6
[schedule]
num_train_timesteps = 1000
beta_schedule = "squaredcos_cap_v2"
prediction_type = "v_prediction"
[train]
total_examples = 24
batch_size = 4
ema_decay = 0.9
[optimizer]
kind = "adamw"
learning_rate = 1e-2
warmup_examples = 8
[data]
lanes = 4
window = 8
[output]
save_every = 8
log_every = 4
"""


def micro(folder: Path) -> Path:
    """The network's TOML file."""
    path = folder / "micro.toml"
    path.write_text(MICRO)
    return path


def run_of(folder: Path, data: Path, run: str, stage: int = 1, **changes: Any) -> TrainConfig:
    """A run of the micro network; changes are keys with two underscores for the dot."""
    flags = {name: changes.pop(name) for name in list(changes) if "__" not in name}
    options = Options(str(micro(folder)), str(data), str(folder / run), stage, **flags)
    return config_of(options, {name.replace("__", "."): one for name, one in changes.items()})


class Seen:
    """Stands in front of `batches.stream` and notes the samples that pass; may call at one."""

    def __init__(self, stream: Callable[..., Iterator[Batch]]) -> None:
        self._stream = stream
        self.batches: list[Batch] = []
        self.at: dict[int, Callable[[], object]] = {}  # batches taken -> what is done then

    def __call__(self, *given: Any, **named: Any) -> Iterator[Batch]:
        for batch in self._stream(*given, **named):
            self.batches.append(batch)
            if act := self.at.pop(len(self.batches), None):
                act()
            yield batch

    @property
    def ids(self) -> list[tuple[int, str]]:
        """(index, key) of each sample, in the order of indices."""
        return sorted(
            (index, key)
            for batch in self.batches
            for index, key in zip(batch.indices.tolist(), batch.keys, strict=True)
        )


def weights(run: Path) -> dict[str, bytes]:
    """The tensor files of a run's latest checkpoint, by name."""
    folder = Path(checkpoint.latest(str(run)) or "none")
    found = {path.name: path.read_bytes() for path in folder.rglob("*.safetensors")}
    assert len(found) == 3
    return found
