"""What the embedded networks know of a planted corpus they were not trained on."""

import dataclasses
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from instruct_imagen_data import images
from instruct_imagen_data.annotators.domains import route, sentence_vectors
from instruct_imagen_data.annotators.model_set import Networks
from instruct_imagen_data.annotators.roles import ModelSet

_PICTURES = (".jpg", ".png", ".webp")
_CUT = 0.3  # share of the pictures that the lowest quality costs
_NEAREST = 4  # with the picture itself, a neighbourhood of five


@dataclasses.dataclass(frozen=True)
class Measured:
    """What the networks say of each picture that decodes, with its row of the truth."""

    truth: dict[str, np.ndarray]  # the columns of truth.parquet, one row a picture
    quality: np.ndarray  # float32 [n]
    vectors: np.ndarray  # float32 [n, d]
    hashes: np.ndarray  # uint8 [n, 32]
    domain: np.ndarray  # str [n]: the best of domains and reject classes
    accepted: np.ndarray  # bool [n]


def measure(corpus: Path, models: ModelSet, networks: Networks) -> Measured:
    """Runs both networks over the pictures of a planted corpus."""
    truth = pq.read_table(corpus / "truth.parquet").to_pydict()
    row_of = {origin: row for row, origin in enumerate(truth["origin"])}
    rows, scored, seen, hashes = [], [], [], []
    for origin, data in members(corpus):
        try:
            picture = images.read(data)
        except images.DecodeError:
            continue
        rows.append(row_of[origin])
        scored.append(networks.quality.prepare(picture.rgb))
        seen.append(networks.image_text.prepare(picture.rgb))
        hashes.append(np.frombuffer(images.perceptual_hash(picture.rgb), np.uint8))
    vectors = networks.image_text.images(seen)
    classes = (*models.domains, *models.rejects)
    role = models.image_text
    routing = route(vectors, sentence_vectors(classes, networks.image_text.texts), role.logit_scale)
    return Measured(
        truth={name: np.array(column, object)[rows] for name, column in truth.items()},
        quality=models.quality.quality(networks.quality(scored).value),
        vectors=vectors,
        hashes=np.stack(hashes),
        domain=np.array([each.name for each in classes])[routing.index],
        accepted=(routing.probability >= role.min_probability)
        & (routing.margin >= role.min_margin),
    )


def scores(measured: Measured, models: ModelSet) -> dict[str, float]:
    """Shares from 0 to 1 of what each role gets right.

    domain_accuracy and acceptance are of good pictures of a domain; reject_recall is of reject
    classes; bad_recall is of bad pictures in the lowest 30 % by quality; topic_purity is of the
    four nearest other pictures of each picture, duplicates aside; duplicate_recall and
    duplicate_precision are of pairs.
    """
    truth = measured.truth
    rejects = [each.name for each in models.rejects]
    is_reject = np.isin(truth["domain"], rejects)
    good = (truth["quality"] == "good") & ~is_reject
    bad = truth["quality"] == "bad"
    cut = np.sort(measured.quality)[int(_CUT * len(measured.quality))]
    right = measured.domain == truth["domain"]
    recall, precision = _duplicates(measured, models)
    shares = {
        "domain_accuracy": right[good].mean(),
        "acceptance": (measured.accepted & ~np.isin(measured.domain, rejects))[good].mean(),
        "reject_recall": np.isin(measured.domain, rejects)[is_reject].mean(),
        "bad_share": bad.mean(),
        "bad_recall": (measured.quality < cut)[bad].mean(),
        "topic_purity": _purity(measured, good),
        "duplicate_recall": recall,
        "duplicate_precision": precision,
    }
    return {name: round(float(share), 4) for name, share in shares.items()}


def members(corpus: Path) -> Iterator[tuple[str, bytes]]:
    """(origin, bytes) of every picture of the corpus, whatever the bytes are."""
    for path in sorted(corpus.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                stem, dot, extension = member.name.rpartition(".")
                file = tar.extractfile(member)
                if dot + extension in _PICTURES and file is not None:
                    yield f"{path.name}#{stem}", file.read()


def _originals(measured: Measured) -> np.ndarray:
    """For each picture, the origin it was copied from, or its own."""
    copied, own = measured.truth["duplicate_of"], measured.truth["origin"]
    return np.where(copied == None, own, copied)  # noqa: E711  (an array of objects)


def _purity(measured: Measured, good: np.ndarray) -> float:
    """Share of the four nearest good originals that show the same noun."""
    rows = np.flatnonzero(good & (_originals(measured) == measured.truth["origin"]))
    topic = measured.truth["topic"][rows]
    cosine = measured.vectors[rows] @ measured.vectors[rows].T
    np.fill_diagonal(cosine, -1)
    nearest = np.argsort(-cosine, axis=1, kind="stable")[:, :_NEAREST]
    return float((topic[nearest] == topic[:, None]).mean())


def _duplicates(measured: Measured, models: ModelSet) -> tuple[float, float]:
    """Recall and precision of unordered pairs by cosine and hash together."""
    rule = models.duplicates
    first, second = np.triu_indices(len(measured.vectors), 1)
    cosine = (measured.vectors @ measured.vectors.T)[first, second]
    bits = hash_distances(measured.hashes)[first, second]
    found = (cosine >= rule.cosine) & (bits <= rule.phash_bits)
    original = _originals(measured)
    true = original[first] == original[second]
    both = (found & true).sum()
    return both / max(true.sum(), 1), both / max(found.sum(), 1)


def hash_distances(hashes: np.ndarray) -> np.ndarray:
    """Differing bits of every two hashes uint8 [n, bytes]: int [n, n]."""
    bits = np.unpackbits(hashes, axis=1).astype(np.float32)
    ones = bits.sum(axis=1)
    distances: np.ndarray = (ones[:, None] + ones[None] - 2 * bits @ bits.T).astype(np.int64)
    return distances
