"""How a phase starts and ends: groups of parts in, a manifest out."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import index, runs, shards, storage
from instruct_imagen_data.runs import Group


@dataclasses.dataclass(eq=False)
class ReadGroups(beam.PTransform):
    """The groups of a finished corpus, of about `group_rows` rows; no row is read.

    Attributes:
      corpus: Its directory.
      group_rows: Rows a group, the element that the phases work on.
    """

    corpus: str
    group_rows: int = runs.GROUP_ROWS

    def expand(self, root: PBegin) -> PCollection[Group]:
        return (
            root
            | beam.Create([self.corpus])
            | "Groups" >> beam.FlatMap(_groups, self.group_rows)
            | beam.Reshuffle()  # so that workers share them
        )


def _groups(corpus: str, group_rows: int) -> list[Group]:
    manifest = shards.require_finished(corpus, "corpus")
    parts = {one["part"]: one["rows"]["scores"] for one in manifest["parts"]}
    return runs.groups_of(parts, group_rows)


def merge(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Summaries as one: counts are added, lists joined and sorted, tables merged by name."""
    total: dict[str, Any] = {}
    for summary in summaries:
        for name, value in summary.items():
            if isinstance(value, Mapping):
                total[name] = merge([total.get(name, {}), value])
            elif isinstance(value, list):
                total[name] = sorted(total.get(name, []) + value, key=json.dumps)
            else:
                total[name] = total.get(name, 0) + value
    return dict(sorted(total.items()))


@dataclasses.dataclass(eq=False)
class FinishPhase(beam.PTransform):
    """Summaries in (one a group or cell); writes their sum as the manifest, once all are there.

    Attributes:
      folder: The phase's directory.
      job: Name to write in the manifest.
      start: What the sum starts from: the names that a manifest always has.
      copied: Entry to directory of another phase in whose manifest it is found.
      emptied: Directories of large intermediate files, deleted first.
      indexed: Gives the rows of the folder's index; none is written without it.
    """

    folder: str
    job: str
    start: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    copied: Mapping[str, str] = dataclasses.field(default_factory=dict)
    emptied: tuple[str, ...] = ()
    indexed: Callable[[str], Iterable[pa.Table]] | None = None

    def expand(self, summaries: PCollection[dict[str, Any]]) -> PCollection[None]:
        return summaries | beam.CombineGlobally(merge) | "Manifest" >> beam.Map(self.write)

    def write(self, summary: dict[str, Any]) -> None:
        """The last step of the graph: a phase is known to be finished by its manifest alone."""
        found = {name: _entry(folder, name) for name, folder in self.copied.items()}
        if self.indexed is not None:
            index.build(self.folder, self.indexed(self.folder))
        for folder in self.emptied:
            storage.delete(folder)
        content = merge([self.start, summary]) | found
        shards.write_json(self.folder, shards.MANIFEST, {"job": self.job, **content})


def _entry(folder: str, name: str) -> Any:
    return (shards.read_json(folder, shards.MANIFEST) or {})[name]
