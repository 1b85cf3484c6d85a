"""Makes the embedded model set: `python -m instruct_imagen_data.training.embedded`.

Renders planted pictures, trains the networks on them, puts the weights beside the package's
other files with their hashes in the set's TOML, and records command, time and scores on a planted
corpus of another seed in TRAINING.json.
"""

import dataclasses
import itertools
import json
import logging
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from instruct_imagen_data import command_line, planted
from instruct_imagen_data.annotators import clip as clip_annotator
from instruct_imagen_data.annotators import nima as nima_annotator
from instruct_imagen_data.annotators import tinymap
from instruct_imagen_data.annotators.model_set import load_networks, load_role, load_set
from instruct_imagen_data.annotators.roles import ModelSet, Role
from instruct_imagen_data.annotators.weights import sha256_of
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.training import clip, map_scores, maps, nima
from instruct_imagen_data.training.evaluate import measure, scores
from instruct_imagen_data.training.pictures import Pictures, pictures
from instruct_imagen_data.training.views import Truth, truths

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
        maps_steps: Training steps of the networks of depth, mask and contour, a quarter as many of
            that of edges; 0 keeps the weights that are there.
        maps_go_on: Train the map networks that are there further, instead of new ones.
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
    maps_steps: int = 4000
    maps_go_on: bool = False
    evaluation_seed: int = 20001
    evaluation_pairs: int = 600
    processes: int = 2


def make(options: Options) -> int:
    """Renders, trains, stores and measures."""
    torch.set_num_threads(1)
    models = load_set("embedded")
    if options.evaluation_seed in options.seeds:
        raise UsageError("the evaluation must be on a seed that was not trained on")
    made: dict[str, Any] = {}
    if options.clip_steps or options.nima_steps:
        made |= _make_corpus_networks(models, options)
    if options.maps_steps:
        made["maps"] = _make_maps(models, options)
    _record(options, models, made)
    return 0


def _make_corpus_networks(models: ModelSet, options: Options) -> dict[str, Any]:
    """Trains the CLIP and the NIMA on the same pictures; how each came about."""
    clock = [time.monotonic()]
    shown = pictures(
        Path(options.workdir), options.seeds, options.per_noun, options.views, options.processes
    )
    clock.append(time.monotonic())
    _LOG.info("%d pictures", len(shown))
    if options.nima_steps:
        _train_nima(models, shown, options)
    if options.clip_steps:
        _train_clip(models, shown, options)
    how = _how(options, len(shown), [*clock, time.monotonic()])
    trained = (("clip", options.clip_steps), ("nima", options.nima_steps))
    return {name: how for name, steps in trained if steps}


def _make_maps(models: ModelSet, options: Options) -> dict[str, Any]:
    """Trains the networks of depth, edge, mask and contour; how they came about."""
    clock = [time.monotonic()]
    shown = truths(
        Path(options.workdir), options.seeds, options.per_noun, options.views, options.processes
    )
    clock.append(time.monotonic())
    _LOG.info("%d pictures with their maps", len(shown))
    steps = options.maps_steps
    scene = maps.Recipe(steps, small_steps=steps * 3 // 4)
    edge = maps.Recipe(steps // 4, window=128, batch=16)
    if options.maps_go_on:
        scene = maps.Recipe(steps, small_steps=steps * 2 // 3, small_side=128, learning_rate=2.5e-3)
        edge = dataclasses.replace(edge, learning_rate=2.5e-3)
    _train_maps(models, maps.SCENE, shown, scene, options)
    _train_maps(models, ("edge",), shown, edge, options)
    return _how(options, len(shown), [*clock, time.monotonic()])


def _train_maps(
    models: ModelSet,
    kinds: Sequence[str],
    shown: Sequence[Truth],
    recipe: maps.Recipe,
    options: Options,
) -> None:
    """Trains the networks of some roles as one, and puts each in place with its own head."""
    roles = [_role(models, name) for name in kinds]
    paths = [role.weights.path for role in roles if role.weights is not None]
    config = roles[0].config
    if any(role.config != {**config, "kind": role.config["kind"]} for role in roles):
        raise UsageError(f"{models.path}: {', '.join(kinds)} are trained as one: one config")
    seed = options.seeds[0] + options.maps_go_on
    torch.manual_seed(seed)
    network = tinymap.build(config["widths"], config["padding"], len(kinds))
    if options.maps_go_on:
        network.load_state_dict(maps.joined([load_file(path) for path in paths]))
    maps.train(shown, kinds, network, config["side"], recipe, seed)
    for index, path in enumerate(paths):
        _put(maps.only(network.state_dict(), index), path, models.path)


def _role(models: ModelSet, name: str) -> Role:
    role = models.role(name)
    assert isinstance(role, Role)
    return role


def _how(options: Options, pictures: int, clock: Sequence[float]) -> dict[str, Any]:
    """What is recorded of networks that were trained.

    Args:
      options: The command's.
      pictures: Trained on.
      clock: Seconds at which rendering and training began, and at the end.
    """
    minutes = [round((end - start) / 60, 1) for start, end in itertools.pairwise(clock)]
    return {
        "command": "python -m instruct_imagen_data.training.embedded "
        + " ".join(sys.argv[1:]).replace(options.workdir, "WORK"),
        "options": {**dataclasses.asdict(options), "workdir": "..."},
        "pictures": pictures,
        "minutes": dict(zip(("rendering", "training"), minutes, strict=True)),
        "torch": torch.__version__,
    }


def _record(options: Options, models: ModelSet, made: Mapping[str, Any]) -> None:
    """Writes how the networks that were trained came about, and what all of them now score."""
    path = models.image_text.weights.path.parent / "TRAINING.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if options.maps_go_on and "maps" in made:
        made = {**made, "maps": {**made["maps"], "after": record["maps"]}}
    record |= {**made, "scores": _evaluate(options)}
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
    _put(network.state_dict(), role.weights.path, models.path)


def _train_nima(models: ModelSet, shown: Pictures, options: Options) -> None:
    role = models.quality
    torch.manual_seed(options.seeds[0])
    network = nima_annotator.build(role.config)
    recipe = nima.Recipe(options.nima_steps)
    nima.train(shown, network, role.config, recipe, options.seeds[0])
    _put(network.state_dict(), role.weights.path, models.path)


def _put(state: Mapping[str, torch.Tensor], path: Path, toml: Path) -> None:
    """Saves the weights as fp16 and writes their hash into the model set."""
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
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
    seen = {name: load_role(models, name) for name in maps.ROLES}
    return scores(measure(corpus, models, load_networks(models)), models) | map_scores.scores(
        corpus, seen
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(command_line.run("embedded", Options, make))
