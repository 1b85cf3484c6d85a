"""The layouts on real folders beside the checkout: DreamBooth's subjects, and paintings."""

import json
import re
from collections import Counter
from pathlib import Path

from instruct_imagen_data.sources import paintings, subjects


def test_subjects_of_dreambooth(shared: Path) -> None:
    folder = shared / "data" / "subjects"
    listing = subjects.read(str(folder))
    table = (folder / "prompts_and_classes.txt").read_text().partition("Prompts")[0]
    classes = dict(re.findall(r"^(\w+),([\w ]+)$", table, re.MULTILINE))
    assert len(listing.groups) >= 15
    for group in listing.groups:
        subject = group.name.split("/")[-1]
        assert group.facts["noun"] == classes[subject]
        files = sorted((folder / group.name).glob("*.jpg"))
        assert [one.path for one in group.pictures] == [
            str(path.relative_to(folder)) for path in files
        ]


def test_paintings(shared: Path) -> None:
    folder = shared / "data" / "paintings"
    rows = {
        row["file"]: row
        for row in map(json.loads, (folder / "metadata.jsonl").read_text().splitlines())
    }
    listing = paintings.read(str(folder), validation_share=0.3)
    assert {group.name for group in listing.groups} == {path.name for path in folder.glob("*.jpg")}
    splits: dict[str, set[str]] = {}
    for group in listing.groups:
        told = rows[group.name]
        for name in ("style", "artist", "title"):
            if told.get(name):
                assert group.facts[name] == " ".join(told[name].split())
        splits.setdefault(group.facts["artist"].casefold() or group.name, set()).add(group.split)
    assert all(len(each) == 1 for each in splits.values())
    assert len(Counter(split for each in splits.values() for split in each)) == 2
