"""`instruct --against`: rows that repeat an evaluation picture are rejected, and it is told."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import derived_rows
from helpers.derived_rows import row
from helpers.source_jobs import refused
from PIL import Image

from instruct_imagen_data.schema import Encoded

Command = Callable[..., Any]


def picture(seed: int, side: int = 128, quality: int = 90) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 5, 3), np.uint8)
    image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=quality)
    return sink.getvalue()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Pictures 1 to 6 as natural rows, templates, and 3 and 5, smaller, as evaluation."""
    rows = [row("natural", n, image=Encoded(picture(n), "t.jpg")) for n in range(1, 7)]
    derived_rows.write(tmp_path / "examples", {"natural": {"00000": rows[:3], "00001": rows[3:]}})
    derived_rows.write_templates(tmp_path / "templates")
    (tmp_path / "evaluation").mkdir()
    for number in (3, 5):
        data = picture(number, 96, 60)
        (tmp_path / "evaluation" / f"{number}.jpg").write_bytes(data)
    (tmp_path / "evaluation" / "broken.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def run(made: Path, command: Command) -> Command:
    given = ("--examples", made / "examples", "--templates", made / "templates")
    against = ("--against", made / "evaluation", "--max-reject-rate", 1)
    return lambda *flags: command("instruct", *given, *against, "--output", made / "out", *flags)


def test_repeated_pictures_are_rejected_and_explained(run: Command, made: Path) -> None:
    done = run("--models", "embedded")
    assert done.code == 0, done
    assert "6 rows in, 4 rows of natural, 2 rejected" in done.out
    assert "compared with 2 evaluation pictures; 1 could not be read" in done.out
    kept = pq.read_table(made / "out" / "natural" / "part-00000.parquet")
    assert kept["caption"].to_pylist() == ["thing number 1", "thing number 2"]
    rejects = pq.read_table(made / "out" / "natural" / "_rejects").to_pylist()
    assert [one["reason"] for one in rejects] == ["evaluation"] * 2
    assert [one["origin"] for one in rejects] == ["part-00000.parquet#2", "part-00001.parquet#1"]
    assert rejects[0]["detail"].startswith("target is evaluation/3.jpg, ")
    assert all(one["value"] >= one["threshold"] for one in rejects)


def test_it_goes_on_and_refuses_other_sets(run: Command, made: Path) -> None:
    assert run("--models", "embedded").code == 0
    assert "nothing to do" in run("--models", "embedded").out
    (made / "evaluation" / "more.jpg").write_bytes(picture(1))
    done = run("--models", "embedded")
    refused(done, "--evaluation was")
    done = run("--models", "embedded", "--overwrite")
    assert done.code == 0
    assert "3 rejected" in done.out


def test_wrong_use(run: Command, made: Path, command: Command) -> None:
    done = run()
    refused(done, "is without a model set: say which compares pictures by --models")
    done = command(
        "instruct", "--examples", made / "examples", "--output", made / "out", "--against",
        made / "nothing", "--models", "embedded",
    )  # fmt: skip
    refused(done, "no such folder, or no picture in it")
    done = command(
        "instruct",
        "--examples",
        made / "examples",
        "--output",
        made / "out",
        "--models",
        "embedded",
    )
    refused(done, "name both")
