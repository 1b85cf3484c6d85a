"""Control examples, with arithmetic for networks: conditions, guards, checks, rejects."""

import dataclasses
import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.stats import spearmanr

from instruct_imagen_data import encoding, keys, schema
from instruct_imagen_data.annotators.maps import Map, min_max
from instruct_imagen_data.stages import control, derived
from instruct_imagen_data.stages.derived import Made, Networks, SourceBlock, Terms
from instruct_imagen_data.stages.kept import Kept

SIDE = 64  # of the targets
DETECTION = 96  # of the arithmetic networks
DATASETS = ("depth_webli", "mask_webli", "edge_webli")
ANY = Terms()
LICENCES = {"depth": "MIT", "mask": "Apache-2.0", "edge": "CC0"}


def grey(rgb: np.ndarray) -> np.ndarray:
    """float32 [DETECTION, DETECTION]: mean of the colours, squeezed into a square."""
    mean = rgb.astype(np.float32).mean(axis=2)
    return np.asarray(cv2.resize(mean, (DETECTION, DETECTION), interpolation=cv2.INTER_AREA))


@dataclasses.dataclass
class Arithmetic:
    """A network of one formula; remembers the shapes it was shown."""

    formula: Callable[[np.ndarray], Map]
    shown: list[tuple[int, ...]] = dataclasses.field(default_factory=list)
    batches: list[int] = dataclasses.field(default_factory=list)

    def prepare(self, rgb: np.ndarray) -> np.ndarray:
        assert rgb.dtype == np.uint8
        self.shown.append(rgb.shape)
        return grey(rgb)

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Map]:
        self.batches.append(len(batch))
        return [self.formula(one) for one in batch]


def brightness(pixels: np.ndarray) -> Map:
    """The nearer the brighter."""
    found, differ = min_max(pixels)
    return Map(found, float(differ))


def bright(pixels: np.ndarray) -> Map:
    """The object is what is bright; as sure as the brightest pixel."""
    return Map(np.where(pixels >= 160, 255, 0).astype(np.uint8), float(pixels.max()) / 255)


def steps(pixels: np.ndarray) -> Map:
    """Lines where neighbours differ."""
    across, down = np.abs(np.diff(pixels, axis=1)), np.abs(np.diff(pixels, axis=0))
    found = np.zeros(pixels.shape, np.uint8)
    found[:, 1:][across > 25] = 255
    found[1:][down > 25] = 255
    return Map(found)


def networks() -> Networks:
    return Networks(
        {"depth": Arithmetic(brightness), "mask": Arithmetic(bright), "edge": Arithmetic(steps)},
        LICENCES,
    )


def scene(width: int = 160, height: int = 120, *, bright_at: int = 40) -> np.ndarray:
    """A picture uint8 [h, w, 3]: a bright square on a dark slope."""
    rgb = np.repeat(np.linspace(10, 90, height)[:, None, None], width, axis=1)
    rgb = np.repeat(rgb, 3, axis=2)
    rgb[height // 4 : height // 2, bright_at : bright_at + width // 3] = (200, 220, 240)
    return rgb.astype(np.uint8)


def kept(rgb: np.ndarray, name: str, kind: str = "PNG", licence: str = "CC BY 4.0") -> Kept:
    sink = io.BytesIO()
    Image.fromarray(rgb).save(sink, kind)
    height, width = rgb.shape[:2]
    image = schema.Image(
        key=hashlib.sha256(name.encode()).hexdigest(),
        origin=f"a.tar#{name}",
        url=f"https://example.com/{name}",
        caption=f"a {name}",
        image=schema.Encoded(sink.getvalue(), f"x.{kind.lower()}"),
        width=width,
        height=height,
        original_width=width,
        original_height=height,
        reencoded=False,
        sha256=hashlib.sha256(sink.getvalue()).hexdigest(),
        phash=bytes(32),
        licence=licence,
        metadata="{}",
    )
    return Kept(image, "train")


def block_of(rows: Sequence[Kept], datasets: tuple[str, ...] = DATASETS) -> SourceBlock:
    nothing = schema.table_of(schema.RejectRow, [])
    return SourceBlock("p-000", datasets, tuple(row.image.key for row in rows), rows, nothing)


def run(
    rows: Sequence[Kept],
    datasets: tuple[str, ...] = DATASETS,
    terms: Terms = ANY,
    by: Networks | None = None,
) -> dict[str, Made]:
    block = block_of(rows, datasets)
    found = control.control_block(block, by or networks(), terms=terms, side=SIDE)
    for name, made in found.items():
        derived.check_conservation(block, name, made)
    return found


def rejects(made: Made) -> dict[str, str]:
    """origin's name -> reason"""
    return {row["origin"].split("#")[1]: row["reason"] for row in made.rejects.to_pylist()}


def pixels(encoded: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded["bytes"])))


