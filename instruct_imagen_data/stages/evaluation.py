"""Pictures that a model will be judged on, as fingerprints: what must not be trained on.

Evaluation sets come as folders of pictures, tars, or Parquet with pictures at any depth (also this
project's own). Every picture in them counts, references too.
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection

from instruct_imagen_data import images, schema, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Fingerprint, RawPair
from instruct_imagen_data.sources.folder import EXTENSIONS
from instruct_imagen_data.stages import formats
from instruct_imagen_data.stages.annotate import Annotate
from instruct_imagen_data.stages.phase import FinishPhase

DATASET = "pictures"
_FILES_A_GROUP = 256  # single pictures
_BATCH_ROWS = 16  # of a Parquet file, held as Python objects
_BATCH_PICTURES = 32  # through the network at once


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
      UsageError: a folder that is not there, or holds no picture.
    """
    single: list[tuple[str, str]] = []
    sizes: dict[str, int] = {}
    groups = []
    for folder in folders:
        listed = [file for file in storage.list_files(folder, recursive=True) if _known(file)]
        if not listed:
            raise UsageError(f"--against {folder}: no such folder, or no picture in it")
        for file in listed:
            name = f"{folder.rstrip('/').rpartition('/')[2]}/{storage.below(folder, file)}"
            sizes[name] = file.size
            single.append((file.path, name))
    together = [one for one in single if one[0].lower().endswith(EXTENSIONS)]
    for first in range(0, len(together), _FILES_A_GROUP):
        groups.append(tuple(together[first : first + _FILES_A_GROUP]))
    groups += [(one,) for one in single if one not in set(together)]
    return [Files(f"{number:05d}", files) for number, files in enumerate(groups)], sizes


def _known(file: storage.File) -> bool:
    hidden = any(piece.startswith(("_", ".")) for piece in file.path.split("/")[-2:])
    ends = (*EXTENSIONS, ".parquet", ".tar", ".tar.gz", ".tgz")
    return not hidden and file.path.lower().endswith(ends)


def pictures(path: str, name: str) -> Iterator[tuple[str, bytes]]:
    """(origin, bytes) of each picture of a file."""
    if path.lower().endswith(EXTENSIONS):
        yield name, storage.read_bytes(path)
    elif path.lower().endswith(".parquet"):
        yield from _in_parquet(path, name)
    else:
        read = formats.READERS[formats.extension(path)]
        for row in read(path, name, formats.Columns()):
            if isinstance(row, RawPair):
                yield row.origin, row.image


def _in_parquet(path: str, name: str) -> Iterator[tuple[str, bytes]]:
    number = 0
    with shards.open_part(path) as file:
        columns = [field.name for field in file.schema_arrow if _holds_pictures(field.type)]
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
            for row in batch.to_pylist():
                yield from ((f"{name}#{number}", data) for data in _bytes_in(row))
                number += 1


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

    Args:
      networks: With `image_text` among `by_role`.
      folder: Directory that the part goes to.
    """
    clip = networks.by_role["image_text"]
    reasons: Counter[str] = Counter()
    found: list[tuple[str, bytes, np.ndarray]] = []
    for path, name in files.files:
        for origin, data in pictures(path, name):
            try:
                rgb = images.read(data).rgb
            except images.DecodeError as error:
                reasons[error.reason] += 1
                continue
            found.append((origin, images.perceptual_hash(rgb), clip.prepare(rgb)))
    vectors = embed(clip, [prepared for *_, prepared in found])
    table = pa.table(
        [
            pa.array([origin for origin, *_ in found], pa.string()),
            pa.array([phash for _, phash, _ in found], pa.binary(32)),
            schema.vector_column(vectors),
        ],
        schema=schema.schema_of(Fingerprint, vectors.shape[1]),
    )
    shards.write_part(folder, DATASET, files.part, table)
    return {"pictures": len(found), "unreadable": dict(reasons)}


def embed(clip: Any, prepared: Sequence[np.ndarray]) -> np.ndarray:
    """float16 [n, d]: vectors of prepared pictures, a batch at a time; of none, [0, 1]."""
    batches = [
        clip.images(prepared[first : first + _BATCH_PICTURES])
        for first in range(0, len(prepared), _BATCH_PICTURES)
    ]
    return np.concatenate(batches).astype(np.float16) if batches else np.empty((0, 1), np.float16)


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
