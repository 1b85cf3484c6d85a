"""Lifts a function over (block, networks) to Beam's RunInference.

A file of its own, since importing RunInference imports torch, which costs two seconds a process.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.pvalue import PCollection

from instruct_imagen_data.stages.blocks import Block, check_conservation, count


class _Annotate(ModelHandler[Any, Any, Any]):
    """One block an element, by one function.

    RunInference loads the networks once a process and shares them between its threads. A model's
    batches never cross blocks: a batch of 32 and one of 7 differ in the last bits.
    """

    def __init__(self, load: Callable[[], Any], function: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self._load = load
        self._function = function

    def load_model(self) -> Any:
        return self._load()

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Any]:
        for block in batch:
            yield self._function(block, model)

    def batch_elements_kwargs(self) -> Mapping[str, int]:
        return {"min_batch_size": 1, "max_batch_size": 1}


@dataclasses.dataclass(eq=False)
class Annotate(beam.PTransform):
    """Blocks of any kind in; what a function of (block, networks) makes of each out.

    Attributes:
      stage: Name of the step.
      load: Makes the networks; runs once a worker process.
      function: (block, networks) -> block.
    """

    stage: str
    load: Callable[[], Any]
    function: Callable[[Any, Any], Any]

    def expand(self, blocks: PCollection[Any]) -> PCollection[Any]:
        return blocks | self.stage >> RunInference(_Annotate(self.load, self.function))


def _checked(
    block: Block, networks: Any, stage: str, function: Callable[[Block, Any], Block]
) -> Block:
    result = function(block, networks)
    check_conservation(block, result, stage)
    count(block, result, stage)
    return result


@dataclasses.dataclass(eq=False)
class AnnotateBlocks(beam.PTransform):
    """Blocks in; blocks out, by a function that needs networks. Counters: `stage/...`.

    Attributes:
      stage: Name for counters and reject rows.
      load: Makes the networks; runs once a worker process.
      function: (block, networks) -> block; the same rows, kept or rejected.
    """

    stage: str
    load: Callable[[], Any]
    function: Callable[[Block, Any], Block]

    def expand(self, blocks: PCollection[Block]) -> PCollection[Block]:
        checked = functools.partial(_checked, stage=self.stage, function=self.function)
        return blocks | Annotate(self.stage, self.load, checked)