def resized(found: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR))


def test_rows() -> None:
    """Every field of the three rows of one picture, by other means."""
    rgb = scene()
    row = kept(rgb, "square")
    made = run([row])
    assert [*made] == list(DATASETS)
    assert all(one.rejects.num_rows == 0 for one in made.values())
    texts = {"depth": "depth map", "mask": "object mask", "edge": "edge image"}
    width, height = 85, SIDE  # 160 x 120, the shorter side 64: 85.33
    small = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))
    expected = {
        "depth": resized(brightness(grey(rgb)).pixels, width, height),
        "mask": np.where(resized(bright(grey(rgb)).pixels, width, height) >= 128, 255, 0),
        "edge": resized(steps(grey(rgb)).pixels, width, height),
    }
    targets = set()
    for name in DATASETS:
        (found,) = made[name].rows.to_pylist()
        role = name.removesuffix("_webli")
        assert found["key"] == keys.derived_key(name, (row.image.key,))
        assert (found["task"], found["dataset"]) == (f"{role}_to_image", name)
        assert found["caption"] == "a square"
        assert found["sources"] == [row.image.key]
        assert (found["split"], found["slots"]) == ("train", [])
        assert (found["width"], found["height"]) == (width, height)
        assert found["image"]["bytes"][:2] == b"\xff\xd8"
        targets.add(found["image"]["bytes"])
        assert np.abs(pixels(found["image"]).astype(int) - small).mean() < 2
        (reference,) = found["references"]
        assert (reference["marker"], reference["role"]) == (1, role)
        assert (reference["text"], reference["aligned"]) == (texts[role], True)
        assert reference["image"]["bytes"][:4] == b"\x89PNG"
        np.testing.assert_array_equal(pixels(reference["image"]), expected[role])
    assert len(targets) == 1
    licences = [one.rows["licence"][0].as_py() for one in made.values()]
    assert licences == [
        "CC BY 4.0; MIT",
        "Apache-2.0; CC BY 4.0",
        "Apache-2.0; CC BY 4.0; CC0; MIT",
    ]


def test_edges_of_the_depth_map_and_of_the_mask() -> None:
    rgb = scene()
    (found,) = run([kept(rgb, "square")])["edge_webli"].rows.to_pylist()
    variants = {one["name"]: pixels(one["image"]) for one in found["references"][0]["variants"]}
    assert [*variants] == ["depth", "mask"]
    mask = np.where(resized(bright(grey(rgb)).pixels, 160, 120) >= 128, 255, 0).astype(np.uint8)
    depth = resized(brightness(grey(rgb)).pixels, 160, 120)
    for name, source in (("depth", depth), ("mask", mask)):
        lines = steps(grey(np.repeat(source[..., None], 3, axis=2))).pixels
        np.testing.assert_array_equal(variants[name], resized(lines, 85, SIDE))
    # Where there is no depth and no object, the photo's own edges stay alone.
    by = networks()
    by.by_role["depth"].formula = lambda one: Map(np.zeros(one.shape, np.uint8), 0.0)
    by.by_role["mask"].formula = lambda one: Map(np.zeros(one.shape, np.uint8), 0.1)
    (alone,) = run([kept(rgb, "square")], by=by)["edge_webli"].rows.to_pylist()
    assert alone["references"][0]["variants"] == []
    assert alone["references"][0]["image"] == found["references"][0]["image"]


