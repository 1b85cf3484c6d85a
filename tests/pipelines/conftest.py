"""Small source sets with every kind of damage, and one run of `derive` over all of them."""

import contextlib
import dataclasses
import fcntl
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import cli

PER_STYLE = 4
PAINTED = ("Bold_Cutout", "Mist_Ink")  # styles of the small set
SUBJECTS = ("grey-dog", "green-mug", "white-cat")
PERSONS = 3


@contextlib.contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Whether the folder is still to be made; other workers wait meanwhile."""
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield not folder.exists()


def again(data: bytes, quality: int = 70) -> bytes:
    """A picture encoded anew: other bytes, another size, nearly the same pixels."""
    sink = io.BytesIO()
    picture = PIL.Image.open(io.BytesIO(data))
    picture.resize((picture.width * 3 // 4, picture.height * 3 // 4)).save(
        sink, "JPEG", quality=quality
    )
    return sink.getvalue()


def _copy(source: Path, target: Path, paths: Iterable[str]) -> None:
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)


def _damage(like: Path, truncated: Path, no_image: Path) -> None:
    """A picture that breaks off, and a text under a picture's name."""
    truncated.write_bytes(like.read_bytes()[: like.stat().st_size // 2])
    no_image.write_text("this is no picture")


def _paintings(source: Path, target: Path) -> None:
    lists = {}
    for name in ("style_train.csv", "style_val.csv"):
        lines = (source / name).read_text().splitlines()
        lists[name] = [line for line in lines if line.startswith(PAINTED)]
        _copy(source, target, [line.rpartition(",")[0] for line in lists[name]])
    first = target / lists["style_train.csv"][0].rpartition(",")[0]
    _damage(first, first.with_name("no-one_half.jpg"), first.with_name("no-one_text.jpg"))
    added = ["half.jpg", "text.jpg", "gone,-away.jpg"]
    lists["style_train.csv"] += [f"{PAINTED[0]}/no-one_{name},0" for name in added]
    for name, lines in lists.items():
        (target / name).write_text("\n".join(lines))


def _subjects(source: Path, target: Path) -> None:
    rows = [json.loads(line) for line in (source / "metadata.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["subject"] in SUBJECTS]
    for row in kept:
        row["licence"] = "CC0" if row["file_name"].endswith("0.jpg") else "CC-BY 4.0"
    _copy(source, target, [row["file_name"] for row in kept])
    (target / "metadata.jsonl").write_text("\n".join(map(json.dumps, kept)))
    dog = target / SUBJECTS[0]
    _damage(dog / "00.jpg", dog / "half.jpg", dog / "text.jpg")
    shutil.copyfile(dog / "00.jpg", dog / "same.jpg")
    (dog / "smaller.jpg").write_bytes(again((dog / "01.jpg").read_bytes()))
    (target / "pair").mkdir()
    for number in range(2):
        shutil.copyfile(source / "red-bird" / f"0{number}.jpg", target / "pair" / f"{number}.jpg")


def _sketches(source: Path, target: Path) -> None:
    drawn = "sketch-rendered/width-5"
    numbers = [f"{number:05d}" for number in range(4)]
    paths = [path for number in numbers for path in (f"image/{number}.jpg", f"image/{number}.txt")]
    _copy(source, target, paths)
    _copy(source, target, [f"{drawn}/{number}_0{i}.png" for number in numbers[:3] for i in (1, 2)])
    photo = target / "image" / "00001.jpg"
    _damage(photo, photo, target / drawn / "00000_07.png")
    PIL.Image.new("L", (400, 100), 255).save(target / drawn / "00000_08.png")
    (target / "list").mkdir()
    (target / "list" / "train.txt").write_text("\n".join([*numbers[:2], "gone"]))
    (target / "list" / "val.txt").write_text("\n".join(numbers[2:]))


def _faces(source: Path, target: Path) -> list[str]:
    """The small set's files; a person of two pictures has the same picture twice."""
    lines = (source / "identity_CelebA.txt").read_text().splitlines()
    persons = sorted({line.split()[1] for line in lines})[:PERSONS]
    kept = [line for line in lines if line.split()[1] in persons]
    files = [line.split()[0] for line in kept]
    _copy(source, target, [f"img_align_celeba/{file}" for file in files])
    shutil.copyfile(source / "list_attr_celeba.txt", target / "list_attr_celeba.txt")
    folder = target / "img_align_celeba"
    own = next(line.split()[0] for line in kept if line.endswith(persons[0]))
    _damage(folder / own, folder / "900001.jpg", folder / "900002.jpg")
    shutil.copyfile(folder / own, folder / "900003.jpg")
    added = [f"90000{number}.jpg {persons[0]}" for number in (1, 2, 3, 4)]  # 4 is not there
    (target / "identity_CelebA.txt").write_text("\n".join([*kept, *added]))
    return files


def _large_faces(source: Path, target: Path) -> None:
    name = "CelebA-HQ-to-CelebA-mapping.txt"
    shutil.copyfile(source / "identity_CelebA.txt", target / "identity_CelebA.txt")
    identities = dict(
        line.split() for line in (target / "identity_CelebA.txt").read_text().splitlines()
    )
    head, *lines = (source / name).read_text().splitlines()
    person = identities[lines[0].split()[2]]
    kept = [line for line in lines if identities[line.split()[2]] == person]
    _copy(source, target, [f"CelebA-HQ-img/{line.split()[0]}.jpg" for line in kept])
    (target / name).write_text("\n".join([head, *kept]))


@pytest.fixture(scope="session")
def small_sets(source_sets: Path, between_workers: Path) -> Path:
    """Some pictures of each planted source set, with files that are broken, missing or copies."""
    folder = between_workers / "small-sets"
    with _once(folder) as wanted:
        if wanted:
            partial = between_workers / "small-sets.partial"
            for name in ("paintings", "subjects", "sketches", "faces", "faces-hq"):
                (partial / name).mkdir(parents=True)
            _paintings(source_sets / "paintings", partial / "paintings")
            _subjects(source_sets / "subjects", partial / "subjects")
            _sketches(source_sets / "sketches", partial / "sketches")
            _faces(source_sets / "faces", partial / "faces")
            _large_faces(source_sets / "faces-hq", partial / "faces-hq")
            partial.rename(folder)
    return folder


@dataclasses.dataclass(frozen=True)
class Examples:
    """What one run of `derive` over everything made and printed."""

    folder: Path
    flags: tuple[str, ...]
    printed: str


@pytest.fixture(scope="session")
def examples(
    finished_corpus: Path, finished_neighbourhoods: Path, small_sets: Path, between_workers: Path
) -> Examples:
    """All datasets that the embedded networks can make of the planted corpus and small sets."""
    given = {
        "corpus": finished_corpus, "art": small_sets / "paintings",
        "subjects": small_sets / "subjects", "sketches": small_sets / "sketches",
        "celeba": small_sets / "faces", "celeba-hq": small_sets / "faces-hq",
        "models": "embedded", "size": 96, "per-style": PER_STYLE, "art-licence": "Public domain",
    }  # fmt: skip
    flags = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    flags += ["--i-have-the-rights", "--direct_num_workers=1"]
    folder, printed = between_workers / "examples", between_workers / "examples.txt"
    with _once(printed) as wanted:
        if wanted:
            sink = io.StringIO()
            with contextlib.redirect_stdout(sink):
                assert cli.main(["derive", *flags, "--output", str(folder)]) == 0
            printed.write_text(sink.getvalue())
    return Examples(folder, tuple(flags), printed.read_text())


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., list[dict[str, Any]]]:
    """rows_of(folder, where=""): all rows of a dataset, or of its rejects."""

    def read(folder: Path, where: str = "") -> list[dict[str, Any]]:
        files = sorted((folder / where).glob("*.parquet"))
        return list(pa.concat_tables([pq.read_table(file) for file in files]).to_pylist())

    return read
