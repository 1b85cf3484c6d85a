"""Makes the embedded model set: `python -m instruct_imagen_data.training.embedded`.

Renders planted pictures, trains both networks on them, puts the weights beside the package's
other files with their hashes in the set's TOML, and records command, time and scores on a planted
corpus of another seed in TRAINING.json.
"""

import dataclasses
import json
import logging
import re
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from instruct_imagen_data import command_line, planted
from instruct_imagen_data.annotators import clip as clip_annotator
from instruct_imagen_data.annotators import nima as nima_annotator
from instruct_imagen_data.annotators.model_set import load_networks, load_set
from instruct_imagen_data.annotators.roles import ModelSet
from instruct_imagen_data.annotators.weights import sha256_of
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.training import clip, nima
from instruct_imagen_data.training.evaluate import measure, scores
from instruct_imagen_data.training.pictures import Pictures, pictures

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Options:
    """Trains the embedded networks and puts them in place.

    Attributes:
        workdir: Folder for rendered pictures and the planted corpus of the evaluation.
        seeds: Seeds of the planted worlds to train on.
        per_noun: Entities a noun of each seed.
        views: Pictures of each entity.
        clip_steps: Training steps of the CLIP; 0 keeps the weights that are there.
        clip_small_steps: The first of them, on small pictures.
        nima_steps: Training steps of the NIMA; 0 keeps the weights that are there.
        evaluation_seed: Seed of the planted corpus that the result is measured on.
        evaluation_pairs: Its size.
        processes: Processes that render.
    """

    workdir: str
    seeds: tuple[int, ...] = (10001, 10002, 10003, 10004, 10005, 10006)
    per_noun: int = 6
    views: int = 6
    clip_steps: int = 7000
    clip_small_steps: int = 5200
    nima_steps: int = 1000
    evaluation_seed: int = 20001
    evaluation_pairs: int = 600
    processes: int = 2


def make(options: Options) -> int:
    """Renders, trains, stores and measures."""
    started = time.monotonic()
    torch.set_num_threads(1)
    models = load_set("embedded")
    if options.evaluation_seed in options.seeds:
        raise UsageError("the evaluation must be on a seed that was not trained on")
    shown = pictures(
        Path(options.workdir), options.seeds, options.per_noun, options.views, options.processes
    )
    rendered = time.monotonic()
    _LOG.info("%d pictures", len(shown))
    if options.nima_steps:
        _train_nima(models, shown, options)
    if options.clip_steps:
        _train_clip(models, shown, options)
    trained = time.monotonic()
    _record(options, models, (rendered - started, trained - rendered), len(shown))
    return 0


def _record(
    options: Options, models: ModelSet, seconds: tuple[float, float], pictures: int
) -> None:
    """Writes how the networks that were trained came about, and what all of them now score.

    Args:
      seconds: of rendering and of training.
    """
    path = models.image_text.weights.path.parent / "TRAINING.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    made = {
        "command": "python -m instruct_imagen_data.training.embedded " + " ".join(sys.argv[1:]),
        "options": {**dataclasses.asdict(options), "workdir": "..."},
        "pictures": pictures,
        "minutes": dict(
            zip(("rendering", "training"), (round(one / 60, 1) for one in seconds), strict=True)
        ),
        "torch": torch.__version__,
    }
    record |= {
        name: made
        for name, steps in (("clip", options.clip_steps), ("nima", options.nima_steps))
        if steps
    }
    record["scores"] = _evaluate(options)
    text = json.dumps(record, indent=2, default=list) + "\n"
    path.write_text(text)
    _LOG.info("%s", text)


def _train_clip(models: ModelSet, shown: Pictures, options: Options) -> None:
    role = models.image_text
    architecture, vocabulary = role.config["architecture"], role.config["vocabulary"]
    clip.write_merges(vocabulary)
    torch.manual_seed(options.seeds[0])
    network = clip_annotator.build(architecture)
    tokenizer = clip_annotator.tokenizer_of(network, architecture, vocabulary)
    recipe = clip.Recipe(options.clip_steps, options.clip_small_steps, logit_scale=role.logit_scale)
    domains = (*models.domains, *models.rejects)
    clip.train(shown, domains, network, tokenizer, recipe, options.seeds[0])
    _put(network, role.weights.path, models.path)


def _train_nima(models: ModelSet, shown: Pictures, options: Options) -> None:
    role = models.quality
    torch.manual_seed(options.seeds[0])
    network = nima_annotator.build(role.config)
    recipe = nima.Recipe(options.nima_steps)
    nima.train(shown, network, role.config, recipe, options.seeds[0])
    _put(network, role.weights.path, models.path)


def _put(network: torch.nn.Module, path: Path, toml: Path) -> None:
    """Saves the weights as fp16 and writes their hash into the model set."""
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
    }
    save_file(half, path)
    table = re.compile(rf'(weights = "[^"]*{re.escape(path.name)}"\nsha256 = ")[^"]*(")')
    text = toml.read_text(encoding="utf-8")
    toml.write_text(table.sub(rf"\g<1>{sha256_of(path)}\g<2>", text), encoding="utf-8")


def _evaluate(options: Options) -> dict[str, float]:
    """Scores of what now lies in the package on a planted corpus of another seed."""
    corpus = Path(options.workdir) / f"corpus-{options.evaluation_seed}-{options.evaluation_pairs}"
    if not corpus.exists():
        planted.plant(corpus, options.evaluation_pairs, options.evaluation_seed)
    models = load_set("embedded")
    return scores(measure(corpus, models, load_networks(models)), models)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(command_line.run("embedded", Options, make))