def test_maps_are_made_before_the_picture_is_shrunk() -> None:
    by = networks()
    run([kept(scene(), "square")], by=by)
    for role in ("depth", "mask"):
        assert by.by_role[role].shown == [(120, 160, 3), (SIDE, 85, 3)]  # picture, then target
    assert by.by_role["edge"].shown == [(120, 160, 3), (SIDE, 85, 3), *[(120, 160, 3)] * 2]


def test_guards_refuse_for_one_dataset_alone() -> None:
    plain = np.full((80, 80, 3), 100, np.uint8)
    soft = np.repeat(np.linspace(60, 110, 80)[:, None, None], 80, axis=1).repeat(3, axis=2)
    speck = scene()
    speck[:] = np.minimum(speck, 90)
    speck[50:56, 50:56] = 250
    white = np.full((80, 80, 3), 250, np.uint8)
    white[:4] = 100
    rows = [
        kept(rgb.astype(np.uint8), name)
        for name, rgb in [
            ("plain", plain), ("soft", soft), ("speck", speck), ("white", white), ("good", scene())
        ]
    ]  # fmt: skip
    made = run(rows)
    assert rejects(made["depth_webli"]) == {"plain": "flat_depth"}
    assert rejects(made["mask_webli"]) == dict.fromkeys(
        ("plain", "soft", "speck", "white"), "no_object"
    )
    assert rejects(made["edge_webli"]) == {"plain": "no_edges", "soft": "no_edges"}
    details = {row["origin"]: row["detail"] for row in made["mask_webli"].rejects.to_pylist()}
    assert "sure" in details["a.tar#plain"]
    assert "% of the picture" in details["a.tar#speck"]
    (edges, *_) = made["edge_webli"].rejects.to_pylist()
    assert (edges["stage"], edges["value"], edges["threshold"]) == ("control", 0.0, 0.001)
    assert edges["url"] == "https://example.com/plain"


def thin(edges: np.ndarray) -> np.ndarray:
    from skimage.morphology import skeletonize

    return np.asarray(skeletonize(edges >= 128))


def test_checks_compare_the_stored_target_with_the_condition() -> None:
    made = run([kept(scene(), "square")])
    values = {}
    for name in DATASETS:
        (row,) = made[name].rows.to_pylist()
        (one,) = row["checks"]
        values[one["name"]] = one["value"]
        asked, stored = pixels(row["references"][0]["image"]), pixels(row["image"])
        if name == "depth_webli":
            again = resized(brightness(grey(stored)).pixels, 85, SIDE)
            expected = spearmanr(asked.ravel(), again.ravel()).statistic
        elif name == "mask_webli":
            again = resized(bright(grey(stored)).pixels, 85, SIDE) >= 128
            expected = (again & (asked > 0)).sum() / (again | (asked > 0)).sum()
        else:
            one_way, other = thin(asked), thin(resized(steps(grey(stored)).pixels, 85, SIDE))
            precision = (distance_transform_edt(~other)[one_way] <= 2).mean()
            recall = (distance_transform_edt(~one_way)[other] <= 2).mean()
            expected = 2 * precision * recall / (precision + recall)
        assert one["value"] == pytest.approx(expected, abs=1e-6)
    assert [*values] == ["depth_agreement", "mask_iou", "edge_f1"]
    assert all(value > 0.8 for value in values.values())


