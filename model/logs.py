"""What a run tells: lines of metrics.jsonl, TensorBoard, optionally Weights & Biases, and a bar.

RUN/metrics.jsonl has a line every `log_every` examples; a run that goes on drops those after its
checkpoint, so that the file reads as if it had never stopped.
"""

import contextlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from instruct_imagen_data import keys, storage, tasks
from instruct_imagen_data.errors import UsageError
from model.batches import Batch, Plan
from model.checkpoint import TrainState
from model.config import TrainConfig
from model.gap import Gap
from model.processes import Ranks

METRICS = "metrics.jsonl"


class Log:
    """Collects what happens between two lines, in every process; the first one writes.

    Args:
      state: Where the run begins or goes on.
      plan: Tells which datasets were drawn how often.
    """

    def __init__(self, config: TrainConfig, ranks: Ranks, state: TrainState, plan: Plan) -> None:
        self._ranks, self._plan = ranks, plan
        self._losses: list[tuple[Sequence[str], Tensor]] = []
        self._begun = time.perf_counter()
        self._waited = self._paused = 0.0
        self._examples = state.examples
        self._sinks = _Sinks(config, state) if ranks.first else None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around what waits for data."""
        before = time.perf_counter()
        yield
        self._waited += time.perf_counter() - before

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Around what is no training: checkpoints, measurements."""
        before = time.perf_counter()
        yield
        self._paused += time.perf_counter() - before

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *error: object) -> None:
        if self._sinks:
            self._sinks.close()

    def advanced(self, state: TrainState, batch: Sequence[Batch], losses: Sequence[Tensor]) -> None:
        """Notes the losses of a step's pieces, and moves the bar."""
        # Left where they are until the next line, so that no GPU is waited for.
        self._losses += zip((one.datasets for one in batch), losses, strict=True)
        if self._sinks:
            self._sinks.bar.update(state.examples - self._sinks.bar.n)

    def line(self, state: TrainState, gaps: Mapping[str, Gap], **numbers: float) -> dict[str, Any]:
        """Writes a line, of what all processes saw since the last one; all call this together.

        Args:
          gaps: Of each dataset, where the gap was measured at this step.
        """
        sums, counts = self._summed()
        seconds = time.perf_counter() - self._begun - self._paused
        told: dict[str, Any] = {
            "step": state.steps,
            "examples": state.examples,
            "loss": sum(sums.values()) / max(1, sum(counts.values())),
            "samples_per_second": (state.examples - self._examples) / seconds,
            "data_wait": self._waited / seconds,
            **numbers,
            "losses": {name: sums[name] / counts[name] for name in sorted(counts)},
            "drawn": self._plan.realised(state.examples),
            "replay": self._plan.replay(state.examples),
        }
        if gaps:
            told["context_gap"] = {name: one.losses for name, one in gaps.items()}
            told["context_gap_by_time"] = {name: one.by_time for name, one in gaps.items()}
            told["context_gap_missing"] = [
                name for name in self._plan.sources if has_references(name) and name not in gaps
            ]
        if self._sinks:
            self._sinks.write(told)
        self._losses, self._examples = [], state.examples
        self._begun, self._waited, self._paused = time.perf_counter(), 0.0, 0.0
        return told

    def _summed(self) -> tuple[dict[str, float], dict[str, int]]:
        """(sum of losses, rows) of each dataset, of all processes."""
        sums: dict[str, float] = defaultdict(float)
        counts: dict[str, int] = defaultdict(int)
        ours = [(name, loss) for names, rows in self._losses
                for name, loss in zip(names, rows.tolist(), strict=True)]  # fmt: skip
        for theirs in self._ranks.gather(ours):
            for name, loss in theirs:
                sums[name] += loss
                counts[name] += 1
        return sums, counts


def has_references(dataset: str) -> bool:
    """Whether examples of a dataset have references, and so a gap."""
    known = tasks.DATASETS.get(dataset)
    return known is None or bool(tasks.TASKS[known.task].references)


class _Sinks:
    """Where the first process writes."""

    def __init__(self, config: TrainConfig, state: TrainState) -> None:
        self._place = storage.join(config.run_dir, METRICS)
        self._local = storage.scheme(config.run_dir) in ("", "file")
        self._lines = _lines_until(self._place, state.examples)
        self._write_all()
        # TensorBoard's writer knows no object store; metrics.jsonl holds the same numbers.
        self._board = None
        if self._local:
            self._board = SummaryWriter(config.run_dir, purge_step=state.examples + 1)
        self._wandb = _wandb(config) if config.output.wandb else None
        self.bar = tqdm(
            desc=f"train stage {config.data.stage}",
            unit=" examples",
            total=config.train.total_examples,
            initial=state.examples,
            file=sys.stderr,
        )

    def write(self, told: dict[str, Any]) -> None:
        line = json.dumps(told)
        if self._local:
            with open(self._place, "a") as file:
                file.write(line + "\n")
        else:
            self._lines.append(line)
            self._write_all()
        numbers = dict(_flat(told))
        if self._board:
            for name, number in numbers.items():
                self._board.add_scalar(name, number, told["examples"])
            self._board.flush()
        if self._wandb:
            self._wandb.log(numbers, step=told["examples"])
        self.bar.set_postfix(loss=f"{told['loss']:.4f}", refresh=False)

    def _write_all(self) -> None:
        storage.write_bytes(self._place, "".join(f"{one}\n" for one in self._lines).encode())

    def close(self) -> None:
        self.bar.close()
        if self._board:
            self._board.close()
        if self._wandb:
            self._wandb.finish()


def _lines_until(place: str, examples: int) -> list[str]:
    """The lines of a metrics file up to so many examples; a line cut by a kill is dropped."""
    if storage.find(place) is None:
        return []
    kept = []
    for line in storage.read_bytes(place).decode().splitlines(keepends=True):
        if not line.endswith("\n") or json.loads(line)["examples"] > examples:
            break
        kept.append(line.rstrip("\n"))
    return kept


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}/")
        elif not isinstance(value, list):
            yield f"{above}{name}", value


def _wandb(config: TrainConfig) -> Any:
    try:
        import wandb
    except ImportError as error:
        raise UsageError("output.wandb: pip install wandb, or leave it out") from error
    return wandb.init(
        project=config.output.wandb,
        name=config.run_dir.rstrip("/").rsplit("/", 1)[-1],
        id=f"{keys.id64(config.run_dir):x}",
        config=config.options(),
        resume="allow",
    )
