"""What the tests of all layouts ask of a listing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.listing import Listing


def paths(listing: Listing) -> dict[str, list[str]]:
    return {group.name: [one.path for one in group.pictures] for group in listing.groups}


def sizes_are_true(folder: Path, listing: Listing) -> None:
    for group in listing.groups:
        for one in group.pictures:
            assert one.size == (folder / one.path).stat().st_size


def malformed(read: Callable[[str], Listing], folder: Path, *told: str) -> None:
    with pytest.raises(UsageError) as error:
        read(str(folder))
    text = str(error.value)
    assert "\n" not in text
    for each in told:
        assert each in text
