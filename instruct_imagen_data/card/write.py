"""Writes README.md and croissant.json of a corpus; the same corpus gives the same bytes."""

import json
from collections.abc import Iterable
from typing import Any

import jinja2
import pyarrow as pa

from instruct_imagen_data import __version__, schema, storage
from instruct_imagen_data.card import croissant
from instruct_imagen_data.card.croissant import IMAGE
from instruct_imagen_data.card.facts import Corpus, gather

README = "README.md"
CROISSANT = "croissant.json"
_MARK = b"\n- multi-modal-instruction\n"  # a tag in the header of each card
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip


def write(folder: str) -> Corpus:
    """Puts the card and the metadata into the folder of a corpus; what they say.

    Raises:
      UsageError: the folder is no finished corpus of instructions.
    """
    corpus = gather(folder)
    storage.write_bytes(storage.join(folder, README), card(corpus).encode())
    text = json.dumps(croissant.metadata(corpus), indent=1, ensure_ascii=False) + "\n"
    storage.write_bytes(storage.join(folder, CROISSANT), text.encode())
    return corpus


def is_foreign(folder: str) -> bool:
    """Whether a folder has a README that no `write` has put there."""
    place = storage.join(folder, README)
    return storage.find(place) is not None and _MARK not in storage.read_bytes(place)


def card(corpus: Corpus) -> str:
    """The dataset card: Markdown with the YAML header that the Hugging Face hub reads."""
    total = sum(one.total for one in corpus.datasets)
    size = next((name for limit, name in _SIZES if total < limit), "100M<n<1B")
    return _environment().get_template("card.md.j2").render(
        corpus=corpus,
        total=total,
        size=size,
        version=__version__,
        fields=[(field.name, _short(field.type)) for field in schema.schema_of(schema.Example)],
        features=features(schema.schema_of(schema.Example)),
    )  # fmt: skip


def _short(kind: pa.DataType) -> str:
    """A type as a reader wants it: image structs are images."""
    if kind == IMAGE:
        return "image"
    if pa.types.is_list(kind):
        return f"list of {_short(kind.value_type)}"
    if pa.types.is_struct(kind):
        return f"({', '.join(f'{one.name}: {_short(one.type)}' for one in kind)})"
    return str(kind)


def features(fields: Iterable[pa.Field]) -> list[dict[str, Any]]:
    """Columns in the words of Hugging Face's header: name, and dtype or what a list holds."""
    return [{"name": one.name} | _feature(one.type) for one in fields]


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if kind == IMAGE:
        return {"dtype": "image"}
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": next(iter(inner.values()))}
    if pa.types.is_struct(kind):
        return {"struct": features(kind)}
    return {"dtype": "float32" if pa.types.is_float32(kind) else str(kind)}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("instruct_imagen_data.card", ""),
        autoescape=False,  # Markdown; what comes from outside is told by `plain`
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "share": lambda value: f"{value:.1%}",
        "plain": _plain,
        "last_name": lambda place: place.rpartition("/")[2],  # no path of the maker's machine
        "megabytes": lambda value: f"{value / 1e6:,.1f} MB",
    }
    return environment


def _plain(text: str) -> str:
    """Text of the web inside a Markdown table: one line, no markup."""
    return "".join(f"\\{one}" if one in "|<>[]`*_\\" else one for one in " ".join(text.split()))
