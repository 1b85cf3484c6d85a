"""MagicBrush's layout: edits as examples, masks that are cut out, unfit rows and files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from instruct_imagen_data import images, instructions, shards
from instruct_imagen_data.schema import Example, RejectRow
from instruct_imagen_data.sources import magicbrush
from instruct_imagen_data.sources.magicbrush import Unfit

WIDTH, HEIGHT = 60, 40


def encoded(pixels: np.ndarray, kind: str = "PNG") -> dict[str, Any]:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, kind)
    return {"bytes": sink.getvalue(), "path": "x.png"}


def flat(level: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def cut_out(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """The source with its upper right quarter cut out."""
    alpha = np.full((height, width, 1), 255, np.uint8)
    alpha[: height // 2, width // 2 :] = 0
    return np.concatenate([flat(50, width, height), alpha], 2)


def edit(**fields: Any) -> dict[str, Any]:
    return {
        "img_id": "107",
        "turn_index": 1,
        "source_img": encoded(flat(50)),
        "mask_img": encoded(cut_out()),
        "instruction": "let the cat\nwear  a [ref#1] hat",
        "target_img": encoded(flat(200)),
        **fields,
    }


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [
        ("img_id", pa.string()), ("turn_index", pa.int32()),
        ("source_img", image), ("mask_img", image), ("instruction", pa.string()),
        ("target_img", image),
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), folder / name)


def test_an_edit_is_an_example() -> None:
    found = magicbrush.example(edit(), "train", 256)
    parsed = instructions.parse(found.instruction)
    assert [one.number for one in parsed if not isinstance(one, str)] == [1, 2]
    assert found.instruction.endswith("let the cat wear a [[ref#1] hat")  # it cites nothing
    assert found.caption == "let the cat wear a [ref#1] hat"
    told = [(one.marker, one.role, one.text, one.aligned) for one in found.references]
    assert told == [(1, "content", "source image", True), (2, "mask", "edit mask", True)]
    context = tuple(instructions.beside(one.marker, one.text) for one in found.references)
    instructions.validate(instructions.Instruction(found.instruction, context), [1, 2])
    assert (found.width, found.height, found.split) == (WIDTH, HEIGHT, "train")
    source, mask = (images.read(one.image.bytes, images.STORED).rgb for one in found.references)
    target = images.read(found.image.bytes, images.STORED).rgb
    assert abs(source.astype(int) - 50).max() <= 1
    assert abs(target.astype(int) - 200).max() <= 1
    wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
    wanted[:20, 30:] = 255
    assert np.array_equal(mask[..., 0], wanted)


def test_pictures_shrink_together_and_masks_come_in_any_size() -> None:
    found = magicbrush.example(edit(mask_img=encoded(cut_out(30, 20))), "train", 20)
    shapes = [
        images.read(data, images.STORED).rgb.shape[:2]
        for data in (found.image.bytes, *(one.image.bytes for one in found.references))
    ]
    assert shapes == [(20, 30)] * 3
    mask = images.read(found.references[1].image.bytes, images.STORED).rgb[..., 0]
    assert mask[:10, 15:].min() == 255
    assert mask.astype(int).sum() == 10 * 15 * 255


def test_a_mask_that_is_drawn_is_white_where_it_edits() -> None:
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    drawn[5:9, 7:30] = 255
    assert np.array_equal(magicbrush.mask_of(encoded(drawn)["bytes"], WIDTH, HEIGHT), drawn)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"instruction": " \n"}, "no_instruction"),
        ({"instruction": None}, "no_instruction"),
        ({"mask_img": encoded(flat(50))}, "no_mask"),
        ({"mask_img": encoded(np.zeros((4, 4, 4), np.uint8))}, "no_mask"),
        ({"mask_img": None}, "empty_image"),
        ({"target_img": {"bytes": b"no picture", "path": "x"}}, "not_an_image"),
        ({"target_img": encoded(flat(9, 40, 40))}, "misaligned"),
    ],
)
def test_a_row_that_is_unfit_says_why(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unfit) as unfit:
        magicbrush.example(edit(**fields), "train", 256)
    assert unfit.value.reason == reason
    assert reason in magicbrush.REASONS


def test_the_verb(command: Any, tmp_path: Path) -> None:
    data = tmp_path / "MagicBrush" / "data"
    many = [edit(img_id=str(number), turn_index=number % 3) for number in range(40)]
    many[5] = edit(img_id="5", instruction="")
    write(data, "train-00000-of-00001-ab.parquet", many)
    write(data, "dev-00000-of-00001-cd.parquet", [edit(img_id="900")])
    out = tmp_path / "out"
    done = command("edits", "--input", tmp_path / "MagicBrush", "--output", out)
    assert (done.code, done.lines) == (0, [])
    assert done.out == f"40 of 41 edits became examples, 1 no_instruction: {out}/magicbrush\n"
    manifest = shards.require_finished(f"{out}/magicbrush", "edits")
    assert manifest["rows"] == {"magicbrush": 40, "_rejects": 1}
    rows = [
        row
        for one in manifest["parts"]
        for row in shards.read_part(str(out), "magicbrush", one["part"], Example).to_pylist()
    ]
    assert len({row["key"] for row in rows}) == 40
    assert [row["split"] for row in rows].count("validation") == 1
    rejected = [
        row
        for one in manifest["parts"]
        for row in shards.read_part(
            f"{out}/magicbrush", shards.REJECTS, one["part"], RejectRow
        ).to_pylist()
    ]
    assert [row["origin"] for row in rejected] == ["train-00000-of-00001-ab/5/1"]
    again = command("edits", "--input", tmp_path / "MagicBrush", "--output", out)
    assert (again.code, again.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("test-00000-of-00001.parquet", "test split is for no training"),
        ("part-00000.parquet", "begins with no split"),
        ("train.csv", "edits are wanted as data/train-*.parquet"),
    ],
)
def test_other_files_are_refused(command: Any, tmp_path: Path, name: str, told: str) -> None:
    write(tmp_path / "in", name, [edit()])
    done = command("edits", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert told in done.err


def test_other_columns_and_damaged_files_are_refused(command: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "train-0.parquet"
    pq.write_table(pa.table({"img_id": ["1"]}), path)
    given = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    assert "has no column turn_index" in command("edits", *given).err
    path.write_bytes(b"PAR1 nothing")
    done = command("edits", *given)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "cannot be read" in done.err
