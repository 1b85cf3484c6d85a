"""Cells: rows of one topic share one, sizes and samples are bounded, and results are exact."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from instruct_imagen_data import vectors
from instruct_imagen_data.stages.cells import coarse, fine, kmeans, pack

CELL_ROWS = 500


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def make_rows(topics: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(keys, integer vectors [n, 128], topic of each): topics lie anywhere around one direction."""
    rng = np.random.default_rng(seed)
    topic = rng.permutation(np.repeat(np.arange(topics), each))
    centres = unit(unit(rng.normal(size=128)) + unit(rng.normal(size=(topics, 128))))
    found = unit(centres[topic] + 0.5 * unit(rng.normal(size=(len(topic), 128))))
    keys = rng.integers(0, 256, (len(topic), 32), np.uint8)
    return keys, vectors.quantise(found.astype(np.float16)), topic


def regions_of(keys: np.ndarray, points: np.ndarray, cell_rows: int = CELL_ROWS) -> coarse.Regions:
    inside = coarse.in_sample(keys, coarse.sample_rate(len(keys), cell_rows))
    return coarse.find_regions(keys[inside], points[inside], len(keys), cell_rows)


def together(cells: np.ndarray, topic: np.ndarray) -> float:
    """Share of the pairs of one topic that are in one cell, brute force."""
    same = topic[:, None] == topic
    return float(((cells[:, None] == cells) & same).sum() / same.sum())


def test_rows_of_one_topic_share_a_cell() -> None:
    """Far more often than if a row went to the nearest mean of a cell."""
    keys, points, topic = make_rows(240, 25)
    cells = regions_of(keys, points).assign(keys, points)[:, 0]
    floats = vectors.exact(points)
    means = kmeans.nearest(floats, kmeans.cluster(floats, CELL_ROWS, 1.5 * CELL_ROWS))
    ours, theirs = together(cells, topic), together(means, topic)
    assert 1 - ours < (1 - theirs) / 3, (ours, theirs)
    assert ours > 0.95


def test_cells_are_of_about_equal_size_and_guests_are_next_door() -> None:
    keys, points, _ = make_rows(240, 25)
    regions = regions_of(keys, points)
    cells, guests = regions.assign(keys, points).T
    sizes = np.bincount(cells, minlength=len(regions.names("art")))
    assert len(sizes) == len(keys) / CELL_ROWS
    assert sizes.min() > CELL_ROWS / 4
    assert sizes.max() < 2 * CELL_ROWS
    assert (guests != cells).all()
    assert 0.15 < (guests >= 0).mean() < 0.35


def test_guests_are_the_rows_of_which_another_cell_is_nearly_as_near() -> None:
    keys, points, _ = make_rows(240, 25, seed=1)
    regions = regions_of(keys, points)
    cells, guests = regions.assign(keys, points).T
    dots = points.astype(np.int64) @ regions.centroids.astype(np.int64).T
    assert np.array_equal(cells, regions.owners[dots.argmax(axis=1)])
    others = np.where(regions.owners == cells[:, None], -(1 << 30), dots)
    gaps = dots.max(axis=1) - others.max(axis=1)
    near = guests >= 0
    assert np.array_equal(guests[near], regions.owners[others.argmax(axis=1)][near])
    assert gaps[near].max() <= regions.margin


def test_equal_rows_are_cut_by_key() -> None:
    keys, points, _ = make_rows(1, 2000)
    points[:] = points[0]
    regions = regions_of(keys, points)
    sizes = np.bincount(regions.assign(keys, points)[:, 0])
    assert len(sizes) == len(regions.names("art")) == 4
    assert sizes.max() < 1.3 * CELL_ROWS


def test_a_spot_too_large_for_a_cell_gets_cells_of_its_own() -> None:
    keys, points, topic = make_rows(100, 40)
    many = topic < 40
    points[many] = points[0]
    cells = regions_of(keys, points).assign(keys, points)[:, 0]
    assert np.bincount(cells).max() < 2 * CELL_ROWS
    assert len(set(cells[many])) >= 1600 / CELL_ROWS
    assert together(cells[~many], topic[~many]) > 0.9


@pytest.mark.parametrize("rows", [8193, 10**5, 10**7, 10**9])
def test_the_sample_is_bounded(rows: int) -> None:
    rate = coarse.sample_rate(rows)
    assert 0 < rate <= 1
    assert rate * rows <= 64 << 10
    assert coarse.sample_rate(8192) == 0


