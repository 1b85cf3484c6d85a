"""What `instruct --against` adds: the fingerprints of evaluation sets, and who judges by them.

A file of its own, since networks come with it, which instruct without it does not load.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import apache_beam as beam

from instruct_imagen_data import shards, storage
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.precision import check_device, resolve_precision
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages import derived, evaluation
from instruct_imagen_data.stages.decontaminate import load_judge
from pipelines import job

FOLDER = "_evaluation"
_ROLES = ("image_text",)


@dataclasses.dataclass(frozen=True)
class Against:
    """How rows that repeat an evaluation picture are found.

    Attributes:
      phase: Takes the fingerprints.
      judge: Makes what judges by them; runs once a worker process.
      settings: What the verdicts depend on.
    """

    phase: job.Phase
    judge: Callable[[], Any]
    settings: Mapping[str, Any]


def plan(folders: Sequence[str], output: str, models: str, device: str) -> Against:
    """The phase and the judge for some evaluation sets.

    Fingerprints are kept in a folder named after what they are of: other sets, or another network,
    get another one.

    Raises:
      UsageError: a folder without pictures, or a model set that cannot serve.
    """
    files, sizes = evaluation.find(folders)
    check_device(device)
    found = model_set.load_set(models)
    found.role(_ROLES[0])
    place = models if found.path.stem == models else str(found.path)
    setup = derived.Setup(place, resolve_precision("auto", device), device, _ROLES)
    settings = {
        "evaluation": dict(sorted(sizes.items())),
        "weights": found.hashes(_ROLES),
        "precision": setup.precision,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    folder = storage.join(output, FOLDER, digest)
    load = functools.partial(derived.load, setup)

    def build(root: beam.Pipeline) -> None:
        root | evaluation.FingerprintPictures(files, folder, load)

    return Against(
        phase=job.Phase(
            "evaluation", [folder], build, dataset=evaluation.DATASET, parts=len(files)
        ),
        judge=functools.partial(load_judge, load, folder, found.duplicates),
        settings={
            "models": models,
            "evaluation": digest,
            "weights": settings["weights"],
            "precision": setup.precision,
        },
    )


def told(output: str, digest: str) -> str:
    """A line on what was fingerprinted."""
    folder = storage.join(output, FOLDER, digest)
    manifest = shards.read_json(folder, shards.MANIFEST) or {}
    unread = sum(manifest.get("unreadable", {}).values())
    lost = f"; {unread:,} could not be read: rows are not kept from repeating them" * bool(unread)
    return f"compared with {manifest.get('pictures', 0):,} evaluation pictures{lost}"


def models_of(examples: str, datasets: Sequence[str]) -> str:
    """The model set that examples were made with.

    Raises:
      UsageError: they were made with several.
    """
    jobs = (shards.read_job(storage.join(examples, name)) for name in datasets)
    names = sorted({str(one["settings"].get("models", "")) for one in jobs if one} - {""})
    if len(names) != 1:
        what = f"made with {', '.join(names)}" if names else "without a model set"
        raise UsageError(f"{examples} is {what}: say which compares pictures by --models")
    return names[0]
