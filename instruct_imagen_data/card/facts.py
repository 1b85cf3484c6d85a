"""What the card says, as it is found on disk: counts, licences, templates, networks."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from instruct_imagen_data import mixture, schema, shards, storage, tasks
from instruct_imagen_data.errors import UsageError

_MOST_LICENCES = 12  # named in the card


@dataclasses.dataclass(frozen=True)
class Facts:
    """A dataset of the corpus.

    Attributes:
      dataset: Name, task, category and the paper's count.
      rows: Split to its rows.
      size: Bytes of its parts.
      parts: (path below the corpus, sha256 in hex) of each.
      licences: Licence to rows, most first.
      reasons: Reject reason to rows.
      made_by: Verb of the job that derived it.
      made: What the derived rows depend on: that job's settings.
      networks: Role to sha256 of its weights.
      templates: What the job file says of the templates used.
    """

    dataset: tasks.Dataset
    rows: Mapping[str, int]
    size: int
    parts: Sequence[tuple[str, str]]
    licences: Mapping[str, int]
    reasons: Mapping[str, int]
    made_by: str
    made: Mapping[str, Any]
    networks: Mapping[str, str]
    templates: Mapping[str, Any]

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A corpus of instructions: its datasets in the order of Table 1, and how they are mixed."""

    name: str
    datasets: Sequence[Facts]
    mixture: mixture.Mixture

    def ratio(self, dataset: str) -> float:
        """A dataset's share of the draws; 0 where it has no training row."""
        return next((one.ratio for one in self.mixture if one.dataset == dataset), 0.0)


def gather(folder: str) -> Corpus:
    """The facts of a finished corpus; of its rows, only the licence is read.

    Raises:
      UsageError: no finished dataset of instructions is there.
    """
    found = [
        _facts(folder, one, manifest)
        for one in tasks.DATASETS.values()
        if (manifest := shards.read_json(storage.join(folder, one.name), shards.MANIFEST))
    ]
    if not found:
        raise UsageError(f"{folder} holds no finished dataset of instructions: run instruct")
    place = storage.join(folder, mixture.FILE)
    mixed = mixture.read(storage.read_bytes(place).decode(), place)
    name = storage.open_place(folder)[1].rstrip("/").rpartition("/")[2]
    return Corpus(name, found, mixed)


def _facts(folder: str, dataset: tasks.Dataset, manifest: Mapping[str, Any]) -> Facts:
    place = storage.join(folder, dataset.name)
    job = shards.read_job(place)
    if job is None:
        raise UsageError(f"{place} has a {shards.MANIFEST} but no {shards.JOB}: it is damaged")
    sizes = {file.name: file.size for file in storage.list_files(place)}
    licences: Counter[str] = Counter()
    parts = []
    for one in manifest["parts"]:
        name = f"part-{one['part']}.parquet"
        parts.append((name, one["sha256"][dataset.name]))
        table = shards.read_part(folder, dataset.name, one["part"], schema.Example, ["licence"])
        licences.update(table["licence"].to_pylist())
    derived = job["settings"].get("derived", {})
    return Facts(
        dataset=dataset,
        rows=manifest["splits"],
        size=sum(sizes[name] for name, _ in parts),
        parts=[(f"{dataset.name}/{name}", sha256) for name, sha256 in parts],
        licences=dict(sorted(licences.items(), key=lambda one: (-one[1], one[0]))[:_MOST_LICENCES]),
        reasons=manifest["reasons"],
        made_by=str(derived.get("job", "")),
        made=derived.get("settings", {}),
        networks=derived.get("settings", {}).get("weights", {}),
        templates=job["settings"].get("templates", {}),
    )