def test_spots_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a row is compared with does not grow with the sample."""
    monkeypatch.setattr(coarse, "SPOTS", 40)
    _, points, _ = make_rows(240, 25)
    floats = vectors.exact(points)
    for few in (1000, 3000):
        assert len(coarse.find_spots(floats[:few], floats[few : 2 * few], 10)) < 2 * 40


def test_search_is_brute_force_with_ties_by_place() -> None:
    """However many rows are searched together: FAISS has another way for few."""
    _, points, _ = make_rows(20, 25)
    centroids = np.concatenate([points[:30], points[:30]])  # everything ties
    dots = points.astype(np.int64) @ centroids.astype(np.int64).T
    expected = np.argsort(-dots, axis=1, kind="stable")[:, :5]
    floats, others = vectors.exact(points), vectors.exact(centroids)
    for step in (1, 7, 100, len(points)):
        parts = [
            kmeans.search(floats[i : i + step], others, 5) for i in range(0, len(points), step)
        ]
        assert np.array_equal(np.concatenate([found for _, found in parts]), expected)
        values = np.concatenate([values for values, _ in parts])
        assert np.array_equal(values, np.take_along_axis(dots, expected, axis=1))


def test_pack_brings_linked_centroids_together() -> None:
    """Four cells of two pairs: a pair lies far apart, and only its links say that it is one."""
    rng = np.random.default_rng(0)
    centroids = vectors.quantise(unit(rng.normal(size=(16, 64))).astype(np.float16))
    order = rng.permutation(16)
    near = np.repeat(np.stack([order, order[np.arange(16) ^ 1]], axis=1), 10, axis=0)
    sizes = np.full(16, 10)
    packed = pack.pack(centroids.astype(np.float32), near.astype(np.int32), sizes, 4)
    assert np.array_equal(packed[order[::2]], packed[order[1::2]])
    assert np.bincount(packed, minlength=4).min() >= 2
    assert np.bincount(packed).max() <= 6


def test_the_order_of_the_sample_does_not_matter() -> None:
    keys, points, _ = make_rows(60, 25)
    order = np.random.default_rng(0).permutation(len(keys))
    one = coarse.find_regions(keys, points, len(keys), CELL_ROWS)
    other = coarse.find_regions(keys[order], points[order], len(keys), CELL_ROWS)
    assert np.array_equal(one.centroids, other.centroids)
    assert np.array_equal(one.owners, other.owners)
    assert (one.pieces, one.margin) == (other.pieces, other.margin)


_DIGEST = """
import hashlib, sys
import numpy as np
from instruct_imagen_data.stages.cells import coarse
keys, points = (np.load(name) for name in sys.argv[1:])
regions = coarse.find_regions(keys, points, len(keys), 500)
cells = regions.assign(keys, points)
print(hashlib.sha256(regions.centroids.tobytes() + cells.tobytes()).hexdigest(), regions.margin)
"""


def test_other_kernels_give_the_same_cells(tmp_path: Path) -> None:
    """Every number is an integer that float32 or float64 holds: no BLAS kernel changes a sum."""
    keys, points, _ = make_rows(120, 25)
    regions = coarse.find_regions(keys, points, len(keys), 500)
    cells = regions.assign(keys, points)
    digest = hashlib.sha256(regions.centroids.tobytes() + cells.tobytes()).hexdigest()
    files = [str(tmp_path / f"{name}.npy") for name in ("keys", "points")]
    np.save(files[0], keys)
    np.save(files[1], points)
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", _DIGEST, *files]
    run = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    assert run.stdout.split() == [digest, str(regions.margin)]


def test_a_cell_of_many_topics_keeps_them_in_few_clusters() -> None:
    """Nine in ten of the rows of a topic are in the clusters that a row probes."""
    keys, points, topic = make_rows(120, 25)
    order = vectors.key_order(keys)
    table = pa.table(
        {
            "key": vectors.column_of(keys[order]),
            "topic": topic[order],
            "guest": np.zeros(len(keys), np.uint8),
        }
    )
    shape = fine.shape_of(fine.SMALL_DOMAIN)
    cell, cut = fine.cluster_rows("art-0000", "art", table, vectors.exact(points[order]), shape)
    topics = cell.table["topic"].to_numpy()
    probed = (cell.probes[:, :, None] == cell.clusters).any(axis=1)
    same = topics[:, None] == topics
    assert cut == 0
    assert (probed & same).sum() / same.sum() > 0.9
