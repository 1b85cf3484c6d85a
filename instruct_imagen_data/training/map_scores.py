"""What the embedded map networks see in a planted corpus they were not trained on."""

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from instruct_imagen_data import agreement, images
from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.maps import Map, MapNetwork
from instruct_imagen_data.annotators.precision import BATCH
from instruct_imagen_data.training.evaluate import members
from instruct_imagen_data.training.views import contours

TOLERANCE = 2.0  # pixels between a line and the true one


@dataclasses.dataclass(frozen=True, slots=True)
class Planted:
    """A good picture of a corpus, as stored, and its true depth, edge and mask: uint8 [h, w]."""

    rgb: np.ndarray
    truth: Mapping[str, np.ndarray]


def planted_maps(corpus: Path) -> Iterator[Planted]:
    """The good pictures of a planted corpus whose maps are known."""
    truth = pq.read_table(corpus / "truth.parquet", columns=["origin", "quality"]).to_pylist()
    good = {row["origin"] for row in truth if row["quality"] == "good"}
    tables = [pq.read_table(path) for path in sorted(corpus.glob("maps-*.parquet"))]
    known = {row.pop("origin"): row for table in tables for row in table.to_pylist()}
    for origin, data in members(corpus):
        if origin in good and origin in known:
            grey = {name: _grey(png) for name, png in known[origin].items()}
            yield Planted(images.read(data).rgb, grey)


def _grey(png: bytes) -> np.ndarray:
    return images.read(png).rgb[..., 0]


def scores(corpus: Path, networks: Mapping[str, MapNetwork]) -> dict[str, float]:
    """Means from 0 to 1 over the good pictures of a planted corpus, by the network of each role.

    edge_f1 and contour_f1 within TOLERANCE; mask_iou of pictures with an object, where a refused
    mask counts 0; depth_rank, the rank correlation, of pictures whose depth varies.
    """
    found: dict[str, list[float]] = defaultdict(list)
    pictures = planted_maps(corpus)
    while batch := list(itertools.islice(pictures, BATCH)):
        for role, network in networks.items():
            seen = network([network.prepare(one.rgb) for one in batch])
            for one, each in zip(batch, seen, strict=True):
                for name, value in score(role, each, one.truth).items():
                    found[name].append(value)
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


def score(role: str, found: Map, truth: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The agreement of a map with the truth of its picture, by name; none where there is none."""
    height, width = truth["mask"].shape
    pixels = maps.to_size(found.pixels, width, height)
    if role == "depth":
        varies = np.ptp(truth["depth"]) > 0
        return {"depth_rank": agreement.rank_correlation(pixels, truth["depth"])} if varies else {}
    if role == "mask":
        if truth["mask"].max() < 128:
            return {}
        sure = found.confidence >= maps.MIN_CONFIDENCE
        return {"mask_iou": agreement.mask_iou(pixels, truth["mask"]) if sure else 0.0}
    lines = truth["edge"] if role == "edge" else contours(truth["depth"], truth["mask"])
    return {f"{role}_f1": agreement.edge_f1(pixels, lines, TOLERANCE)}
