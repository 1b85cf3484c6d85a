"""Training pictures of the map networks with their truth, rendered once and kept in a folder."""

import concurrent.futures
import dataclasses
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from instruct_imagen_data import planted
from instruct_imagen_data.planted.scene import edge_map

_SIDES = (160, 361)  # pixels of the shorter side, as in the planted corpus
_CHANNELS = 6  # red, green, blue, depth, mask, edges
PAGES = 8  # pages of each reject class a seed: pictures of no object and no depth
_STEP = 5  # of 255, of depth from pixel to pixel: the near side hides the far one
_SHORTEST = 0.04  # of the shorter side: less of a line is a speck


@dataclasses.dataclass(frozen=True, slots=True)
class Truth:
    """A clean picture and what is true of it, all uint8 of one size [h, w].

    Attributes:
        rgb: [h, w, 3].
        depth: Near = bright; all 0 for a page.
        mask: 255 on the object, or the main motif of a landscape or painting.
        edges: 255 on edges: Canny's of the clean picture.
        contours: 255 on what an artist would draw: see `contours`.
    """

    rgb: np.ndarray
    depth: np.ndarray
    mask: np.ndarray
    edges: np.ndarray
    contours: np.ndarray


def contours(depth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The lines that an artist's drawing of a photo has: uint8 [h, w], 255 on 0, a pixel or two.

    The object's outline, and occlusions: where depth (uint8 [h, w], near = bright) steps as no
    surface and no ground does. No texture, pattern, shadow or light. Specks are left out.
    """
    solid = np.where(mask >= 128, 1, 0).astype(np.uint8)
    outline = solid - cv2.erode(solid, np.ones((3, 3), np.uint8))
    steps = _steps(depth) | _steps(depth.T).T
    drawn = np.where((outline > 0) | steps, 1, 0).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    reach = np.maximum(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT])
    kept = reach >= _SHORTEST * min(depth.shape)
    kept[0] = False  # label 0 is what is not drawn
    return np.where(kept[:count][labels], 255, 0).astype(np.uint8)


def _steps(depth: np.ndarray) -> np.ndarray:
    """bool [h, w]: where depth steps from one column to the next: not so two columns further.

    A slope goes on there; a step does not, be it softened over two pixels.
    """
    change = np.abs(np.diff(depth.astype(np.int16), axis=1, append=depth[:, -1:]))
    around = np.pad(change, ((0, 0), (2, 2)), mode="edge")
    found: np.ndarray = change - np.maximum(around[:, :-4], around[:, 4:]) >= _STEP
    return found


def truths(
    folder: Path, seeds: Sequence[int], per_noun: int, views: int, processes: int
) -> list[Truth]:
    """Views of all entities of these seeds, rendered where they are not in the folder yet.

    A seed is one file, which appears whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"views-{seed}-{per_noun}-{views}.npz" for seed in seeds]
    missing = [(seed, path) for seed, path in zip(seeds, paths, strict=True) if not path.exists()]
    # Spawned, not forked: a forked child of a process with torch threads may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        jobs = [pool.submit(render_file, seed, per_noun, views, path) for seed, path in missing]
        for job in concurrent.futures.as_completed(jobs):
            job.result()
    return [truth for path in paths for truth in _read(path)]


def render_file(seed: int, per_noun: int, views: int, path: Path) -> None:
    """Renders the pictures of one seed and saves them, one after another in one array."""
    rows = [*_entity_rows(seed, per_noun, views), *_page_rows(seed)]
    shapes = np.array([row.shape[:2] for row in rows])
    pixels = np.concatenate([row.reshape(-1, _CHANNELS) for row in rows])
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, allow_pickle=False, shapes=shapes, pixels=pixels)
    temporary.replace(path)


def _read(path: Path) -> Iterator[Truth]:
    with np.load(path) as file:
        shapes, pixels = file["shapes"], file["pixels"]
    ends = np.cumsum(shapes.prod(axis=1))
    for shape, whole in zip(shapes.tolist(), np.split(pixels, ends[:-1]), strict=True):
        row = whole.reshape(*shape, _CHANNELS)
        depth, mask, edges = (np.ascontiguousarray(row[..., i]) for i in (3, 4, 5))
        rgb = np.ascontiguousarray(row[..., :3])
        yield Truth(rgb, depth, mask, edges, contours(depth, mask))


def _entity_rows(seed: int, per_noun: int, views: int) -> Iterator[np.ndarray]:
    """uint8 [h, w, _CHANNELS] for each view of each entity."""
    for number, entity in enumerate(planted.entities(seed, per_noun)):
        for view in range(views):
            side = int(np.random.default_rng((seed, number, view)).integers(*_SIDES))
            seen = planted.render(entity, view, seed, side)
            depth = np.asarray(seen.depth * 255 + 0.5, np.uint8)
            yield np.dstack((seen.rgb, depth, seen.mask, seen.edges))


def _page_rows(seed: int) -> Iterator[np.ndarray]:
    """The same of pages: flat, without an object, full of edges."""
    for kind in planted.REJECT_CLASSES:
        for index in range(PAGES):
            side = int(np.random.default_rng((seed, index, 3)).integers(*_SIDES))
            rgb = planted.reject_picture(kind, index, seed, side)
            flat = np.zeros(rgb.shape[:2], np.uint8)
            yield np.dstack((rgb, flat, flat, edge_map(rgb)))
