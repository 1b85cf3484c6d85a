"""Pages: which pictures of a corpus were found on one."""

import json

import numpy as np
import pytest

from instruct_imagen_data import keys
from instruct_imagen_data.stages.pages import ROWS_A_BLOCK, add_counts, block_names, page_of


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://a.example/shop/mug/1.jpg", "a.example/shop/mug"),
        ("http://A.example/shop/mug/2.png?w=800#top", "a.example/shop/mug"),
        ("https://a.example/shop/mug/?id=a/b.jpg", "a.example/shop/mug"),
        ("https://a.example/1.jpg", "a.example"),
        ("https://a.example", "a.example"),
        ("", ""),
        ("file.jpg", "file.jpg"),  # alone on its page
        ("mugs/1.jpg", "mugs"),
    ],
)
def test_the_folder_of_an_address(url: str, page: str) -> None:
    assert page_of(url, "{}", "") == page


@pytest.mark.parametrize(
    ("metadata", "page"),
    [
        ('{"page": "mug/1", "n": 3}', "mug/1"),
        ('{"page": 17}', "17"),
        ('{"page": null}', ""),
        ('{"other": "x"}', ""),
        ("{}", ""),
        ("", ""),
    ],
)
def test_a_column_says_it(metadata: str, page: str) -> None:
    assert page_of("https://a.example/shop/1.jpg", metadata, "page") == page


def test_counts_of_parts_are_added() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    parts = [rng.integers(1, 40, size) for size in (30, 0, 50, 1)]
    counted = [np.unique(part.astype(np.uint64), return_counts=True) for part in parts]
    ids, counts = add_counts(counted)
    wanted, several = np.unique(np.concatenate(parts), return_counts=True)
    assert ids.tolist() == wanted.tolist()
    assert counts.tolist() == several.tolist()
    assert [len(column) for column in add_counts([])] == [0, 0]


def test_blocks_grow_with_the_corpus() -> None:
    assert block_names(0) == []
    assert block_names(1) == block_names(ROWS_A_BLOCK) == ["pages-00000"]
    assert len(block_names(10 * ROWS_A_BLOCK + 1)) == 11


def test_ids_of_pages_are_never_that_of_none() -> None:
    assert keys.id64("") == 0
    assert keys.id64(json.dumps({})) > 0
