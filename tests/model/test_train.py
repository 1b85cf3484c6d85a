"""The loop: exact resume, a stop, a kill, changed options, a loss that is no number."""

import dataclasses
import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.loader_sets import write_stage1, write_stage2
from helpers.training import Seen, run_of, weights

from instruct_imagen_data import schema
from instruct_imagen_data.errors import UsageError
from model import backbone, batches, checkpoint, train
from model.backbone import from_folder
from model.processes import Ranks

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_stage1(tmp_path / "data", rows=20)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The samples that the trainer takes, noted on their way."""
    noted = Seen(batches.stream)
    monkeypatch.setattr(train.batches, "stream", noted)
    return noted


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 20 kB: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def lines(run: Path) -> list[dict[str, object]]:
    """The metrics of a run, without what the clock says."""
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    clocks = ("samples_per_second", "data_wait")
    return [{name: one for name, one in line.items() if name not in clocks} for line in found]


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(
    tmp_path: Path, data: Path, seen: Seen
) -> None:
    train.train(run_of(tmp_path, data, "whole"))
    whole, seen.batches = seen.ids, []
    train.train(run_of(tmp_path, data, "broken", total_examples=8))
    state = train.train(run_of(tmp_path, data, "broken"))
    assert (state.examples, state.steps) == (24, 6)
    assert seen.ids == whole
    assert [index for index, _ in whole] == list(range(24))
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")
    assert lines(tmp_path / "broken") == lines(tmp_path / "whole")


def test_adafactor_resumes_bit_for_bit_as_well(tmp_path: Path, data: Path) -> None:
    kind = {"optimizer__kind": "adafactor"}
    train.train(run_of(tmp_path, data, "whole", total_examples=16, **kind))
    for total in (8, 16):
        train.train(run_of(tmp_path, data, "broken", total_examples=total, **kind))
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")


def test_a_resume_in_other_pieces_takes_the_same_samples(
    tmp_path: Path, data: Path, seen: Seen
) -> None:
    train.train(run_of(tmp_path, data, "run", total_examples=8))
    train.train(run_of(tmp_path, data, "run", total_examples=16, compute__micro_batch=1))
    assert [len(batch.keys) for batch in seen.batches] == [4, 4] + [1] * 8
    pieces, seen.batches = seen.ids, []
    train.train(run_of(tmp_path, data, "whole", total_examples=16))
    assert pieces == seen.ids


def test_gradients_in_pieces_are_those_of_the_whole(tmp_path: Path, data: Path) -> None:
    found = []
    for micro in (4, 2, 1):
        config = run_of(tmp_path, data, "run", compute__micro_batch=micro)
        learner, around = train.build(config, ALONE, None)
        given, pieces = train.data_of(config, learner.backbone, around, ALONE)
        stream = batches.stream(given)
        batch = [next(stream) for _ in range(pieces)]
        train.backward(learner.network, batch, around, config, ALONE)
        found.append([one.grad for one in learner.network.parameters() if one.grad is not None])
    assert len(found[0]) == len(list(learner.network.parameters()))
    for some in found[1:]:
        for one, whole in zip(some, found[0], strict=True):
            torch.testing.assert_close(one, whole, rtol=1e-5, atol=1e-5)


def test_checkpointed_activations_give_the_same_weights(tmp_path: Path, data: Path) -> None:
    for run, on in (("plain", False), ("checkpointed", True)):
        config = run_of(tmp_path, data, run, total_examples=8, compute__checkpointing=on)
        train.train(config)
    assert weights(tmp_path / "plain") == weights(tmp_path / "checkpointed")


def test_sigterm_ends_after_the_step_and_the_same_command_goes_on(
    tmp_path: Path, data: Path, seen: Seen
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    seen.at[3] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    config = run_of(tmp_path, data, "stopped")
    assert train.train(config).examples == 12
    assert signal.getsignal(signal.SIGTERM) is handler
    assert str(checkpoint.latest(config.run_dir)).endswith("000000000012")
    assert train.train(config).examples == 24
    train.train(run_of(tmp_path, data, "whole"))
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")
    assert lines(tmp_path / "stopped") == lines(tmp_path / "whole")


def test_a_save_that_fails_half_way_leaves_the_checkpoint_before(
    tmp_path: Path, data: Path, request: pytest.FixtureRequest
) -> None:
    config = run_of(tmp_path, data, "run")
    train.train(
        dataclasses.replace(config, train=dataclasses.replace(config.train, total_examples=8))
    )
    good = weights(tmp_path / "run")
    request.getfixturevalue("small_files")
    with pytest.raises(OSError, match="File too large"):
        train.train(config)
    assert str(checkpoint.latest(config.run_dir)).endswith("000000000008")
    assert weights(tmp_path / "run") == good


def test_what_a_kill_left_is_no_checkpoint_and_goes(tmp_path: Path, data: Path) -> None:
    train.train(run_of(tmp_path, data, "run", total_examples=8))
    left = tmp_path / "run/checkpoints/000000000012"
    left.mkdir()
    (left / checkpoint.DENOISER).write_bytes(b"half")
    train.train(run_of(tmp_path, data, "run"))
    folders = sorted(path.name for path in left.parent.iterdir())
    assert folders == ["000000000016", "000000000024"]
    train.train(run_of(tmp_path, data, "whole"))
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_changed_option_is_named_and_refused(tmp_path: Path, data: Path) -> None:
    train.train(run_of(tmp_path, data, "run", total_examples=8))
    with pytest.raises(UsageError, match=r"optimizer\.learning_rate was 0\.01 and is 0\.02"):
        train.train(run_of(tmp_path, data, "run", optimizer__learning_rate=0.02))
    with pytest.raises(UsageError, match=r"network\.context\.position was 'sincos2d' and is 'n"):
        train.train(run_of(tmp_path, data, "run", context__position="none"))
    free = {"output__save_every": 4, "output__log_every": 8, "output__keep": 1}
    state = train.train(run_of(tmp_path, data, "run", total_examples=12, **free))
    assert state.examples == 12


def test_init_begins_with_the_average_of_another_run(
    tmp_path: Path, data: Path, seen: Seen
) -> None:
    first = run_of(tmp_path, data, "one", total_examples=8)
    train.train(first)
    trained = from_folder(checkpoint.model_folder(first.run_dir))
    average = backbone.network(trained).state_dict()
    raw = weights(tmp_path / "one")
    assert raw["denoiser.safetensors"] != raw["model.safetensors"]

    second = write_stage2(tmp_path / "two-data", {"depth_webli": 20, "styled": 20})
    given = {"data__templates": str(second / "templates"), "init": first.run_dir}
    config = run_of(tmp_path, second, "two", 2, **given)
    learner, _ = train.build(config, ALONE, None)
    for some in (learner.network.state_dict(), learner.ema.weights):
        assert some.keys() == average.keys()
        assert all(torch.equal(some[name], one) for name, one in average.items())
    assert not learner.optimizer.state
    seen.batches = []
    state = train.train(config)
    assert (state.examples, state.steps) == (24, 6)
    assert [index for index, _ in seen.ids] == list(range(24))
    assert set(lines(tmp_path / "two")[-1]["drawn"]) == {"depth_webli", "styled"}  # type: ignore[call-overload]


def test_a_loss_that_is_no_number_ends_with_the_keys(
    tmp_path: Path, data: Path, seen: Seen
) -> None:
    config = run_of(tmp_path, data, "run", optimizer__learning_rate=1e30, output__save_every=4)
    with pytest.raises(UsageError, match="is not finite") as error:
        train.train(config)
    assert all(key in str(error.value) for key in seen.batches[-1].keys)
    # The step that was left out is in no checkpoint.
    taken = len(seen.batches) - 1
    assert str(checkpoint.latest(config.run_dir)).endswith(f"{4 * taken:012d}")


def test_numbers_that_do_not_divide_are_told(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UsageError, match="a batch of 4 does not divide by 1 processes of 3"):
        train.train(run_of(tmp_path, data, "run", compute__micro_batch=3))


def test_the_last_line_has_what_was_promised(tmp_path: Path) -> None:
    data = write_stage2(tmp_path / "data", {"depth_webli": 30, "styled": 30, "natural": 30})
    given = {"data__templates": str(data / "templates"), "output__gap_every": 1_000}
    train.train(run_of(tmp_path, data, "run", 2, total_examples=8, **given))
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert {"step", "examples", "loss", "samples_per_second", "context_gap"} <= last.keys()
    assert (last["step"], last["examples"]) == (2, 8)
    # What has no references has no gap.
    assert set(last["context_gap"]) == {"depth_webli", "styled"}
    for losses in last["context_gap"].values():
        assert losses.keys() == {"right", "shuffled", "none"}
    assert set(last["context_gap_by_time"]["styled"]) == {"0.1", "0.3", "0.5", "0.7", "0.9"}
    assert sum(last["drawn"].values()) == 8
    assert last["context_gap_missing"] == []


def test_a_dataset_whose_gap_cannot_be_measured_is_named(tmp_path: Path) -> None:
    def trained(row: schema.Example) -> schema.Example:
        return dataclasses.replace(row, split="train") if row.dataset == "styled" else row

    data = write_stage2(tmp_path / "data", {"depth_webli": 30, "styled": 30}, trained)
    given = {"data__templates": str(data / "templates"), "output__gap_every": 8}
    train.train(run_of(tmp_path, data, "run", 2, total_examples=8, **given))
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert last["context_gap"].keys() == {"depth_webli"}
    assert last["context_gap_missing"] == ["styled"]
