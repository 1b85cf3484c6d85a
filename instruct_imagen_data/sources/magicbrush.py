"""MagicBrush's layout as examples of mask-guided editing (section 5.3 of the paper).

data/train-00000-of-00051-*.parquet, data/dev-*.parquet, of the columns
img_id, turn_index, source_img, mask_img, instruction, target_img

The mask is the source with what is to be edited cut out (transparent), at times in another size:
so its authors say (OSU-NLP-Group/MagicBrush, issue 10). The files of its test split have no place
in a training corpus, and are refused by name.
"""

import dataclasses
import hashlib
import io
import posixpath
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from instruct_imagen_data import images, instructions, keys, storage, tasks
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import Encoded, Example, Reference, RejectRow

DATASET = "magicbrush"
TASK = tasks.Task("image_editing", ("content", "mask"))
COLUMNS = ("img_id", "turn_index", "source_img", "mask_img", "instruction", "target_img")
LICENCE = "CC-BY-4.0"
TEXTS = {"ref#1": "source image", "ref#2": "edit mask"}
TEMPLATE_ID = "magicbrush/001"
TEMPLATE = "Edit the {ref#1} inside the {ref#2} and nowhere else: {caption}"
REASONS = (*images.REASONS, "no_instruction", "no_mask", "misaligned")
_SPLITS = {"train": "train", "dev": "validation", "validation": "validation"}
_MAX_SKEW = 0.02  # sides of source and target may differ in their ratio by this much
_CUT = 128  # of 255: what is less opaque is cut out


class Unfit(Exception):
    """A row that gives no example; `reason` is one of REASONS, `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclasses.dataclass(frozen=True, slots=True)
class EditFile:
    """A Parquet file of edits: its place and its split."""

    path: str
    split: str

    @property
    def stem(self) -> str:
        return posixpath.basename(self.path).removesuffix(".parquet")


def files(place: str) -> list[EditFile]:
    """The files of a folder, sorted, those of the test split left out of it.

    Raises:
      UsageError: there is none, or one whose name says no split.
    """
    try:
        found = [one.path for one in storage.list_files(place, recursive=True)]
    except NotADirectoryError as error:
        raise UsageError(f"{place} is a file: name the folder that it lies in") from error
    listed = []
    for path in (path for path in found if path.endswith(".parquet")):
        split = posixpath.basename(path).split("-")[0].removesuffix(".parquet")
        if split == "test":
            raise UsageError(f"{path}: MagicBrush's test split is for no training: take it away")
        if split not in _SPLITS:
            raise UsageError(f"{path}: its name begins with no split: train- or dev-")
        listed.append(EditFile(path, _SPLITS[split]))
    if not listed:
        raise UsageError(
            f"{place}: edits are wanted as data/train-*.parquet and data/dev-*.parquet, of the "
            f"columns {', '.join(COLUMNS)}"
        )
    return listed


def example(row: Mapping[str, Any], split: str, side: int) -> Example:
    """The example of a row: target and references in one geometry, shorter side at most `side`.

    Raises:
      Unfit: says why the row gives none.
    """
    asked = " ".join((row["instruction"] or "").split())
    if not asked:
        raise Unfit("no_instruction")
    source, target = _picture(row["source_img"]), _picture(row["target_img"])
    ratio = source.width / source.height * target.height / target.width
    if abs(ratio - 1) > _MAX_SKEW:
        told = f"{source.width}x{source.height} to {target.width}x{target.height}"
        raise Unfit("misaligned", told)
    rgb = images.shrink(target.rgb, side)
    height, width = rgb.shape[:2]
    mask = images.encode_png(mask_of(_bytes(row["mask_img"]), width, height))
    parents = tuple(
        keys.pair_key("", "", _bytes(row[name])) for name in ("target_img", "source_img")
    )
    name = f"{row['img_id']}/{row['turn_index']}"
    key = keys.derived_key(DATASET, parents, name)
    shown = images.encode_jpeg(images.shrink(source.rgb, side))
    filled = {**TEXTS, "caption": asked}
    return Example(
        key=key,
        task=TASK.name,
        dataset=DATASET,
        instruction=instructions.render(TEMPLATE, filled).payload,
        template_id=TEMPLATE_ID,
        caption=asked,
        image=Encoded(images.encode_jpeg(rgb), f"{key[:16]}.jpg"),
        width=width,
        height=height,
        references=(
            Reference(
                1, "content", TEXTS["ref#1"], Encoded(shown, f"{key[:16]}.source.jpg"), True, ()
            ),
            Reference(2, "mask", TEXTS["ref#2"], Encoded(mask, f"{key[:16]}.mask.png"), True, ()),
        ),
        slots=(),
        checks=(),
        licence=LICENCE,
        sources=parents,
        split=split,
    )


def mask_of(data: bytes, width: int, height: int) -> np.ndarray:
    """What is to be edited, uint8 [height, width], 255 on 0.

    Raises:
      Unfit: `no_mask`: nothing is cut out of the picture, or all of it; or it is no picture.
    """
    _read(data)  # no bomb, no damage: what follows may trust the bytes
    with Image.open(io.BytesIO(data)) as opened:
        if opened.mode in ("1", "L"):  # drawn as a mask: white is edited
            cut = np.asarray(opened.convert("L")) >= _CUT
        else:
            cut = np.asarray(opened.convert("RGBA"))[..., 3] < _CUT
    if not cut.any() or cut.all():
        raise Unfit("no_mask", "nothing is cut out" if not cut.any() else "all is cut out")
    whole = Image.fromarray(np.where(cut, 255, 0).astype(np.uint8))
    return np.asarray(whole.resize((width, height), Image.Resampling.NEAREST))


def reject(row: Mapping[str, Any], place: EditFile, unfit: Unfit) -> RejectRow:
    """The reject row of a row that gives no example."""
    data = _bytes(row["target_img"])
    return RejectRow(
        key=keys.pair_key("", row["instruction"] or "", data),
        origin=f"{place.stem}/{row['img_id']}/{row['turn_index']}",
        url="",
        stage=DATASET,
        reason=unfit.reason,
        detail=unfit.detail,
        sha256=hashlib.sha256(data).hexdigest(),
        survivor="",
        value=None,
        threshold=None,
    )


def _bytes(image: Mapping[str, Any] | None) -> bytes:
    """Of an image struct; b'' where there is none."""
    return bytes((image or {}).get("bytes") or b"")


def _picture(image: Mapping[str, Any] | None) -> images.Picture:
    return _read(_bytes(image))


def _read(data: bytes) -> images.Picture:
    try:
        return images.read(data, images.STORED)
    except images.DecodeError as error:
        raise Unfit(error.reason, error.detail) from error
