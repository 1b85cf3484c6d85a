"""The records, each declared once; `schema_of` is the Parquet schema of a record.

Fields are added, never redefined. Hints may carry a pyarrow type by `Annotated`; a field is
non-null unless its hint admits None.
"""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data.errors import SchemaMismatch

Float32 = Annotated[float, pa.float32()]
Float32List = Annotated[tuple[float, ...], pa.list_(pa.field("item", pa.float32(), nullable=False))]
Hash256 = Annotated[bytes, pa.binary(32)]
Vector = Annotated[tuple[float, ...], pa.list_(pa.float16())]  # fixed-size on disk: see schema_of

_SCALARS: dict[Any, pa.DataType] = {
    str: pa.string(),
    bytes: pa.binary(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded picture, in the struct that Hugging Face `datasets` shows as an image."""

    bytes: bytes  # JPEG, PNG or WebP, never pixels
    path: str  # a file name for tools that want one


@dataclasses.dataclass(frozen=True, slots=True)
class RawPair:
    """A web pair as it was read: nothing is known of it yet."""

    origin: str  # file name + "#" + member or row: unique in a corpus
    url: str
    caption: str
    image: bytes  # as read: may be anything
    licence: str
    metadata: str  # JSON object of the source's other columns, as given


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """A captioned picture that decodes, is upright, sRGB, and within the size limits."""

    key: str  # keys.pair_key: the same whatever the sharding
    origin: str
    url: str
    caption: str
    image: Encoded
    width: int  # pixels, of the stored picture
    height: int
    original_width: int  # pixels, as read and upright
    original_height: int
    reencoded: bool  # False: the bytes are those that were read
    sha256: str  # hex, of the bytes as read
    phash: Hash256  # 256-bit DCT hash of the pixels
    licence: str
    metadata: str  # JSON object


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """What later jobs decide on, without pixels: measurements and the ids that duplicates share."""

    key: str
    origin: str
    quality: Float32  # of the model set's quality network; higher is better
    quality_deviation: Float32  # of the distribution, same unit as quality
    distribution: Float32List  # 10 bins that sum to 1, or empty where the network has none
    domain: str  # the most probable domain or reject class
    domain_probability: Float32
    domain_margin: Float32  # cosine of the first minus that of the second
    domain_accepted: bool  # above the set's limits, and no reject class
    similarity: Float32  # cosine of image and caption
    bytes_id: int  # keys.id64 of the sha256; ids are 0 where there is nothing to compare
    url_id: int  # of the normalised URL
    caption_id: int  # of the normalised caption
    file_id: int  # of registered domain + file name
    phash: Hash256


@dataclasses.dataclass(frozen=True, slots=True)
class Embedding:
    """The two CLIP vectors of a pair, of unit length."""

    key: str
    image_vector: Vector
    text_vector: Vector


@dataclasses.dataclass(frozen=True, slots=True)
class RejectRow:
    """A row that went no further, and why. The payload is never kept."""

    key: str
    origin: str
    url: str
    stage: str
    reason: str  # few, fixed, snake_case: the counters and the rows of the report
    detail: str
    sha256: str  # hex, of the bytes as read; '' where not at hand
    survivor: str  # key of the row that stayed instead, for duplicates
    value: float | None  # what was measured ...
    threshold: float | None  # ... and the limit it missed


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What `neighbours` judged of one row of a corpus; later jobs derive from kept rows only."""

    key: str
    origin: str
    kept: bool
    reason: str  # '' if kept, else low_quality, domain, low_similarity or duplicate
    low_quantile: bool  # below the source's quality quantile
    low_floor: bool  # below the model set's absolute floor
    survivor: str  # key of the row that stayed instead, for duplicates
    component: str  # smallest key of its connected component in the duplicate graph
    split: str  # "train" or "validation", the same for a whole component
    detail: str  # the evidence of a duplicate (bytes, url, vector, caption, file), or the domain
    value: float | None  # what was measured ...
    threshold: float | None  # ... and the limit it missed


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What a corpus row is judged by, beside its vector; only inside `neighbours`."""

    key: Hash256  # packed: half the size of hex
    origin: str
    source: str
    quality: Float32
    domain: str
    domain_probability: Float32
    domain_accepted: bool
    similarity: Float32
    bytes_id: int
    url_id: int
    caption_id: int
    file_id: int
    phash: Hash256


@dataclasses.dataclass(frozen=True, slots=True)
class Duplicate:
    """Two rows that a rule holds to be one picture. Rows that share an id form a star."""

    key: str  # of the better row, by quality
    other: str
    evidence: str  # bytes, url, vector, caption or file
    cosine: float | None  # of the rules that compare vectors
    hamming: int | None  # bits in which the perceptual hashes differ


@dataclasses.dataclass(frozen=True, slots=True)
class Candidates:
    """The nearest pictures of a seed, before the band and the limit of use are applied."""

    key: str  # of the seed
    cluster: str
    neighbours: tuple[str, ...]  # at most ten keys, nearest first
    similarities: Float32List  # their cosines


@dataclasses.dataclass(frozen=True, slots=True)
class Fate:
    """What mining made of a survivor: a line for each use of it, or one if it is not used."""

    row: int  # number in the corpus
    reason: str  # '' if used, else no_neighbours, band or leftover
    value: float | None
    threshold: float | None
    id: Hash256  # key of the neighbourhood's seed; the row's own if it is not used
    slot: Annotated[int, pa.int8()]  # place among the five, from 0
    cluster: str
    domain: str
    similarities: Float32List  # of the neighbourhood's pairs, at slot 0; else empty


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One picture of a neighbourhood."""

    key: str
    caption: str
    image: Encoded


@dataclasses.dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Five pictures of one thing, none a near-duplicate of another (paper, section 3.2)."""

    id: str  # key of the seed, which is the first member
    domain: str
    cluster: str
    split: str
    members: tuple[Member, ...]  # five
    similarities: Float32List  # cosines of the pairs (0,1) (0,2) .. (3,4): ten


def _type_of(hint: Any) -> tuple[pa.DataType, bool]:
    """(pyarrow type, nullable) of a type hint."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return typing.get_args(hint)[1], False
    if origin in (typing.Union, types.UnionType):
        (inner,) = (a for a in typing.get_args(hint) if a is not type(None))
        return _type_of(inner)[0], True
    if origin is tuple:
        inner = typing.get_args(hint)[0]
        return pa.list_(pa.field("item", _type_of(inner)[0], nullable=False)), False
    if dataclasses.is_dataclass(hint):
        return pa.struct(_fields(typing.cast(type, hint))), False
    return _SCALARS[hint], False


def _fields(record: type) -> list[pa.Field]:
    hints = typing.get_type_hints(record, include_extras=True)
    fields = []
    for field in dataclasses.fields(record):
        kind, nullable = _type_of(hints[field.name])
        fields.append(pa.field(field.name, kind, nullable=nullable))
    return fields


def _features(schema: pa.Schema) -> dict[str, Any]:
    """Hugging Face feature metadata: image structs are shown as pictures."""
    image = pa.struct(_fields(Encoded))

    def feature(kind: pa.DataType) -> Any:
        if kind == image:
            return {"_type": "Image"}
        if pa.types.is_struct(kind):
            return {field.name: feature(field.type) for field in kind}
        if pa.types.is_fixed_size_list(kind):
            inner = feature(kind.value_type)
            return {"feature": inner, "length": kind.list_size, "_type": "Sequence"}
        if pa.types.is_list(kind):
            return {"feature": feature(kind.value_type), "_type": "List"}
        names = {"double": "float64", "float": "float32", "halffloat": "float16"}
        text = "binary" if pa.types.is_fixed_size_binary(kind) else str(kind)
        return {"dtype": names.get(text, text), "_type": "Value"}

    return {field.name: feature(field.type) for field in schema}


def schema_of(record: type, dimension: int | None = None) -> pa.Schema:
    """The pyarrow schema of a record, with its name and the Hugging Face features as metadata.

    Args:
      record: one of this module's dataclasses.
      dimension: length of its `Vector` fields, which become fixed-size lists; a nullable one is
        forbidden (Parquet writes it and cannot read it back).
    """
    schema = pa.schema(_fields(record))
    for i, field in enumerate(schema):
        if field.type == pa.list_(pa.float16()):
            if dimension is None:
                raise ValueError(f"{record.__name__}.{field.name} needs a dimension")
            inner = pa.field("item", pa.float16(), nullable=False)
            vector = pa.field(field.name, pa.list_(inner, dimension), nullable=False)
            schema = schema.set(i, vector)
    metadata = {
        "record": record.__name__,
        "huggingface": json.dumps({"info": {"features": _features(schema)}}),
    }
    return schema.with_metadata(metadata)


def versions(*records: type) -> dict[str, str]:
    """Record name -> hash of its fields: two runs that differ in it cannot share an output."""

    def version(record: type) -> str:
        text = schema_of(record).remove_metadata().to_string(show_field_metadata=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    return {record.__name__: version(record) for record in records}


def dimension_of(schema: pa.Schema) -> int:
    """Length of the vectors of an Embedding schema read from a part."""
    return int(schema.field("image_vector").type.list_size)


def check(found: pa.Schema, wanted: pa.Schema, where: str) -> None:
    """Raises SchemaMismatch naming the first field of `found` that is not as `wanted`."""
    for field in wanted:
        index = found.get_field_index(field.name)
        if index < 0:
            have = ", ".join(found.names)
            raise SchemaMismatch(f"{where}: no field {field.name!r}; it holds {have}")
        if not found.field(index).equals(field):
            other = found.field(index)
            raise SchemaMismatch(
                f"{where}: field {field.name!r} is {other.type}"
                f"{'' if other.nullable else ' not null'}, wanted {field.type}"
            )


def table_of(record: type, rows: Sequence[Any], dimension: int | None = None) -> pa.Table:
    """An Arrow table of record instances, column by column."""
    schema = schema_of(record, dimension)

    def plain(value: Any) -> Any:
        return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]

    columns = {name: [plain(getattr(row, name)) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def vector_column(vectors: npt.NDArray[np.generic]) -> pa.FixedSizeListArray:
    """[n, d] vectors as a float16 fixed-size list column, without making Python objects."""
    inner = pa.field("item", pa.float16(), nullable=False)
    kind = pa.list_(inner, vectors.shape[1])
    flat = pa.array(np.ascontiguousarray(vectors, np.float16).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def vectors_of(column: pa.ChunkedArray) -> npt.NDArray[np.generic]:
    """A vector column as a [n, d] float16 array (a view where it is one chunk)."""
    width = column.type.list_size
    flat = [chunk.flatten().to_numpy(zero_copy_only=True) for chunk in column.chunks]
    joined = flat[0] if len(flat) == 1 else np.concatenate([*flat, np.empty(0, np.float16)])
    return joined.reshape(-1, width)
