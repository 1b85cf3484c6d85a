"""Training pictures of the planted world, rendered once and kept as arrays in a work folder."""

import concurrent.futures
import dataclasses
import io
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from instruct_imagen_data import planted

CLIP_SIDE = 128  # pixels kept of the centre square; training crops the network's 112 out of them
NIMA_SIDE = 160  # pixels of the whole picture, squeezed to a square, as the network sees it
_SIDES = (160, 320)  # pixels of the shorter side, as in the planted corpus
_QUALITIES = (78, 96)  # of the JPEGs
_SEED_STRIDE = 100_000  # entity numbers of two seeds do not meet
_NONE = -1  # what a reject class has for noun and entity
_Row = dict[str, Any]  # a value for each column of Pictures


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Rendered pictures and what is true of them; all arrays have one row a picture."""

    clip: np.ndarray  # uint8 [n, CLIP_SIDE, CLIP_SIDE, 3]
    clean: np.ndarray  # uint8 [n, NIMA_SIDE, NIMA_SIDE, 3]
    degraded: np.ndarray  # the same pictures, blurred, noisy, over-compressed or dark
    strength: np.ndarray  # float32 [n], of the degradation, 0 to 1
    domain: np.ndarray  # int64 [n], into DOMAINS + REJECT_CLASSES
    noun: np.ndarray  # int64 [n], into `nouns()`; reject classes have none: -1
    entity: np.ndarray  # int64 [n], unique over the seeds; reject classes have none: -1
    caption: np.ndarray  # str [n]

    def __len__(self) -> int:
        return len(self.domain)


def classes() -> tuple[str, ...]:
    """Domains, then reject classes: what `Pictures.domain` counts."""
    return (*planted.DOMAINS, *planted.REJECT_CLASSES)


def nouns() -> tuple[str, ...]:
    """All nouns, domain by domain: what `Pictures.noun` counts."""
    return tuple(noun for domain in planted.DOMAINS for noun in planted.NOUNS[domain])


def pictures(
    folder: Path, seeds: Sequence[int], per_noun: int, views: int, processes: int
) -> Pictures:
    """The pictures of all entities of these seeds, rendered where they are not in the folder yet.

    A seed is one file, which appears whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"pictures-{seed}-{per_noun}-{views}.npz" for seed in seeds]
    missing = [(seed, path) for seed, path in zip(seeds, paths, strict=True) if not path.exists()]
    # Spawned, not forked: a forked child of a process with torch threads may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        jobs = [pool.submit(_render_file, seed, per_noun, views, path) for seed, path in missing]
        for job in concurrent.futures.as_completed(jobs):
            job.result()
    parts = [np.load(path) for path in paths]
    columns = {
        field.name: np.concatenate([part[field.name] for part in parts])
        for field in dataclasses.fields(Pictures)
    }
    return Pictures(**columns)


def _render_file(seed: int, per_noun: int, views: int, path: Path) -> None:
    """Renders the pictures of one seed and saves them."""
    rows = list(_entity_rows(seed, per_noun, views)) + list(
        _reject_rows(seed, 2 * per_noun * views)
    )
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, allow_pickle=False, **columns)
    temporary.replace(path)


def _entity_rows(seed: int, per_noun: int, views: int) -> Iterator[_Row]:
    """One row a view of each entity."""
    for number, entity in enumerate(planted.entities(seed, per_noun)):
        for view in range(views):
            rng = np.random.default_rng((seed, number, view))
            rgb = planted.render(entity, view, seed, int(rng.integers(*_SIDES))).rgb
            yield _pixels(rgb, rng) | {
                "domain": classes().index(entity.domain),
                "noun": nouns().index(entity.noun),
                "entity": seed * _SEED_STRIDE + number,
                "caption": planted.caption(entity, view, seed),
            }


def _reject_rows(seed: int, count: int) -> Iterator[_Row]:
    """`count` rows of each reject class."""
    for kind in planted.REJECT_CLASSES:
        for index in range(count):
            rng = np.random.default_rng((seed, classes().index(kind), index, 1))
            rgb = planted.reject_picture(kind, index, seed, int(rng.integers(*_SIDES)))
            yield _pixels(rgb, rng) | {
                "domain": classes().index(kind),
                "noun": _NONE,
                "entity": _NONE,
                "caption": f"{kind} {index}",
            }


def _pixels(rgb: np.ndarray, rng: np.random.Generator) -> _Row:
    """The picture as the networks will see it: saved as a JPEG, and also degraded."""
    clean = _saved(rgb, int(rng.integers(*_QUALITIES)))
    kinds = sorted(planted.DEGRADATIONS)
    kind = kinds[int(rng.integers(len(kinds)))]
    strength = float(rng.random())
    degraded = planted.degrade(rgb, kind, strength, rng)
    square = ImageOps.fit(Image.fromarray(clean), (CLIP_SIDE, CLIP_SIDE), Image.Resampling.BICUBIC)
    return {
        "clip": np.asarray(square),
        "clean": _squeezed(clean),
        "degraded": _squeezed(degraded),
        "strength": np.float32(strength),
    }


def _saved(rgb: np.ndarray, quality: int) -> np.ndarray:
    """The pixels after a JPEG of this quality."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _squeezed(rgb: np.ndarray) -> np.ndarray:
    """The whole picture in a square of NIMA_SIDE pixels."""
    size = (NIMA_SIDE, NIMA_SIDE)
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR))
