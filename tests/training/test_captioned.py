"""What tiny_backbone is trained on: captioned pictures, and not one reference."""

from pathlib import Path

import pyarrow.compute as pc
import pytest

from instruct_imagen_data import images, mixture, schema, shards
from instruct_imagen_data.training import captioned
from model.batches import DataConfig, make_plan
from model.batches.samples import Samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("captioned")
    options = captioned.Options(str(output), worlds=2, per_noun=1, views=1, paintings=1, side=32)
    assert captioned.make(options) == 0
    return output


def test_a_part_for_each_world_of_pictures_without_references(folder: Path) -> None:
    tables = [
        shards.read_part(str(folder), "natural", part, schema.Example)
        for part in ("30001", "30002")
    ]
    for table in tables:
        assert table.num_rows == 51 + 20 + 60  # nouns, painters, persons' pictures
        assert pc.sum(pc.list_value_length(table["references"])).as_py() == 0
    keys = [set(table["key"].to_pylist()) for table in tables]
    assert not keys[0] & keys[1]
    for row in tables[0].slice(0, 5).to_pylist():
        assert row["caption"] in row["instruction"].replace("\\", "")
        assert images.size(row["image"]["bytes"]) == (row["width"], row["height"])


def test_paintings_name_their_style_and_faces_their_hair(folder: Path) -> None:
    table = shards.read_part(str(folder), "natural", "30001", schema.Example, ["caption"])
    captions = table["caption"].to_pylist()
    assert sum(one.endswith(" painting") for one in captions) >= 20
    assert any(one.startswith("a smiling young ") for one in captions)


def test_stage_2_reads_it(folder: Path) -> None:
    (share,) = mixture.read((folder / mixture.FILE).read_text())
    assert (share.dataset, share.ratio) == ("natural", 1.0)
    plan = make_plan(DataConfig(str(folder), size=16, lanes=1))
    assert plan.sources["natural"].order.rows == share.rows
    sample = Samples(plan).sample(0)
    assert sample.target.shape == (16, 16, 3)
    assert sample.references == ()


def test_the_same_options_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    options = captioned.Options(
        str(tmp_path), seed=30002, worlds=1, per_noun=1, views=1, paintings=1, side=32
    )
    captioned.make(options)
    name = "natural/part-30002.parquet"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
