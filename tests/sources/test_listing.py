"""Sources as workers see them: what a folder that changes means, and the parts of a listing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources import layouts, paintings
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.sources.listing import MISSING, Group, Listing, Picture

Fill = Callable[..., Path]


def test_every_layout_is_known(source_sets: Path) -> None:
    folders = {"celeba": "faces", "celeba_hq": "faces-hq"}
    for layout in layouts.LAYOUTS:
        source = Source(layout, str(source_sets / folders.get(layout, layout)), "CC0")
        assert source.settings() == {layout: source.listing().digest}
        assert {one.licence for group in source.listing().groups for one in group.pictures} == {
            "CC0"
        }


def test_a_folder_that_changes(fill: Fill) -> None:
    """What another process finds must be what the job was planned with."""
    place = fill({"dog/0.jpg": "1", "dog/1.jpg": "1"})
    source = Source("subjects", str(place))
    digest = source.listing().digest
    assert source.check(digest) is source.listing()  # listed once
    fill({"dog/2.jpg": "1"})
    layouts._listing.cache_clear()  # as in another process
    with pytest.raises(UsageError, match=r"source has changed since the job was started: start it"):
        source.check(digest)
    (place / "dog" / "2.jpg").unlink()
    layouts._listing.cache_clear()
    assert len(source.check(digest).groups) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Pop/a_b.jpg", "22"),  # its size
        ("Pop/a_b.txt", "another caption"),
        ("Pop/e_f.jpg", "1"),
        ("style_val.csv", "Pop/c_d.jpg,1"),
        ("metadata.jsonl", '{"file_name": "Pop/a_b.jpg", "artist": "Someone"}'),
        ("metadata.jsonl", '{"file_name": "Pop/a_b.jpg", "licence": "CC0"}'),
    ],
)
def test_what_changes_a_digest(fill: Fill, name: str, content: str) -> None:
    place = fill({"Pop/a_b.jpg": "1", "Pop/c_d.jpg": "1", "Pop/a_b.txt": "a caption"})
    before = paintings.read(str(place)).digest
    fill({"notes.md": "nothing of interest", "Pop/a_b.jpg": "2"})
    assert paintings.read(f"{place}/").digest == before
    fill({name: content})
    assert paintings.read(str(place)).digest != before


def test_where_a_folder_is_changes_nothing(fill: Fill, tmp_path: Path) -> None:
    files = {"Pop/a_b.jpg": "1", "Pop/c_d.jpg": "12", "Op/e_f.jpg": "123"}
    first = paintings.read(str(fill(files)))
    (tmp_path / "source").rename(tmp_path / "first")
    second = paintings.read(str(fill(dict(reversed(files.items())))))
    (tmp_path / "source").rename(tmp_path / "elsewhere")
    assert second.digest == first.digest
    assert second.groups == first.groups == paintings.read(str(tmp_path / "elsewhere")).groups
    assert paintings.read(str(tmp_path / "first"), licence="CC0").digest != first.digest
    held_out = paintings.read(str(tmp_path / "first"), validation_share=1.0)
    assert held_out.digest != first.digest


def test_parts_hold_whole_groups_few_enough_to_be_held() -> None:
    counts = [3, 3, 3, 9, 1, 1, 1, 1, 4]
    groups = tuple(
        Group(f"{number}", tuple(Picture(f"{number}/{i}", 10) for i in range(count)))
        for number, count in enumerate(counts)
    )
    listing = Listing("x", groups)
    parts = listing.parts(max_pictures=4)
    assert list(parts) == [f"{number:05d}" for number in range(len(parts))]
    assert [number for part in parts.values() for number in part] == list(range(len(groups)))
    held = [listing.pictures_in(part) for part in parts.values()]
    assert held == [3, 3, 3, 9, 4, 4]  # a group that is too large is alone
    assert list(listing.parts(max_pictures=1000).values()) == [range(len(groups))]
    assert Listing("x", ()).parts() == {}


def test_parts_of_large_files() -> None:
    half = 25 << 20
    sizes = [half, half, MISSING, 1, half, 3 * half, 1]
    groups = tuple(Group(str(n), (Picture(str(n), size),)) for n, size in enumerate(sizes))
    spans = [list(part) for part in Listing("x", groups).parts().values()]
    assert spans == [[0], [1, 2, 3], [4], [5], [6]]
