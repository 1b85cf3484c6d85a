"""`instruct-imagen export`: instruction datasets in the formats of other trainers."""

import dataclasses
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from instruct_imagen_data import command_line, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools import finished
from instruct_imagen_data.tools.export import omnigen, tars
from instruct_imagen_data.tools.export.plan import Shard, rows_of, shards_of
from instruct_imagen_data.tools.export.rows import Row

VERB = "export"


@dataclasses.dataclass(frozen=True)
class Format:
    """A format that rows go into and come back from.

    Attributes:
      suffix: Of a shard's file.
      write: Of output, name of the shard, rows.
    """

    suffix: str
    write: Callable[[str, str, Iterable[Row]], None]


FORMATS = {
    "webdataset": Format(tars.SUFFIX, tars.write),
    "omnigen-jsonl": Format(omnigen.SUFFIX, omnigen.write),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Writes instruction datasets in another format: OUTPUT/{train,validation}/DATASET-00000.*

    Pictures are moved as they are. The same command again goes on after the last shard.

    Attributes:
        source: Directory that `instruct-imagen instruct` filled, or one dataset in it.
        output: Directory to fill.
        to: webdataset (tars of KEY.jpg, KEY.ref1.png, KEY.json) or omnigen-jsonl (lines of
            instruction, input_images, output_image, and the pictures).
    """

    source: str
    output: str
    to: str


def _open(options: Options) -> list[finished.Examples]:
    """The datasets to write.

    Raises:
      UsageError: an unknown format, or a source that holds no instructions.
    """
    if options.to not in FORMATS:
        raise UsageError(f"--to {options.to}: known are {', '.join(FORMATS)}")
    if storage.find(options.output) is not None:
        raise UsageError(f"{options.output} is a file: name a folder to fill")
    if storage.open_place(options.source) == storage.open_place(options.output):
        raise UsageError(f"{options.output} is the source, too: choose another folder to fill")
    datasets = finished.open_examples(options.source)
    for one in datasets:
        if not one.instructed:
            raise UsageError(
                f"{one.folder} has no instructions yet: run `instruct-imagen instruct --examples "
                f"{options.source} --output ...`, and export that"
            )
    return datasets


def _begin(options: Options, datasets: Sequence[finished.Examples]) -> None:
    """Writes `_JOB.json`, or compares it with the one that is there.

    Raises:
      UsageError: the output holds something else.
    """
    digests = {
        one.dataset: hashlib.sha256(json.dumps(one.manifest["parts"]).encode()).hexdigest()[:16]
        for one in datasets
    }
    settings: Mapping[str, Any] = {"to": options.to, "datasets": digests}
    job = {"job": VERB, "settings": settings, "inputs": {}, "paths": {}}
    former = shards.read_job(options.output)
    if former is None and storage.list_folders(options.output):
        raise UsageError(f"{options.output} holds something else: choose another folder to fill")
    if former not in (None, job):
        raise UsageError(
            f"{options.output} was filled from other rows or with another --to: choose another "
            "folder to fill, or remove it"
        )
    storage.sweep_temporary(options.output)
    shards.write_json(options.output, shards.JOB, job)


def execute(options: Options) -> int:
    """Writes the shards that are not there, then `_MANIFEST.json`; 0."""
    datasets = _open(options)
    _begin(options, datasets)
    form = FORMATS[options.to]
    planned = [shard for one in datasets for shard in shards_of(one)]
    done = {storage.below(options.output, one) for one in _files(options.output, planned)}
    with tqdm(
        total=sum(one.rows for one in planned), unit=" rows", desc=VERB, file=sys.stderr
    ) as bar:
        for one in planned:
            if one.name + form.suffix in done:
                bar.update(one.rows)
            else:
                form.write(options.output, one.name, _counted(rows_of(one), bar))
    _finish(options, planned)
    return 0


def _files(output: str, planned: Sequence[Shard]) -> Iterator[storage.File]:
    """Files of the folders that shards go to."""
    for split in sorted({one.split for one in planned}):
        yield from storage.list_files(storage.join(output, split))


def _counted(rows: Iterator[Row], bar: "tqdm[Any]") -> Iterator[Row]:
    for row in rows:
        yield row
        bar.update()


def _finish(options: Options, planned: Sequence[Shard]) -> None:
    """Writes `_MANIFEST.json` and prints what there is."""
    suffix = FORMATS[options.to].suffix
    written = [{"file": one.name + suffix, "rows": one.rows} for one in planned]
    manifest = {"job": VERB, "to": options.to, "shards": written}
    shards.write_json(options.output, shards.MANIFEST, manifest)
    rows: Counter[str] = Counter()
    for one in planned:
        rows[one.split] += one.rows
    shown = ", ".join(f"{count:,} {split}" for split, count in sorted(rows.items()))
    datasets = len({one.dataset.dataset for one in planned})
    print(f"{options.output}: rows {shown or 'none'}; datasets {datasets}; shards {len(planned)}")


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run(VERB, Options, execute, argv, positional=("source", "output"))
