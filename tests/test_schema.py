"""The contract: what is on disk is what the dataclass says; changes show here as golden text."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data import schema
from instruct_imagen_data.errors import SchemaMismatch

GOLDEN = Path(__file__).parent / "data" / "schemas.txt"
RECORDS = (
    schema.RawPair, schema.Image, schema.Score, schema.RejectRow, schema.Verdict,
    schema.Neighbourhood, schema.Derived, schema.Example,
)  # fmt: skip


def golden_text() -> str:
    pieces = [(record.__name__, schema.schema_of(record)) for record in RECORDS]
    pieces.append(("Embedding (dimension 4)", schema.schema_of(schema.Embedding, 4)))
    return "\n".join(
        f"## {name}\n{found.remove_metadata().to_string(truncate_metadata=False)}\n"
        for name, found in pieces
    )


def test_schemas_are_as_agreed() -> None:
    assert golden_text() == GOLDEN.read_text(), "the contract changed: CHANGELOG first"


def test_check_names_the_first_difference() -> None:
    wanted = schema.schema_of(schema.Score)
    schema.check(wanted, wanted, "here")
    with pytest.raises(SchemaMismatch, match="no field 'quality'"):
        schema.check(wanted.remove(wanted.get_field_index("quality")), wanted, "here")
    other = wanted.set(0, pa.field("key", pa.int64(), nullable=False))
    with pytest.raises(SchemaMismatch, match="'key' is int64"):
        schema.check(other, wanted, "here")


def test_vectors_survive_parquet(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float16)
    column = schema.vector_column(vectors)
    table = pa.table(
        [pa.array(list("abcdefg")), column, column], schema=schema.schema_of(schema.Embedding, 4)
    )
    pq.write_table(table, tmp_path / "x.parquet")
    found = pq.read_table(tmp_path / "x.parquet")
    schema.check(found.schema, table.schema, "x")
    np.testing.assert_array_equal(schema.vectors_of(found["image_vector"]), vectors)
    both = pa.chunked_array([column.slice(2), column.slice(0, 2)])
    np.testing.assert_array_equal(
        schema.vectors_of(both), np.concatenate([vectors[2:], vectors[:2]])
    )


def test_image_metadata_is_what_datasets_reads() -> None:
    import json

    found = json.loads(schema.schema_of(schema.Image).metadata[b"huggingface"])
    assert found["info"]["features"]["image"] == {"_type": "Image"}


@pytest.mark.parametrize(
    "record", [schema.Image, schema.Neighbourhood, schema.Derived, schema.Example]
)
def test_datasets_takes_our_pictures_for_pictures(record: type) -> None:
    """The library itself, on the schema as stored: it ignores a feature that differs at all."""
    datasets = pytest.importorskip("datasets")
    stored = schema.schema_of(record)
    features = datasets.Features.from_arrow_schema(stored)
    assert str(features).count("Image(") == _pictures(stored) > 0
    assert "binary" not in str({name: features[name] for name in features if name != "phash"})


def _pictures(stored: pa.Schema) -> int:
    def count(kind: pa.DataType) -> int:
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return 1
        if pa.types.is_nested(kind):
            return sum(count(kind.field(i).type) for i in range(kind.num_fields))
        return 0

    return sum(count(field.type) for field in stored)
