"""Groups of a source folder with their bytes: what is not there is a reject, and counted."""

from pathlib import Path

import apache_beam as beam
import pytest

from instruct_imagen_data import keys
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources import layouts
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.sources.listing import MISSING, Group, Picture
from instruct_imagen_data.stages.opened import ReadGroups, open_group, pair_of, parts_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "a #1?%.jpg").write_bytes(b"one")
    (tmp_path / "dog" / "copy.jpg").write_bytes(b"one")
    (tmp_path / "dog" / "empty.jpg").touch()
    return tmp_path


def test_a_group_is_opened(folder: Path) -> None:
    paths = ["a #1?%.jpg", "copy.jpg", "empty.jpg"]
    pictures = [Picture(f"dog/{name}", 3, "a dog", "CC0") for name in paths]
    group = Group("dog", (*pictures, Picture("dog/gone.jpg", MISSING)), {"noun": "dog"})
    opened, names, lost = open_group(group, str(folder), "subject", 0.0)
    assert (opened.name, opened.facts, opened.split) == ("dog", {"noun": "dog"}, "train")
    assert [(one.origin, one.image, one.caption, one.licence) for one in opened.pairs] == [
        ("dog/a #1?%.jpg", b"one", "a dog", "CC0"),
        ("dog/copy.jpg", b"one", "a dog", "CC0"),
    ]
    contents = {"a #1?%.jpg": b"one", "copy.jpg": b"one", "empty.jpg": b""}
    assert names == [
        *(keys.pair_key(f"file:dog/{name}", "a dog", data) for name, data in contents.items()),
        keys.pair_key("file:dog/gone.jpg", "", b""),
    ]
    assert len(set(names)) == 4  # a copy has a key of its own
    assert [(row.key, row.origin, row.reason, row.stage) for row in lost] == [
        (names[2], "dog/empty.jpg", "empty_image", "subject"),
        (names[3], "dog/gone.jpg", "empty_image", "subject"),
    ]


def test_splits_are_of_whole_groups() -> None:
    groups = [Group(f"subject {number}", ()) for number in range(400)]
    splits = [open_group(group, "", "subject", 0.25)[0].split for group in groups]
    assert 60 < splits.count("validation") < 140
    assert splits == [open_group(group, "elsewhere", "face", 0.25)[0].split for group in groups]
    more = [open_group(group, "", "subject", 0.5)[0].split for group in groups]
    assert all(two == "validation" for one, two in zip(splits, more, strict=True)
               if one == "validation")  # fmt: skip
    told = [Group(f"{number}", (), {}, "train") for number in range(9)]
    assert {open_group(group, "", "subject", 1.0)[0].split for group in told} == {"train"}


def test_what_went_since_it_was_listed(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pair_of(str(folder), Picture("dog/gone.jpg", 3))


def test_a_folder_that_changes_under_a_job(folder: Path, tmp_path: Path) -> None:
    """A worker that lists the folder anew finds another one, and says so in a line."""
    source = Source("subjects", str(folder))
    layouts._listing.cache_clear()
    pipeline = beam.Pipeline()
    pipeline | ReadGroups(source, str(tmp_path / "out"), ("suti",), "subject", 0.0)
    (folder / "dog" / "new.jpg").touch()
    layouts._listing.cache_clear()  # as in another process
    with pytest.raises(UsageError, match="has changed since the job was started: start it again"):
        pipeline.run().wait_until_finish()


def test_parts_and_their_pictures(source_sets: Path) -> None:
    for layout in ("paintings", "subjects", "sketches"):
        place = source_sets / layout
        ends = (".jpg", ".png")
        pictures = sum(path.suffix in ends for path in place.rglob("*"))
        parts = parts_of(Source(layout, str(place)))
        assert sum(parts.values()) == pictures
        assert max(parts.values()) <= 64
