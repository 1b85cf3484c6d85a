"""Finding one row in the directories of finished jobs by what a person has of it."""

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from instruct_imagen_data import index, keys, shards, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.finished import Finished

_LEAST_DIGITS = 8  # of a key's prefix
_KEY = re.compile(rf"[0-9a-f]{{{_LEAST_DIGITS},64}}")
_LISTED = 10  # of an ambiguous answer


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a row lies: its key and origin, and dataset, part and row number of a corpus."""

    key: str
    origin: str
    dataset: str  # images (then also scores and embeddings), or _rejects
    part: str
    row: int


def find(corpus: Finished, name: str) -> Place:
    """The one row of a corpus that a key, a prefix of a key, an origin or a URL names.

    Raises:
      UsageError: there is none (with the nearest there is), or there are several (listed).
    """
    found = sorted(map(_place, _search(corpus, name.strip())))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no row {name!r} in {corpus.folder}: {_hint(corpus, name.strip())}")
    same = len({one.key for one in found}) == 1
    listed = [f"{one.key[:16]} ({one.origin})" for one in found[:_LISTED]]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    names = ", ".join(listed) + more
    raise UsageError(
        f"{name!r} names {len(found)} rows: {names}; give {'an origin' if same else 'more digits'}"
    )


def _place(row: Mapping[str, Any]) -> Place:
    return Place(row["key"], row["origin"], row["dataset"], row["part"], row["row"])


def _search(corpus: Finished, name: str) -> list[dict[str, Any]]:
    if _KEY.fullmatch(name.lower()):
        return index.find(corpus.folder, name.lower())
    if "#" in name and (found := _by_origin(corpus, [name])):
        return found
    if "://" in name or "/" in name:
        return _by_url(corpus, name)
    return []


def _by_origin(corpus: Finished, origins: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the index with one of these origins; only that column is read of all rows."""
    found: list[dict[str, Any]] = []
    wanted = pa.array(origins, pa.string())
    for file in storage.list_files(storage.join(corpus.folder, index.FOLDER)):
        with shards.open_part(file.path) as parquet:
            for group in range(parquet.num_row_groups):
                column = parquet.read_row_group(group, columns=["origin"], use_threads=False)
                mask = pc.is_in(column["origin"], value_set=wanted)
                if pc.any(mask).as_py():
                    found += parquet.read_row_group(group).filter(mask).to_pylist()
    return found


def _by_url(corpus: Finished, url: str) -> list[dict[str, Any]]:
    """Rows whose URL, normalised, is this one: pictures by its id in scores/, refused by text."""
    wanted = keys.id64(keys.normalise_url(url))
    same = corpus.table("scores").to_table(["origin"], filter=pc.field("url_id") == wanted)
    origins = same["origin"].to_pylist()
    for batch in corpus.table("refused").to_batches(["origin", "url"]):
        rows = zip(batch["origin"].to_pylist(), batch["url"].to_pylist(), strict=True)
        origins += [one for one, text in rows if keys.id64(keys.normalise_url(text)) == wanted]
    return _by_origin(corpus, origins) if origins else []


def _origins(corpus: Finished, prefix: str) -> list[str]:
    """The origins that begin like this."""
    starts = pc.starts_with(pc.field("origin"), prefix)
    found = corpus.index().to_table(["origin"], filter=starts)["origin"].to_pylist()
    return sorted(found)


def _hint(corpus: Finished, name: str) -> str:
    """What may have been meant."""
    if _KEY.fullmatch(name.lower()):
        for length in range(len(name) - 1, 1, -1):
            near = index.find(corpus.folder, name[:length].lower())
            if near:
                return f"the nearest key is {near[0]['key']}"
        return "no key begins like it"
    if "#" in name:
        inputs = list(corpus.job.get("inputs", {}))
        file, member = name.rsplit("#", 1)
        if file not in inputs:
            others = difflib.get_close_matches(file, inputs, 1, 0.0)
            return f"it read no file {file}" + (f", but {others[0]}" if others else "")
        others = difflib.get_close_matches(name, _origins(corpus, f"{file}#"), 1, 0.0)
        return f"{file} has no {member}" + (f", but {others[0]}" if others else "")
    return "give a key, the first 8 digits of one or more, an origin (FILE#MEMBER), or a URL"
