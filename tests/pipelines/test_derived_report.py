"""The report over what one run of `derive` made."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from instruct_imagen_data import shards, tasks


def test_every_dataset_has_a_gallery(
    examples: Any, finished_corpus: Path, finished_neighbourhoods: Path, tmp_path: Path,
    command: Callable[..., Any],
) -> None:  # fmt: skip
    folders = (finished_corpus, finished_neighbourhoods, examples.folder)
    pages = []
    for number, given in enumerate([folders, folders[::-1]]):
        done = command("report", *given, "--output", tmp_path / f"{number}.html")
        assert done.code == 0, done
        pages.append((tmp_path / f"{number}.html").read_bytes())
    assert pages[0] == pages[1]
    html = pages[0].decode()
    headings = dict(
        re.findall(r'<h3 id="dataset-(\w+)">\w+<span class="count">([\d,]+) example', html)
    )
    made = [name for name in tasks.DATASETS if (examples.folder / name).exists()]
    assert len(made) >= 7
    assert list(headings) == made
    for name, count in headings.items():
        manifest = json.loads((examples.folder / name / shards.MANIFEST).read_text())
        assert int(count.replace(",", "")) == manifest["rows"][name]
