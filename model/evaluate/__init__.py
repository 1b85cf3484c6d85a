"""`instruct-imagen evaluate`: does a trained network follow its instructions, and its references?

The validation split is drawn twice from the same noise: with the right references and with another
row's. The networks that judged the examples judge the pictures, always against the right ones: what
the swap loses is what the references gave.
"""

import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from tqdm import tqdm

from instruct_imagen_data import command_line, storage
from instruct_imagen_data.errors import UsageError
from model import sampling, trained
from model.batches.records import Pixels
from model.evaluate import attributes, checks, page, rows, scores
from model.evaluate.rows import Cited, Row
from model.evaluate.scores import Drawn
from model.sampling import Prompt
from model.trained import Trained

BATCH = 16  # pictures that are drawn at once


@dataclasses.dataclass(frozen=True)
class Options:
    """Draws the validation split of some examples, and scores the pictures as the examples were.

    Attributes:
        model: Run directory of `train`, or a folder of its network.
        examples: Directory that `instruct` filled.
        output: Directory for index.html, which opens offline, and scores.json.
        models: Model set that judges: paper, embedded, or a TOML file.
        rows: Rows of each dataset, at most.
        seed: Of the noise.
    """

    model: str
    examples: str
    output: str
    models: str = "paper"
    rows: int = 32
    seed: int = 0


def draw(
    model: Trained, prompts: Sequence[Prompt], seed: int, tick: Callable[[], object]
) -> list[Pixels]:
    """The pictures of some prompts, as many at once as BATCH."""
    found: list[Pixels] = []
    for first in range(0, len(prompts), BATCH):
        some = prompts[first : first + BATCH]
        found += sampling.draw(model.unet, model.around, some, model.sampling, seed=seed, tick=tick)
    return found


def measure(
    model: Trained,
    several: Sequence[Row],
    networks: Mapping[str, Any],
    seed: int,
    tick: Callable[[], object] = lambda: None,
) -> list[Drawn]:
    """What is drawn for the rows of a dataset, and its checks.

    Args:
      networks: See `checks.load`; by role.
      tick: Called after each step of sampling.
    """
    side = model.side
    lent = [*rows.lent(several)]
    swapping = [(row, other) for row, other in zip(several, lent, strict=True) if other]
    targets = [row.shown(side) for row in several]
    right = draw(model, [row.prompt(side) for row in several], seed, tick)
    swapped = draw(model, [row.prompt(side, other) for row, other in swapping], seed, tick)
    judged = checks.judge(
        [*several, *several, *(row for row, _ in swapping)], [*targets, *right, *swapped], networks
    )
    of_swapped = iter(zip(swapped, judged[2 * len(several) :], strict=True))
    return [
        _drawn(row, target, picture, other, judged[place], judged[len(several) + place], of_swapped)
        for place, (row, target, picture, other) in enumerate(
            zip(several, targets, right, lent, strict=True)
        )
    ]


def _drawn(
    row: Row,
    target: Pixels,
    right: Pixels,
    other: tuple[Cited, ...] | None,
    of_target: Mapping[str, float],
    of_right: Mapping[str, float],
    of_swapped: Any,
) -> Drawn:
    swapped, found = next(of_swapped) if other else (None, None)
    return Drawn(row, target, right, other, swapped, of_target, of_right, found)


def execute(options: Options) -> int:
    """Draws, judges, writes the page; prints the table."""
    if options.rows < 1:
        raise UsageError(f"--rows {options.rows}: at least 1")
    names = rows.datasets(options.examples)
    if others := rows.unknown(options.examples):
        print(rows.left_out(others), file=sys.stderr)
    model = trained.load(options.model)
    read = {
        name: rows.read(options.examples, name, options.rows, model.max_references)
        for name in names
    }
    read = {name: several for name, several in read.items() if several}
    if not read:
        raise UsageError(f"{options.examples} holds no row of the split {rows.SPLIT}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    every = [row for several in read.values() for row in several]
    networks = checks.load(options.models, checks.needed(every), device)
    found: dict[str, list[Drawn]] = {}
    for name, several in read.items():
        with tqdm(desc=name, unit="step", disable=not sys.stderr.isatty()) as bar:
            tick = functools.partial(bar.update, 1)
            found[name] = measure(model, several, networks, options.seed, tick)
    scored = {name: scores.of(several) for name, several in found.items()}
    followed = {
        name: one for name, several in found.items() if (one := attributes.of(several)) is not None
    }
    told = {
        "model": model.folder,
        "examples": options.examples,
        "models": options.models,
        "seed": options.seed,
        "sampling": dataclasses.asdict(model.sampling),
        "scores": {name: [dataclasses.asdict(one) for one in of] for name, of in scored.items()},
        "attributes": {name: dataclasses.asdict(one) for name, one in followed.items()},
    }
    place = storage.join(options.output, "index.html")
    try:
        storage.write_bytes(place, page.render(found, scored, followed, told).encode())
        written = json.dumps(told, indent=1).encode()
        storage.write_bytes(storage.join(options.output, "scores.json"), written)
    except OSError as error:
        raise UsageError(f"--output {options.output} cannot be written: {error}") from error
    print(scores.table(scored), end="\n\n")
    print(attributes.table(followed), end="\n\n")
    print(f"evaluation: {place}")
    return 0


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("evaluate", Options, execute, argv)
