"""Source sets that stage 2 reads from folders: each as its own release lays it out."""

import functools
from collections.abc import Callable
from pathlib import Path

import cv2

from instruct_imagen_data.planted.extras import faces, faces_hq, paintings, sketches, subjects
from instruct_imagen_data.planted.extras.files import Files

SETS: dict[str, Callable[[int], Files]] = {
    "paintings": paintings.files,
    "subjects": subjects.files,
    "sketches": sketches.files,
    "faces": faces.files,
    "faces-hq": faces_hq.files,
}
PICTURES: int = sum(one.PICTURES for one in (paintings, subjects, sketches, faces, faces_hq))


def pictures(many_subjects: int) -> int:
    """Of all sets, with so many subjects."""
    others = PICTURES - subjects.PICTURES
    return others + subjects.pictures(many_subjects)


def plant_extras(
    output: Path,
    seed: int,
    progress: Callable[[int], object] | None = None,
    many_subjects: int = subjects.COUNT,
) -> dict[str, int]:
    """Fill a folder of `output` for each set; how many pictures (.jpg) each has.

    progress is called with 1 for each picture written.
    """
    cv2.setNumThreads(1)
    counts = dict.fromkeys(SETS, 0)
    sets = SETS
    if many_subjects != subjects.COUNT:
        sets = {**SETS, "subjects": functools.partial(subjects.files, count=many_subjects)}
    for name, files in sets.items():
        for path, data in files(seed):
            target = output / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            if path.endswith(".jpg"):
                counts[name] += 1
                if progress:
                    progress(1)
    return counts
