"""Rows whose pictures are near-duplicates of an evaluation set's: they must not be trained on.

Rows of the validation split stay: nothing is learnt from them. Two pictures are one by the rule
that finds copies in a corpus: their perceptual hashes differ in few bits, and their CLIP vectors,
which are only made where the hashes agree, are near.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instruct_imagen_data import images, schema, shards, vectors
from instruct_imagen_data.annotators.roles import Duplicates
from instruct_imagen_data.stages.blocks import Reject

REASON = "evaluation"
_DATASET = "pictures"  # of the fingerprints


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Fingerprints of all pictures of the evaluation sets.

    Attributes:
      origins: Where each is from.
      hashes: uint64 [n, 4].
      halves: float16 [n, d], of unit length.
    """

    origins: Sequence[str]
    hashes: npt.NDArray[np.uint64]
    halves: npt.NDArray[np.float16]


def load(folder: str) -> Evaluation:
    """What the phase `evaluation` wrote; some thousand pictures, held whole."""
    tables = [
        shards.read_part(folder, _DATASET, part, None)
        for part in shards.list_parts(folder, _DATASET)
    ]
    held = pa.concat_tables([one for one in tables if one.num_rows] or tables[:1])
    return Evaluation(
        held["origin"].to_pylist(),
        _words(held["phash"].to_pylist()),
        schema.vectors_of(held["image_vector"]).astype(np.float16),
    )


@dataclasses.dataclass  # not slotted: Beam holds it by a weak reference
class Judge:
    """What decides whether rows repeat an evaluation picture.

    Attributes:
      evaluation: The fingerprints.
      clip: The image_text network.
      rule: The model set's, for duplicates.
    """

    evaluation: Evaluation
    clip: Any
    rule: Duplicates

    def __call__(self, table: pa.Table) -> Mapping[int, Reject]:
        """Row number -> why it must not be trained on, of schema.Derived."""
        return refused(table, self.evaluation, self.clip, self.rule)


def load_judge(networks: Callable[[], Any], folder: str, rule: Duplicates) -> Judge:
    """A judge, once a worker.

    Args:
      networks: Loads the networks: with image_text among `by_role`.
      folder: Where the fingerprints are.
    """
    return Judge(load(folder), networks().by_role["image_text"], rule)


def _words(hashes: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    return np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 4)


@dataclasses.dataclass(frozen=True, slots=True)
class Suspect:
    """A picture of a row whose hash is near an evaluation picture's."""

    row: int
    what: str  # target, or reference 1 ...
    prepared: np.ndarray
    near: npt.NDArray[np.intp]  # numbers of the evaluation pictures
    bits: npt.NDArray[np.int64]  # in which the hashes differ


def suspects(table: pa.Table, evaluation: Evaluation, clip: Any, rule: Duplicates) -> list[Suspect]:
    """The pictures of Derived rows for training that a hash takes for evaluation pictures."""
    found = []
    columns = table.select(["split", "image", "references"])
    for number, row in enumerate(_rows(columns)):
        if row["split"] != "train":
            continue
        shown = [("target", row["image"])]
        shown += [
            (f"reference {place}", one["image"]) for place, one in enumerate(row["references"], 1)
        ]
        for what, image in shown:
            rgb = images.read(image["bytes"], images.STORED).rgb
            own = _words([images.perceptual_hash(rgb)])
            bits = np.bitwise_count(evaluation.hashes ^ own).sum(axis=1, dtype=np.int64)
            near = np.flatnonzero(bits <= rule.phash_bits)
            if near.size:
                found.append(Suspect(number, what, clip.prepare(rgb), near, bits[near]))
    return found


def _rows(table: pa.Table) -> Any:
    for batch in table.to_batches(max_chunksize=1):  # the pictures of one row at a time
        yield from batch.to_pylist()


def refused(
    table: pa.Table, evaluation: Evaluation, clip: Any, rule: Duplicates
) -> dict[int, Reject]:
    """Row number -> why it must not be trained on.

    Args:
      table: schema.Derived.
      clip: The image_text network.
      rule: The model set's, for duplicates.
    """
    found: dict[int, Reject] = {}
    suspected = suspects(table, evaluation, clip, rule)
    own = _cosine_vectors(clip, suspected)
    for suspect, vector in zip(suspected, own, strict=True):
        dots = vectors.exact(vectors.quantise(evaluation.halves[suspect.near])) @ vector
        best = int(np.argmax(dots))
        if dots[best] < vectors.level(rule.cosine) or suspect.row in found:
            continue
        origin = evaluation.origins[suspect.near[best]]
        detail = f"{suspect.what} is {origin}, {suspect.bits[best]} of 256 bits differ"
        cosine = float(vectors.cosines(dots[best : best + 1])[0])
        found[suspect.row] = Reject(REASON, detail, cosine, rule.cosine)
    return found


def _cosine_vectors(clip: Any, suspected: Sequence[Suspect]) -> Any:
    if not suspected:
        return []
    made = clip.images([one.prepared for one in suspected]).astype(np.float16)
    return vectors.exact(vectors.quantise(made))
