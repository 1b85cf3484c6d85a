"""What all jobs share: how settings are compared, outputs emptied, errors told in one line."""

import dataclasses
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pytest

from instruct_imagen_data import shards, storage
from instruct_imagen_data.errors import UsageError
from pipelines import job, outputs, runners
from pipelines.progress import Progress


def plan(settings: dict[str, Any], inputs: dict[str, int], grows: bool = True) -> job.Plan:
    return job.Plan(settings, inputs, {name: f"/in/{name}" for name in inputs}, [], grows)


def begin(output: Path, made: job.Plan, overwrite: bool = False, verb: str = "corpus") -> Any:
    """The first two steps of a start; the job file of the run it continues."""
    now = job._job_file(verb, made)
    former = outputs.former_of(str(output), now, made.grows, overwrite)
    outputs.prepare(str(output), now, former, overwrite)
    return former


FIRST = ({"min_side": 64, "models": "embedded"}, {"a.tar": 5, "b.tar": 6})


def test_the_same_job_continues(tmp_path: Path) -> None:
    assert begin(tmp_path / "out", plan(*FIRST)) is None
    written = (tmp_path / "out" / shards.JOB).read_bytes()
    assert json.loads(written)["inputs"] == FIRST[1]
    assert begin(tmp_path / "out", plan(*FIRST))["settings"] == FIRST[0]
    assert (tmp_path / "out" / shards.JOB).read_bytes() == written


@pytest.mark.parametrize(
    ("settings", "inputs", "message"),
    [
        ({"min_side": 32, "models": "embedded"}, FIRST[1], "--min-side was 64, is now 32"),
        ({"min_side": 64}, FIRST[1], "--models was 'embedded', is now None"),
        (FIRST[0], {"a.tar": 5}, "input b.tar is no longer there"),
        (FIRST[0], {"a.tar": 5, "b.tar": 7}, "input b.tar had 6 bytes, has now 7"),
        (FIRST[0], {f"{n}.tar": 1 for n in range(9)}, "input a.tar is no longer .*; .*b.tar"),
    ],
)
def test_another_job_is_named_and_refused(
    tmp_path: Path, settings: dict[str, Any], inputs: dict[str, int], message: str
) -> None:
    begin(tmp_path, plan(*FIRST))
    (tmp_path / "part").touch()
    with pytest.raises(UsageError, match=f"holds another job: {message}.*--overwrite"):
        begin(tmp_path, plan(settings, inputs))
    assert (tmp_path / "part").exists()
    assert begin(tmp_path, plan(settings, inputs), overwrite=True) is None
    assert [path.name for path in tmp_path.iterdir()] == [shards.JOB]
    assert json.loads((tmp_path / shards.JOB).read_text())["settings"] == settings


def test_inputs_may_be_added_to_a_job_that_grows(tmp_path: Path) -> None:
    begin(tmp_path, plan(*FIRST))
    (tmp_path / shards.MANIFEST).write_text("{}")
    more = {"0.tar": 1, **FIRST[1]}
    with pytest.raises(UsageError, match=r"input 0.tar is new"):
        begin(tmp_path, plan(FIRST[0], more, grows=False))
    assert (tmp_path / shards.MANIFEST).exists()
    begin(tmp_path, plan(FIRST[0], more))
    assert not (tmp_path / shards.MANIFEST).exists()  # no longer finished
    assert list(json.loads((tmp_path / shards.JOB).read_text())["inputs"]) == list(more)


def test_many_differences_are_cut_short(tmp_path: Path) -> None:
    begin(tmp_path, plan({}, {f"{n}.tar": 1 for n in range(100)}))
    with pytest.raises(UsageError, match="and 95 more") as caught:
        begin(tmp_path, plan({}, {}))
    assert len(str(caught.value)) < 500


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="not empty and holds no job"):
            begin(tmp_path, plan(*FIRST), overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_another_verbs_output_is_refused(tmp_path: Path) -> None:
    begin(tmp_path, plan(*FIRST))
    with pytest.raises(UsageError, match="it was written by 'corpus'"):
        begin(tmp_path, plan(*FIRST), verb="neighbours")


def test_a_start_beside_another_deletes_nothing(tmp_path: Path) -> None:
    """Two starts at once: the second looked before the first wrote its job file."""
    made = plan(*FIRST)
    now = job._job_file("corpus", made)
    outputs.prepare(str(tmp_path), now, None, False)
    (tmp_path / "part").touch()
    outputs.prepare(str(tmp_path), now, None, False)
    assert (tmp_path / "part").exists()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / f"{shards.JOB}.host-1-1.tmp").touch()  # the first is writing it
    assert outputs.former_of(str(tmp_path / "new"), now, True, False) is None


