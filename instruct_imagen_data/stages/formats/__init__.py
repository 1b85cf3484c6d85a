"""Web pairs as people have them: tars and Parquet of img2dataset, HF image structs, folders.

Each reader yields `RawPair`s in the file's order, in bounded memory, and a `RejectRow` for each
row that holds no picture to look at. Nothing is decoded here.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages.formats import parquet, tables, tars
from instruct_imagen_data.stages.formats.rows import Columns, Row

__all__ = ["READERS", "Columns", "Row", "bytes_per_row", "check_columns", "extension", "is_tar"]

Reader = Callable[[str, str, Columns], Iterator[Row]]

_FILE_READERS = 16

READERS: dict[str, Reader] = {
    ".tar": tars.read_tar,
    ".tar.gz": tars.read_tar,
    ".tgz": tars.read_tar,
    ".parquet": parquet.read_parquet,
    ".csv": tables.read_table,
    ".tsv": tables.read_table,
    ".jsonl": tables.read_table,
}


def extension(path: str) -> str:
    """The extension by which a file is read, '' if it is none of READERS."""
    return next((end for end in READERS if path.lower().endswith(end)), "")


def is_tar(path: str) -> bool:
    """Whether a file is read as a WebDataset tar."""
    return READERS[extension(path)] is tars.read_tar


def check_columns(paths: Sequence[str], columns: Columns) -> None:
    """Looks into all inputs that have columns, so that a wrong one fails before the run.

    A damaged Parquet among sound ones is left to its reader, which rejects it.

    Raises:
      UsageError: a column is not there (lists what is), or no Parquet of several is sound.
    """
    parquets = [path for path in paths if extension(path) == ".parquet"]
    others = [path for path in paths if READERS[extension(path)] is tables.read_table]
    with ThreadPoolExecutor(_FILE_READERS) as readers:
        sound = list(readers.map(lambda path: parquet.check_columns(path, columns), parquets))
        list(readers.map(lambda path: tables.check_columns(path, columns), others))
    if parquets and not any(sound) and len(parquets) == len(paths):
        raise UsageError(f"{parquets[0]} is no Parquet file, or is damaged")


def bytes_per_row(path: str, size: int) -> float:
    """About how many bytes of a file make a row, from its start or footer: for progress bars."""
    if is_tar(path):
        found = tars.bytes_per_row(path)
    elif extension(path) == ".parquet":
        found = parquet.bytes_per_row(path, size)
    else:
        found = tables.bytes_per_row(path)
    return found or float(size or 1)
