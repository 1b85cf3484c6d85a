"""Choosing rows: the exact quantile against numpy, the order of reasons, sources."""

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct_imagen_data import schema, shards, vectors
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages import choose
from instruct_imagen_data.stages.choose import Limits, quantile, rows

# Few values, so that ties are the rule; both zeros, and neighbours of a float32.
QUALITIES = st.sampled_from([-7.5, -0.0, 0.0, 1e-30, 4.0, np.nextafter(np.float32(4), 5), 4.5, 9.0])


def keys_of(count: int, different: int) -> np.ndarray:
    """Packed keys [count, 32], of which `different` are different."""
    digests = [hashlib.sha256(bytes([i % different])).digest() for i in range(count)]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(count, 32)


def choices(qualities: list[float], sources: list[str], keys: np.ndarray, **more: Any) -> pa.Table:
    n = len(qualities)
    columns = {
        "key": vectors.column_of(keys),
        "origin": [f"a.tar#{i}" for i in range(n)],
        "source": sources,
        "quality": np.array(qualities, np.float32),
        "domain": ["art"] * n,
        "domain_probability": np.full(n, 0.75, np.float32),
        "domain_accepted": [True] * n,
        "similarity": np.full(n, 0.25, np.float32),
        **{name: np.zeros(n, np.int64) for name in ("bytes_id", "url_id", "caption_id", "file_id")},
        "phash": vectors.column_of(keys),
    }
    wanted = schema.schema_of(schema.Choice)
    return pa.table([pa.array((columns | more)[f.name], f.type) for f in wanted], schema=wanted)


def cuts_of(table: pa.Table, share: float, split: int) -> dict[str, quantile.Cut]:
    """The cut of each source, found by the job's two passes over two groups of rows."""
    bits, keys, numbers = choose._sample(table, 0)
    found = {}
    for source, index in choose._by_source(table["source"]):
        groups = [index[index < split], index[index >= split]]
        counted = quantile.add([quantile.histogram(bits[group]) for group in groups])
        where, rank = quantile.find_bin(counted, share)
        inside = index[quantile.bin_of(bits[index]) == where]
        found[source] = quantile.find_cut((bits[inside], keys[inside], numbers[inside]), rank)
    return found


@given(
    st.lists(QUALITIES | st.floats(-100, 100, width=32), min_size=1, max_size=60),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.99]),
    st.integers(0, 60),
)
def test_the_quantile_is_that_of_a_sort(
    qualities: list[float], different: int, share: float, split: int
) -> None:
    n = len(qualities)
    keys = keys_of(n, different)
    table = choices(qualities, ["ab"[i % 2] for i in range(n)], keys)
    cuts = cuts_of(table, share, split)
    found = choose.choose(table, 0, cuts, Limits(share, -1e9, -1.0))

    expected = np.zeros(n, bool)
    values = np.array(qualities, np.float32) + np.float32(0)
    for source in range(min(2, n)):
        own = list(range(source, n, 2))
        own.sort(key=lambda i: (values[i], keys[i].tobytes(), i))
        expected[own[: int(share * len(own))]] = True
    assert found["low_quantile"].to_pylist() == expected.tolist()


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=2, max_size=20)
)
def test_bits_sort_as_the_numbers_do(values: list[float]) -> None:
    numbers = np.array(values, np.float32)
    bits = quantile.order_bits(numbers)
    assert np.array_equal(np.sort(numbers), numbers[np.argsort(bits, kind="stable")])
    assert [quantile.quality_of(int(one)) for one in bits] == [float(v) for v in numbers]


def test_first_reason_counts_and_says_its_limit() -> None:
    table = choices(
        [1.0, 3.0, 8.0, 8.0, 8.0],
        [""] * 5,
        keys_of(5, 5),
        domain_accepted=[False, True, False, True, True],
        similarity=np.array([0.0, 0.0, 0.0, 0.1, 0.5], np.float32),
    )
    limits = Limits(0.2, 4.0, 0.25)
    found = choose.choose(table, 0, cuts_of(table, 0.2, 2), limits)
    assert found["reason"].to_pylist() == [
        "low_quality", "low_quality", "domain", "low_similarity", "",
    ]  # fmt: skip
    assert found["low_quantile"].to_pylist() == [True, False, False, False, False]
    assert found["low_floor"].to_pylist() == [True, True, False, False, False]
    assert found["value"].to_pylist() == [1.0, 3.0, 0.75, pytest.approx(0.1), None]
    assert found["threshold"].to_pylist() == [4.0, 4.0, None, 0.25, None]


def test_sources_come_from_a_field_or_from_the_metadata(tmp_path: Any) -> None:
    image = schema.Image(
        "0" * 64, "a#0", "", "", schema.Encoded(b"", "0.jpg"), 1, 1, 1, 1, False, "", bytes(32),
        "cc0", json.dumps({"site": "example.com"}),
    )  # fmt: skip
    table = schema.table_of(schema.Image, [image])
    shards.write_part(str(tmp_path), "images", "a-000", table)
    assert rows.source_values(str(tmp_path), "a-000", "licence") == ["cc0"]
    assert rows.source_values(str(tmp_path), "a-000", "site") == ["example.com"]
    with pytest.raises(UsageError, match=r"--source-column nowhere: .*\(site\)"):
        rows.source_values(str(tmp_path), "a-000", "nowhere")
