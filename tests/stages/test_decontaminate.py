"""Evaluation pictures are found again in training rows: as target, as reference, re-encoded."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from instruct_imagen_data import images, keys, schema, shards
from instruct_imagen_data.annotators.roles import Duplicates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Derived, Encoded, Reference
from instruct_imagen_data.stages import decontaminate, evaluation
from instruct_imagen_data.stages.derived import Networks

RULE = Duplicates(cosine=0.98, confirm_cosine=0.98, phash_bits=64)


class Thumbnails:
    """A picture's vector is its thumbnail, less its mean."""

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        grey = Image.fromarray(rgb).convert("L").resize((8, 8), Image.Resampling.BOX)
        return np.asarray(grey, np.float32).ravel()

    def images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        found = np.stack(batch) - np.mean(batch, axis=1, keepdims=True)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


NETWORKS = Networks({"image_text": Thumbnails()}, {})


def picture(seed: int, side: int = 96) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def derived(name: str, target: bytes, references: Sequence[bytes], split: str = "train") -> Derived:
    return Derived(
        key=keys.derived_key("suti", (name,)), task="subject_to_image", dataset="suti",
        caption=name, image=Encoded(target, f"{name}.jpg"), width=64, height=64,
        references=tuple(
            Reference(1, "subject", "thing", Encoded(one, f"{name}.r.jpg"), False, ())
            for one in references
        ),
        slots=(), checks=(), licence="CC0", sources=(name,), split=split,
    )  # fmt: skip


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    """Pictures 0 to 5: two as files, two in a tar, two in a Parquet, one of them a reference."""
    folder = tmp_path / "evaluation"
    (folder / "deep").mkdir(parents=True)
    picture(0).save(folder / "zero.png")
    (folder / "deep" / "one.jpg").write_bytes(jpeg(picture(1)))
    (folder / "deep" / "broken.jpg").write_bytes(b"no picture")
    with tarfile.open(folder / "two.tar", "w") as tar:
        for number in (2, 3):
            data = jpeg(picture(number))
            member = tarfile.TarInfo(f"{number:03d}.jpg")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    row = derived("e", jpeg(picture(4)), [jpeg(picture(5))])
    pq.write_table(schema.table_of(Derived, [row]), folder / "three.parquet")
    return folder


def fingerprints(held_out: Path, output: Path) -> decontaminate.Evaluation:
    files, sizes = evaluation.find([str(held_out)])
    assert sum(len(one.files) for one in files) == len(sizes) == 5
    counts = [evaluation.fingerprint(one, NETWORKS, folder=str(output)) for one in files]
    assert sum(one["pictures"] for one in counts) == 6
    assert [one["unreadable"] for one in counts if one["unreadable"]] == [{"not_an_image": 1}]
    return decontaminate.load(str(output))


def test_fingerprints_of_all_kinds_of_files(held_out: Path, tmp_path: Path) -> None:
    found = fingerprints(held_out, tmp_path / "prints")
    assert sorted(found.origins) == [
        "evaluation/deep/one.jpg", "evaluation/three.parquet#0", "evaluation/three.parquet#0",
        "evaluation/two.tar#002", "evaluation/two.tar#003", "evaluation/zero.png",
    ]  # fmt: skip
    at = list(found.origins).index("evaluation/zero.png")
    hash_of_zero = images.perceptual_hash(np.asarray(picture(0).convert("RGB")))
    assert found.hashes[at].tobytes() == hash_of_zero


def test_copies_are_refused_and_explained(held_out: Path, tmp_path: Path) -> None:
    found = fingerprints(held_out, tmp_path / "prints")
    rows = [
        derived("fresh", jpeg(picture(20)), [jpeg(picture(21))]),
        derived("target", jpeg(picture(0).resize((64, 64)), 60), [jpeg(picture(22))]),
        derived("reference", jpeg(picture(23)), [jpeg(picture(24)), jpeg(picture(5, 80), 50)]),
        derived("validation", jpeg(picture(1)), [], split="validation"),
        derived("tar", jpeg(picture(3), 40), []),
    ]
    table = pa.concat_tables([schema.table_of(Derived, [row]) for row in rows])
    refused = decontaminate.refused(table, found, Thumbnails(), RULE)
    assert sorted(refused) == [1, 2, 4]
    assert refused[1].detail.startswith("target is evaluation/zero.png, ")
    assert refused[2].detail.startswith("reference 2 is evaluation/three.parquet#0, ")
    assert refused[4].detail.startswith("target is evaluation/two.tar#003, ")
    for one in refused.values():
        assert one.reason == "evaluation"
        assert one.value is not None
        assert one.value >= RULE.cosine == one.limit


def test_equal_hashes_alone_do_not_refuse(tmp_path: Path) -> None:
    """Two plain pictures have one hash; their vectors tell them apart."""

    class Colours(Thumbnails):
        def prepare(self, rgb: np.ndarray) -> np.ndarray:
            return np.asarray(rgb, np.float32).mean((0, 1))

        def images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            found = np.stack(batch)
            return found / np.linalg.norm(found, axis=1, keepdims=True)

    folder = tmp_path / "evaluation"
    folder.mkdir()
    Image.new("RGB", (64, 64), (200, 10, 10)).save(folder / "red.png")
    files, _ = evaluation.find([str(folder)])
    networks = Networks({"image_text": Colours()}, {})
    evaluation.fingerprint(files[0], networks, folder=str(tmp_path / "prints"))
    found = decontaminate.load(str(tmp_path / "prints"))
    rows = [
        derived("blue", jpeg(Image.new("RGB", (64, 64), (10, 10, 200))), []),
        derived("red", jpeg(Image.new("RGB", (64, 64), (200, 10, 10))), []),
    ]
    table = schema.table_of(Derived, rows)
    assert [*decontaminate.refused(table, found, Colours(), RULE)] == [1]


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--against .*nothing: no such folder, or no picture"):
        evaluation.find([str(tmp_path / "nothing")])


def test_no_evaluation_picture_refuses_nothing(tmp_path: Path) -> None:
    schema_of = schema.schema_of(schema.Fingerprint, 1)
    shards.write_part(str(tmp_path), evaluation.DATASET, "00000", schema_of.empty_table())
    empty = decontaminate.load(str(tmp_path))
    table = schema.table_of(Derived, [derived("a", jpeg(picture(0)), [])])
    assert decontaminate.refused(table, empty, Thumbnails(), RULE) == {}
