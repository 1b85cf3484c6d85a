"""A folder of drafts and a folder of examples, small, for the tests of the review."""

import dataclasses
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from instruct_imagen_data import schema, shards, tasks
from instruct_imagen_data.schema import Check, Derived, Encoded, Reference, Slot
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.drafts import Decision, Draft

HOSTILE = '<script>alert("1")</script> [ref#2] {ref#1} \u202eterces'
TEXTS = {
    "depth_webli": [
        "Paint {caption}, keeping the layout of the {ref#1}.",
        "{ref#1}: {caption}",
        "Depth as in {mark#1}; show {caption}",
    ],
    "styled": ["{caption} in the style of {ref#1}", "{caption}, as {artist} did {ref#1}"],
}


def picture(red: int) -> bytes:
    """A picture of one colour, 60 x 40."""
    sink = io.BytesIO()
    PIL.Image.new("RGB", (60, 40), (red, 120, 77)).save(sink, "PNG")
    return sink.getvalue()


def example(dataset: str, number: int, caption: str) -> Derived:
    """An example; each fourth one of styled has an artist."""
    task = tasks.TASKS[tasks.DATASETS[dataset].task]
    references = tuple(
        Reference(marker, role, f"{role} map", Encoded(picture(marker), "r.png"), False, ())
        for marker, role in enumerate(task.references, 1)
    )
    slots = (Slot("artist", f"Painter {number}"),) if number % 4 == 0 else ()
    key = hashlib.sha256(f"{dataset} {number}".encode()).hexdigest()
    return Derived(
        key, task.name, dataset, caption, Encoded(picture(number), "t.png"), 60, 40, references,
        slots if dataset == "styled" else (), (Check("x", 0.5),), "CC0", (key,), "train",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Folders:
    """Where a review finds what it needs."""

    examples: str
    drafts: str
    templates: str

    @property
    def flags(self) -> list[str]:
        named = {"examples": self.examples, "drafts": self.drafts, "templates": self.templates}
        return [text for name, folder in named.items() for text in (f"--{name}", folder)]


def draft(dataset: str, text: str, **other: object) -> Draft:
    """A draft of a text."""
    found = Draft(
        drafts.draft_id(dataset, text), text, "writer-1", "a curator", 1.0, 7, "ab" * 32,
        "2026-11-25T12:00:00+00:00",
    )  # fmt: skip
    return dataclasses.replace(found, **other)  # type: ignore[arg-type]


def decision(of: Draft, said: str, reviewer: str, text: str = "", at: str = "") -> Decision:
    """A decision of a person."""
    given = {"accept": of.text, "edit": text, "reject": ""}[said]
    return Decision(of.id, said, given, "", reviewer, "person", at or "2026-11-25T12:00:00+00:00")


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 examples of depth_webli, all of them hostile, and 20 of styled, in two parts each."""
    folder = tmp_path_factory.mktemp("examples")
    for dataset in TEXTS:
        caption = HOSTILE if dataset == "depth_webli" else "a fox in snow"
        for part in range(2):
            rows = [example(dataset, 10 * part + n, caption) for n in range(10)]
            table = schema.table_of(Derived, rows)
            shards.write_part(str(folder), dataset, f"0000{part}-000", table)
    return folder


@pytest.fixture
def folders(examples: Path, tmp_path: Path) -> Folders:
    """The examples, new drafts of TEXTS, and a folder for templates that is empty."""
    (tmp_path / "templates").mkdir()
    for dataset, texts in TEXTS.items():
        found = [draft(dataset, text) for text in texts]
        drafts.append(dataset, found, str(tmp_path / "drafts"))
    return Folders(str(examples), str(tmp_path / "drafts"), str(tmp_path / "templates"))


@pytest.fixture(scope="session", name="draft")
def draft_fixture() -> Callable[..., Draft]:
    """draft(dataset, text, **fields): a draft."""
    return draft


@pytest.fixture(scope="session", name="decision")
def decision_fixture() -> Callable[..., Decision]:
    """decision(draft, verdict, reviewer, text="", at=""): a decision of a person."""
    return decision
