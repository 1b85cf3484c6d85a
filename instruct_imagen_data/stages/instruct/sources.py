"""Finished datasets of derived rows, told apart from everything else that a folder may hold."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from instruct_imagen_data import schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Derived

STAGE = "instruct"


@dataclasses.dataclass(frozen=True)
class Source:
    """A finished dataset of derived rows.

    Attributes:
      dataset: Its name, and that of its folder.
      parts: Part to rows, in order.
      digest: Hash of the parts' hashes.
      size: Bytes of the parts.
      job: Verb that derived it;
      settings: and what its rows depend on.
    """

    dataset: str
    parts: Mapping[str, int]
    digest: str
    size: int
    job: str
    settings: Mapping[str, Any]


def open_examples(folder: str, wanted: Iterable[str]) -> dict[str, Source]:
    """The datasets in a folder that `derive` or one of its jobs filled, of those that are wanted.

    Raises:
      UsageError: one of them is not finished, or the folder holds something else.
    """
    own = shards.read_job(folder)
    if own is not None:
        raise UsageError(
            f"{folder} was written by {own['job']!r}: --examples is the folder that holds a "
            "folder of derived examples a dataset"
        )
    found = {}
    for name in wanted:
        place = storage.join(folder, name)
        job = shards.read_job(place)
        if job is not None:
            found[name] = _source(place, name, job)
    if not found:
        raise UsageError(
            f"{folder} holds none of the datasets that are wanted: run `instruct-imagen derive "
            f"... --output {folder}`"
        )
    return found


def _source(place: str, name: str, job: Mapping[str, Any]) -> Source:
    if job["job"] == STAGE:
        raise UsageError(
            f"{place} holds instructions already: --examples is what `instruct-imagen derive` wrote"
        )
    try:
        manifest = shards.require_finished(place, str(job["job"]))
    except UsageError as error:
        raise UsageError(f"{error}; or leave {name} out by --only") from error
    if manifest.get("dataset") != name:
        raise UsageError(f"{place} holds {manifest.get('dataset') or job['job']!r}, not {name}")
    now = schema.versions(Derived)["Derived"]
    if job["settings"].get("records", {}).get("Derived", now) != now:
        raise UsageError(
            f"{place} was derived by another version of this project, whose rows have other "
            "fields: derive it again, with --overwrite"
        )
    hashes = json.dumps([[one["part"], one["sha256"]] for one in manifest["parts"]])
    parts = {one["part"]: one["rows"][name] for one in manifest["parts"]}
    size = sum(file.size for file in storage.list_files(place))
    digest = hashlib.sha256(hashes.encode()).hexdigest()[:16]
    return Source(name, parts, digest, size, str(job["job"]), job["settings"])