def test_a_target_that_does_not_fulfil_its_condition_is_refused() -> None:
    """The network sees lines in the picture which a smaller target no longer shows."""
    fine = np.zeros((512, 512, 3), np.uint8)
    fine[:, ::2] = 255  # stripes of one pixel: gone at 64
    fine[200:300, 200:300] = 255
    by = networks()
    by.by_role["mask"].formula = lambda one: Map(np.full(one.shape, 100, np.uint8), 0.9)
    row = kept(fine, "stripes")

    def sharp(rgb: np.ndarray) -> np.ndarray:
        return np.asarray(
            cv2.resize(rgb[..., 0], (DETECTION, DETECTION), interpolation=cv2.INTER_NEAREST),
            np.float32,
        )

    by.by_role["edge"].prepare = sharp
    (found,) = run([row], ("edge_webli",), by=by)["edge_webli"].rows.to_pylist()
    value = found["checks"][0]["value"]
    assert value < 0.7
    made = run([row], ("edge_webli",), Terms(min_check=value + 0.01), by=by)["edge_webli"]
    (lost,) = made.rejects.to_pylist()
    assert (lost["reason"], lost["detail"]) == ("check", "edge_f1")
    assert lost["value"] == pytest.approx(value)
    assert lost["threshold"] == pytest.approx(value + 0.01)
    low = Terms(min_check=value - 1e-6)  # checks are stored as float32
    assert run([row], ("edge_webli",), low, by=by)["edge_webli"].rows.num_rows == 1


def test_licences() -> None:
    texts = ["CC BY 4.0", "CC BY-NC 4.0", "", "?", "CC0"]
    rows = [kept(scene(bright_at=30 + n), f"s{n}", licence=text) for n, text in enumerate(texts)]
    by = networks()
    made = run(rows, terms=Terms("commercial"), by=by)
    for one in made.values():
        assert one.rows.num_rows == 2
        assert rejects(one) == dict.fromkeys(("s1", "s2", "s3"), "licence")
    assert by.by_role["depth"].batches == [2, 2]  # what is refused is not looked at
    everything = run(rows)["depth_webli"].rows["licence"].to_pylist()
    assert everything[2] == "MIT; unknown"


def shapes(count: int) -> list[Kept]:
    """Pictures of several shapes, in no order."""
    sizes = [(160, 120), (120, 160), (100, 100), (200, 80)]
    return [kept(scene(*sizes[n * 7 % 4], bright_at=20 + n % 30), f"n{n}") for n in range(count)]


def test_order_is_the_corpus_and_networks_see_few_at_a_time() -> None:
    rows = shapes(70)
    by = networks()
    made = run(rows, by=by)
    for one in made.values():
        sources = [key for (key,) in one.rows["sources"].to_pylist()]
        lost = set(one.rejects["key"].to_pylist())
        assert sources == [row.image.key for row in rows if row.image.key not in lost]
    assert by.by_role["depth"].batches == [32, 32, 32, 32, 6, 6]


@pytest.mark.parametrize("some", [("depth_webli",), ("edge_webli",), ("edge_webli", "mask_webli")])
def test_some_datasets_come_out_as_among_all(some: tuple[str, ...]) -> None:
    rows = shapes(40)
    whole = run(rows)
    for name, made in run(rows, some).items():
        assert encoding.serialise(made.rows).equals(encoding.serialise(whole[name].rows))
        assert encoding.serialise(made.rejects).equals(encoding.serialise(whole[name].rejects))


def test_networks_that_nothing_needs_are_not_asked() -> None:
    by = networks()
    del by.by_role["edge"], by.by_role["depth"]  # type: ignore[attr-defined]
    assert run([kept(scene(), "square")], ("mask_webli",), by=by)["mask_webli"].rows.num_rows == 1


def test_targets_are_never_enlarged_nor_coded_again() -> None:
    small = kept(scene(60, 50), "small", "JPEG")
    tall = kept(scene(100, 400), "tall", "JPEG")
    png = kept(scene(60, 50), "png")
    rows = {row["caption"]: row for row in run([small, tall, png])["depth_webli"].rows.to_pylist()}
    assert rows["a small"]["image"]["bytes"] == small.image.image.bytes
    assert (rows["a small"]["width"], rows["a small"]["height"]) == (60, 50)
    assert (rows["a tall"]["width"], rows["a tall"]["height"]) == (64, 256)
    assert (rows["a png"]["width"], rows["a png"]["height"]) == (60, 50)
    assert rows["a png"]["image"]["bytes"][:2] == b"\xff\xd8"


def test_a_block_of_nothing() -> None:
    made = run([])
    assert all(one.rows.num_rows == one.rejects.num_rows == 0 for one in made.values())
