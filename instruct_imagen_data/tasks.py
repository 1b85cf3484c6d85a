"""The nine tasks and the eleven datasets of stage 2 (Table 1 of the paper), as literals.

This table is the registry: a new dataset is a line here, a builder in `pipelines/` and
`stages/derive/`, a file in `templates/` and a planted case.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeVar

ROLES = ("depth", "mask", "edge", "sketch", "subject", "face", "style", "content")
CATEGORIES = ("text", "control", "subject", "styled", "transfer")


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is asked of the model.

    Attributes:
      name: Such as depth_to_image.
      references: Role of each marker, in order: the first is [ref#1].
      captioned: Whether the target has a caption that the instruction states.
    """

    name: str
    references: tuple[str, ...]
    captioned: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Dataset:
    """A source of examples of one task.

    Attributes:
      name: Of its folder and of its template file.
      task: A name in TASKS.
      category: Of the five of section 3.2; where one dataset is missing, the others of its
        category take its share.
      ratio: Share of stage 2's draws (Table 1).
      paper_examples: Examples that the paper's dataset holds (Table 1).
      slots: Texts beside the caption that its rows may hold; a template that needs one is drawn
        for rows that have it.
    """

    name: str
    task: str
    category: str
    ratio: float
    paper_examples: int
    slots: tuple[str, ...] = ()


Named = TypeVar("Named", Task, Dataset)


def _by_name(rows: Sequence[Named]) -> Mapping[str, Named]:
    return {row.name: row for row in rows}


TASKS = _by_name(
    (
        Task("text_to_image", ()),
        Task("depth_to_image", ("depth",)),
        Task("mask_to_image", ("mask",)),
        Task("edge_to_image", ("edge",)),
        Task("sketch_to_image", ("sketch",)),
        Task("subject_to_image", ("subject",)),
        Task("face_to_image", ("face",)),
        Task("styled_generation", ("style",)),
        Task("style_transfer", ("style", "content"), captioned=False),
    )
)
_PAINTED = ("style", "artist")  # of a painting, as far as its folder says
DATASETS = _by_name(
    (
        Dataset("natural", "text_to_image", "text", 0.15, 5_000_000),
        Dataset("wikiart", "text_to_image", "text", 0.05, 100_000, _PAINTED),
        Dataset("depth_webli", "depth_to_image", "control", 0.06, 5_700_000),
        Dataset("mask_webli", "mask_to_image", "control", 0.06, 5_700_000),
        Dataset("edge_webli", "edge_to_image", "control", 0.06, 5_700_000),
        Dataset("sketch2image", "sketch_to_image", "control", 0.02, 15_000),
        Dataset("suti", "subject_to_image", "subject", 0.30, 750_000),
        Dataset("celeba", "face_to_image", "subject", 0.05, 100_000),
        Dataset("celeba_hq", "face_to_image", "subject", 0.05, 100_000),
        Dataset("styled", "styled_generation", "styled", 0.10, 100_000, _PAINTED),
        Dataset("style_transfer", "style_transfer", "transfer", 0.10, 1_000_000, _PAINTED),
    )
)
