"""Web pairs as people have them: tars and Parquet of img2dataset, HF image structs, folders.

Each reader yields `RawPair`s in the file's order, in bounded memory, and a `RejectRow` for each
row that holds no picture to look at. Nothing is decoded here.
"""

from collections.abc import Callable, Iterable, Iterator

from instruct_imagen_data.stages.formats import parquet, tables, tars
from instruct_imagen_data.stages.formats.rows import Columns, Row

__all__ = ["READERS", "Columns", "Row", "bytes_per_row", "check_columns", "extension", "is_tar"]

Reader = Callable[[str, str, Columns], Iterator[Row]]

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


def check_columns(paths: Iterable[str], columns: Columns) -> None:
    """Looks at the first Parquet of the inputs, so that a wrong column fails before the run.

    Raises:
      UsageError: a column is not there; lists what is.
    """
    for path in paths:
        if extension(path) == ".parquet":
            parquet.check_columns(path, columns)
            return


def bytes_per_row(path: str, size: int) -> float:
    """About how many bytes of a file make a row, from its start or footer: for progress bars."""
    if is_tar(path):
        found = tars.bytes_per_row(path)
    elif extension(path) == ".parquet":
        found = parquet.bytes_per_row(path, size)
    else:
        found = tables.bytes_per_row(path, size)
    return found or float(size or 1)
