"""The records, each declared once. Fields are added, never redefined.

Hints may carry a pyarrow type by `Annotated`; a field is non-null unless its hint admits None.
"""

import dataclasses
from typing import Annotated

import pyarrow as pa

Float32 = Annotated[float, pa.float32()]
Float32List = Annotated[tuple[float, ...], pa.list_(pa.field("item", pa.float32(), nullable=False))]
Hash256 = Annotated[bytes, pa.binary(32)]
Vector = Annotated[tuple[float, ...], pa.list_(pa.float16())]  # fixed-size on disk: see schema_of


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


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """Another picture that may stand for a reference: edges of the photo, its depth or its mask."""

    name: str
    image: Encoded


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A picture that an instruction cites by its marker (paper, section 2)."""

    marker: int  # k of [ref#k], from 1; several pictures may share one
    role: str  # one of tasks.ROLES: depth, mask, edge, sketch, subject, face, style, content
    text: str  # what stands beside the marker: a control's name, a subject's noun, a style's name
    image: Encoded
    aligned: bool  # has the target's geometry: crop and flip go with it
    variants: tuple[Variant, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    """A text that a template of the row's task needs, beside the caption."""

    name: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """How well a target fulfils one of its conditions, measured by running networks on it."""

    name: str  # such as edge_f1, style_similarity
    value: Float32  # from 0 to 1, higher is better


@dataclasses.dataclass(frozen=True, slots=True)
class Derived:
    """A training example of one of the eleven datasets (Table 1), before it has an instruction."""

    key: str  # keys.derived_key(dataset, sources): the same whatever the sharding
    task: str  # a name in tasks.TASKS
    dataset: str  # a name in tasks.DATASETS
    caption: str  # of the target; '' where the task has none
    image: Encoded  # the target
    width: int  # pixels, of the target
    height: int
    references: tuple[Reference, ...]  # by marker
    slots: tuple[Slot, ...]
    checks: tuple[Check, ...]  # the worst decides whether the row stays
    licence: str  # of all its parents and of the networks that made it: keys.join_licences
    sources: tuple[str, ...]  # key of every parent, the target's first
    split: str  # "train" or "validation": its parents', all of one


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """A Derived row with an instruction: the one schema of all instruction datasets."""

    key: str  # of the Derived row
    task: str  # a name in tasks.TASKS
    dataset: str  # a name in tasks.DATASETS
    instruction: str  # stored text with [ref#k] markers: instructions.parse
    template_id: str  # of the template it was rendered from
    caption: str  # of the target; '' where the task has none
    image: Encoded  # the target
    width: int  # pixels, of the target
    height: int
    references: tuple[Reference, ...]  # by marker
    slots: tuple[Slot, ...]  # with caption and references all that another template needs
    checks: tuple[Check, ...]
    licence: str
    sources: tuple[str, ...]  # key of every parent, the target's first
    split: str  # "train" or "validation": of the parents, and of the template


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a picture of an evaluation set is known again by; only inside `instruct`."""

    origin: str  # file name, + "#" + row or member where the file holds several
    phash: Hash256
    image_vector: Vector  # of unit length
