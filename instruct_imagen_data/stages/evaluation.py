"""Pictures that a model will be judged on, as fingerprints: what must not be trained on.

Evaluation sets come as folders of pictures, tars, or Parquet with pictures at any depth (also this
project's own). Every picture in them counts, references too.
"""

import dataclasses
import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import images, schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Fingerprint, RawPair, RejectRow
from instruct_imagen_data.sources.folder import EXTENSIONS
from instruct_imagen_data.stages import formats
from instruct_imagen_data.stages.annotate import Annotate
from instruct_imagen_data.stages.phase import FinishPhase

DATASET = "pictures"
_FILES_A_GROUP = 256  # single pictures
_BATCH_ROWS = 16  # of a Parquet file, held as Python objects
_BATCH_PICTURES = 32  # decoded, and through the network, at once
_NO_PICTURE = "missing_image"  # a sample of texts alone: nothing is lost


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """Some files of an evaluation set, under a part name.

    Attributes:
      part: Name of the part that their fingerprints become.
      files: (path, name to be called by) of each.
    """

    part: str
    files: tuple[tuple[str, str], ...]


def find(folders: Sequence[str]) -> tuple[list[Files], dict[str, int]]:
    """(the files of evaluation sets in groups, name -> size of each).

    Raises:
      UsageError: a folder that is not there, is a file, or holds no picture.
    """
    single: list[tuple[str, str]] = []  # name, path
    sizes: dict[str, int] = {}
    for folder, title in _titles(folders).items():
        if storage.find(folder) is not None:
            raise UsageError(f"--against {folder} is a file: name the folder that it is in")
        files = [(storage.below(folder, one), one) for one in storage.list_files(folder, True)]
        listed = [(path, one) for path, one in files if _known(path)]
        if not listed:
            raise UsageError(f"--against {folder}: no such folder, or no picture in it")
        for path, file in listed:
            sizes[f"{title}/{path}"] = file.size
            single.append((f"{title}/{path}", file.path))
    single.sort()  # the same groups, whatever the order of the folders
    pictures_alone = [(path, name) for name, path in single if _is_picture(path)]
    groups = [
        tuple(pictures_alone[first : first + _FILES_A_GROUP])
        for first in range(0, len(pictures_alone), _FILES_A_GROUP)
    ]
    groups += [((path, name),) for name, path in single if not _is_picture(path)]
    return [Files(f"{number:05d}", files) for number, files in enumerate(groups)], sizes


def _titles(folders: Sequence[str]) -> dict[str, str]:
    """Folder -> what its files are called by: its last name, or all where two have one name."""
    last = {folder: folder.rstrip("/").rpartition("/")[2] for folder in folders}
    shared = Counter(last.values())
    return {folder: one if shared[one] == 1 else folder.rstrip("/") for folder, one in last.items()}


def _known(path: str) -> bool:
    """Whether a file holds pictures, by its path below the folder that was named."""
    *folders, name = path.split("/")
    ends = (*EXTENSIONS, ".parquet", ".tar", ".tar.gz", ".tgz")
    if any(piece.startswith(".") for piece in (*folders, name)):
        return False
    if name.lower().endswith(".parquet") and any(piece.startswith("_") for piece in folders):
        return False  # a job's own rejects, index, phases
    return name.lower().endswith(ends)


def _is_picture(path: str) -> bool:
    return path.lower().endswith(EXTENSIONS)


def pictures(path: str, name: str) -> Iterator[tuple[str, bytes] | RejectRow]:
    """(origin, bytes) of each picture of a file; a reject for what a tar cannot give.

    Raises:
      UsageError: a damaged Parquet file.
    """
    if _is_picture(path):
        yield name, storage.read_bytes(path)
    elif path.lower().endswith(".parquet"):
        yield from _in_parquet(path, name)
    else:
        read = formats.READERS[formats.extension(path)]
        for row in read(path, name, formats.Columns()):
            yield (row.origin, row.image) if isinstance(row, RawPair) else row


def _in_parquet(path: str, name: str) -> Iterator[tuple[str, bytes]]:
    number = 0
    try:
        with shards.open_part(path) as file:
            columns = [field.name for field in file.schema_arrow if _holds_pictures(field.type)]
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
                for row in batch.to_pylist():
                    yield from ((f"{name}#{number}", data) for data in _bytes_in(row))
                    number += 1
    except UsageError as error:  # it tells to run a job again, but the file is no job's
        raise UsageError(
            f"--against: {path} is no Parquet file, or is damaged: mend it, or take it out"
        ) from error


def _holds_pictures(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_pictures(kind.field(i).type) for i in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _bytes_in(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _bytes_in(one)


def fingerprint(files: Files, networks: Any, *, folder: str) -> dict[str, Any]:
    """Writes the fingerprints of some files; counts of pictures, and of those that do not decode.

    What a former run has written is not made again: its counts lie in the part's footer.

    Args:
      networks: With `image_text` among `by_role`.
      folder: Directory that the part goes to.
    """
    if files.part in shards.list_parts(folder, DATASET):
        with shards.open_part(shards.part_path(folder, DATASET, files.part)) as file:
            found: dict[str, Any] = json.loads(file.schema_arrow.metadata[b"counts"])
            return found
    clip = networks.by_role["image_text"]
    reasons: Counter[str] = Counter()
    decoded = _decoded(files, clip, reasons)
    origins: list[str] = []
    hashes: list[bytes] = []
    made: list[np.ndarray] = []
    while some := list(itertools.islice(decoded, _BATCH_PICTURES)):  # a tar may hold thousands
        origins += [origin for origin, _, _ in some]
        hashes += [phash for _, phash, _ in some]
        made.append(clip.images([prepared for _, _, prepared in some]).astype(np.float16))
    vectors = np.concatenate(made) if made else np.empty((0, 1), np.float16)
    columns = [pa.array(origins, pa.string()), pa.array(hashes, pa.binary(32))]
    table = pa.table(
        [*columns, schema.vector_column(vectors)],
        schema=schema.schema_of(Fingerprint, vectors.shape[1]),
    )
    counts = {"pictures": len(origins), "unreadable": dict(sorted(reasons.items()))}
    shards.write_part(folder, DATASET, files.part, table, counts=json.dumps(counts))
    return counts


def _decoded(
    files: Files, clip: Any, reasons: Counter[str]
) -> Iterator[tuple[str, bytes, np.ndarray]]:
    """(origin, perceptual hash, prepared) of each picture; counts why others are none."""
    for path, name in files.files:
        for one in pictures(path, name):
            if isinstance(one, RejectRow):
                if one.reason != _NO_PICTURE:
                    reasons[one.reason] += 1
                continue
            origin, data = one
            try:
                rgb = images.read(data).rgb
            except images.DecodeError as error:
                reasons[error.reason] += 1
                continue
            yield origin, images.perceptual_hash(rgb), clip.prepare(rgb)


@dataclasses.dataclass(eq=False)
class FingerprintPictures(beam.PTransform):
    """Fingerprints of evaluation sets, as parts of a directory; its manifest last.

    Attributes:
      files: As `find` found them.
      folder: The directory.
      load: Makes the networks; runs once a worker process.
    """

    files: Iterable[Files]
    folder: str
    load: Callable[[], Any]

    def expand(self, root: PBegin) -> PCollection[None]:
        function = functools.partial(fingerprint, folder=self.folder)
        found = root | "Files" >> beam.Create(list(self.files)) | "Spread" >> beam.Reshuffle()
        counted = found | Annotate("Fingerprint", self.load, function)
        return counted | FinishPhase(self.folder, "evaluation", {"pictures": 0, "unreadable": {}})