def test_emptying_takes_what_vouches_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped at any moment, no manifest or commit stays of files that are gone."""
    names = ["images/p", "_rejects/p", "_MANIFEST.json", "_phases/x/_MANIFEST.json", "_JOB.json"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    order: list[str] = []
    delete = storage.delete

    def watched(place: str) -> None:
        order.append(str(Path(place).relative_to(tmp_path)))
        delete(place)

    monkeypatch.setattr(storage, "delete", watched)
    outputs.clear(str(tmp_path))
    assert set(order[:3]) == {"_MANIFEST.json", "_phases/x/_MANIFEST.json", "_rejects/p"}
    assert order[3:] == ["images/p"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "/x"), "no space left on the disk .* free some"),
        (PermissionError(13, "Permission denied", "/x"), "Permission denied: '/x'"),
        (
            RuntimeError(
                "Trace\n  x\nOSError: [Errno 28] No space left on device: 'y' [while running 'W']"
            ),
            "no space left on the disk",
        ),
        (
            RuntimeError(
                "Traceback\ninstruct_imagen_data.errors.UsageError: b.tar: no [while running 'R']\n"
            ),
            "b.tar: no$",
        ),
        (RuntimeError("x\nOSError: lost connection\n\nDuring\n\nKeyError: 'a'\n"), None),
        (
            RuntimeError(
                "Trace\nRuntimeError: OSError: [Errno 5] Input/output error [while running 'W']"
            ),
            r"\[Errno 5\] Input/output error$",
        ),
        (RuntimeError("KeyError: 'a'"), None),
        (RuntimeError("something"), None),
    ],
)
def test_one_line_for_what_is_no_bug(error: Exception, line: str | None) -> None:
    found = runners.cause(error)
    if line is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(line, found)
        assert "\n" not in found


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("free", "size", "outcome"),
    [
        (10**12, 10**9, "fits"),
        (10**9, 2 * 10**9, "warns"),
        (10**6, 10**9, "refuses"),
        (10**6, 10**5, "fits"),
        (10**6, 0, "fits"),
    ],
)
def test_room(
    tmp_path: Path, free: int, size: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free))
    output = str(tmp_path / "not" / "yet")
    if outcome == "refuses":
        with pytest.raises(
            UsageError, match=r"no room for .* 1.00 GB are needed, 0.00 GB are free"
        ):
            runners.check_disk(output, size)
    else:
        found = runners.check_disk(output, size)
        assert (found is None) == (outcome == "fits")
        assert runners.check_disk("s3://bucket/x", size) is None


def test_a_restart_needs_room_for_the_rest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 10))
    (tmp_path / "part").write_bytes(bytes(995))
    assert runners.check_disk(str(tmp_path), 1000) is None


@pytest.mark.parametrize(
    "name", ["DaskRunner", "daskrunner", "apache_beam.runners.dask.dask_runner.DaskRunner"]
)
def test_the_runner_that_loses_data(name: str) -> None:
    with pytest.raises(UsageError, match=r"DaskRunner is refused: .* loses rows"):
        runners.with_defaults([f"--runner={name}"])


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ([], [f"--direct_num_workers={os.cpu_count()}", "--direct_running_mode=multi_threading"]),
        (
            ["--direct_num_workers=3"],
            ["--direct_num_workers=3", "--direct_running_mode=multi_threading"],
        ),
        (["--runner", "PrismRunner"], ["--runner", "PrismRunner"]),
        (["--runner=DataflowRunner"], ["--runner=DataflowRunner"]),
    ],
)
def test_local_defaults(given: list[str], made: list[str]) -> None:
    assert runners.with_defaults(given) == made


def test_flags_are_told_apart() -> None:
    argv = [
        "--runner=PrismRunner",
        "--input",
        "a",
        "--direct_num_workers",
        "2",
        "--output=b",
        "--plan",
    ]
    assert runners.split_flags(argv) == (
        ["--runner=PrismRunner", "--direct_num_workers", "2"],
        ["--input", "a", "--output=b", "--plan"],
    )
    # A value that looks like the rest of the line is not taken for it.
    assert runners.split_flags(["--input", "x", "--runner", "x"]) == (
        ["--runner", "x"],
        ["--input", "x"],
    )
    assert "--direct_num_workers" in runners.flag_names()


@dataclasses.dataclass(frozen=True)
class Flags:
    input: str
    output: str
    min_side: int


def test_options_settings() -> None:
    assert job.settings_of(Flags("i", "o", 7), precision="fp32") == {
        "min_side": 7,
        "precision": "fp32",
    }


def test_step_names() -> None:
    pipeline = beam.Pipeline(options=runners.pipeline_options([]))
    numbers = pipeline | "Numbers" >> beam.Create([1])
    numbers | "Spread" >> beam.Reshuffle() | "Double" >> beam.Map(lambda n: 2 * n)
    assert list(runners.step_names(pipeline)) == ["Numbers", "Spread", "Double"]


def test_progress_counts_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "part-1").touch()
    with Progress("corpus", [str(tmp_path)], 4, 100):
        (tmp_path / "part-2").touch()
        (tmp_path / "part-3.tmp").touch()
    assert "2/2 [" in capsys.readouterr().err


def test_progress_survives_a_storage_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> list[storage.File]:
        raise OSError("no answer")

    monkeypatch.setattr(storage, "list_files", fail)
    with Progress("corpus", [str(tmp_path)], 4):
        pass


def test_an_interrupt_that_is_lost_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python drops what a finaliser raises; a Ctrl-C that comes then must not be lost."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back at the end

    class Interrupted:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def run() -> None:
        with runners._quiet_teardown():
            Interrupted()
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        run()
