"""Croissant 1.0 metadata (JSON-LD of MLCommons): files, and the fields of each dataset."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from instruct_imagen_data import __version__, schema
from instruct_imagen_data.card.facts import Corpus, Facts

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_SCALARS = {
    pa.string(): "sc:Text",
    pa.int64(): "sc:Integer",
    pa.float32(): "sc:Float",
    pa.bool_(): "sc:Boolean",
}
IMAGE = schema.schema_of(schema.Example).field("image").type
_TOLD = {
    "key": "Name of the row, by content.",
    "instruction": "Text with markers [ref#k] for the references; a literal [ref# is [[ref#.",
    "caption": "Of the target; empty where the task has none.",
    "image": "The picture that the instruction asks for.",
    "split": "train or validation.",
    "licence": "Of all parents of the row and the networks that made it.",
}


def metadata(corpus: Corpus) -> dict[str, Any]:
    """The JSON-LD of a corpus, to stand beside its folders."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": corpus.name,
        "description": "Multi-modal instructions in the format of Instruct-Imagen "
        "(arXiv 2401.01952): text that cites reference pictures, the pictures, and the target.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "citeAs": "Hu et al., Instruct-Imagen: Image Generation with Multi-modal Instruction, 2024",
        "license": "Each row states its own, in the field licence.",
        "creator": {"@type": "sc:Organization", "name": f"instruct-imagen {__version__}"},
        "url": "https://arxiv.org/abs/2401.01952",
        "version": "1.0.0",
        "distribution": [file for one in corpus.datasets for file in _files(one)],
        "recordSet": [_records(one) for one in corpus.datasets],
    }


def _files(one: Facts) -> Iterator[dict[str, Any]]:
    """The parts of a dataset, each with its hash."""
    for path, sha256 in one.parts:
        yield {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": path,
            "encodingFormat": "application/x-parquet",
            "sha256": sha256,
        }
    yield {
        "@type": "cr:FileSet",
        "@id": f"{one.dataset.name}-parts",
        "name": f"{one.dataset.name}-parts",
        "encodingFormat": "application/x-parquet",
        "includes": f"{one.dataset.name}/part-*.parquet",
    }


def _records(one: Facts) -> dict[str, Any]:
    name = one.dataset.name
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{one.total:,} examples of the task {one.dataset.task}.",
        "key": {"@id": f"{name}/key"},
        "field": [_field(name, field) for field in schema.schema_of(schema.Example)],
    }


def _field(records: str, field: pa.Field) -> dict[str, Any]:
    """A column: a value, a list of values, a picture, or a list of structs with its sub-fields."""
    kind, repeated = field.type, pa.types.is_list(field.type)
    inner = kind.value_type if repeated else kind
    name = f"{records}/{field.name}"
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": name,
        "name": name,
        "description": _TOLD.get(field.name, f"Parquet type: {kind}"),
        "repeated": repeated,
    }
    if _is_plain(inner) or not repeated:
        return found | _source(records, field.name, inner)
    under = [one for one in inner if _is_plain(one.type)]  # variants are deeper than 1.0 goes
    return found | {
        "subField": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{one.name}",
                "name": f"{name}/{one.name}",
                "description": f"Of each, its {one.name}.",
                "repeated": True,
            }
            | _source(records, field.name, one.type, one.name)
            for one in under
        ]
    }


def _is_plain(kind: pa.DataType) -> bool:
    return kind in _SCALARS or kind == IMAGE


def _source(records: str, column: str, kind: pa.DataType, *path: str) -> dict[str, Any]:
    """Type and place of a value: a column of the parts and, in a struct, a path in it."""
    steps = [*path, *(["bytes"] if kind == IMAGE else [])]
    source: dict[str, Any] = {
        "fileSet": {"@id": f"{records}-parts"},
        "extract": {"column": column},
    }
    if steps:
        source["transform"] = {"jsonPath": ".".join(steps)}
    kinds = "sc:ImageObject" if kind == IMAGE else _SCALARS[kind]
    return {"dataType": kinds, "source": source}
