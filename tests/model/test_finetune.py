"""Fine-tuning on a new task: what it begins with, what it reads, and that it goes on exactly."""

import dataclasses
import itertools
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.loader_sets import edit, write_edits, write_stage1, write_stage2
from helpers.training import Seen, micro, run_of, weights

from instruct_imagen_data import schema
from instruct_imagen_data.errors import SchemaMismatch, UsageError
from model import backbone, batches, checkpoint, train
from model.batches import DataConfig
from model.evaluate import rows
from model.options import Options
from model.options import config_of as config_from
from model.processes import Ranks

PLAIN = {"drop_both": 0.0, "drop_context": 0.0}


def config_of(folder: Path, **changes: Any) -> DataConfig:
    given = {"size": 8, "batch_size": 4, "lanes": 4, "window": 8, "max_references": 1, **PLAIN}
    return DataConfig(str(folder), "finetune", **(given | changes))


@pytest.fixture
def edits(tmp_path: Path) -> Path:
    return write_edits(tmp_path / "edits")


@pytest.fixture
def init(tmp_path: Path) -> str:
    """A run that has learnt something."""
    data = write_stage1(tmp_path / "data", rows=20)
    config = run_of(tmp_path, data, "first", total_examples=8)
    train.train(config)
    return config.run_dir


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(
    tmp_path: Path, edits: Path, init: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen(batches.stream)
    monkeypatch.setattr(train.batches, "stream", seen)
    given = {"init": init, "output__gap_every": 8, "output__gap_rows": 2}
    train.train(run_of(tmp_path, edits, "whole", "finetune", total_examples=16, **given))
    whole, seen.batches = seen.ids, []
    train.train(run_of(tmp_path, edits, "broken", "finetune", total_examples=8, **given))
    shutil.rmtree(init)  # it is of no use to what has begun
    train.train(run_of(tmp_path, edits, "broken", "finetune", total_examples=16, **given))
    assert seen.ids == whole
    assert [index for index, _ in whole] == list(range(16))
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")
    last = json.loads((tmp_path / "broken/metrics.jsonl").read_text().splitlines()[-1])
    assert last["drawn"] == {"magicbrush": 16}
    assert last["context_gap"]["magicbrush"].keys() == {"right", "shuffled", "none"}


def test_it_begins_with_what_was_learnt(tmp_path: Path, edits: Path, init: str) -> None:
    with pytest.raises(UsageError, match="name a run of stage 2 as --init"):
        run_of(tmp_path, edits, "run", "finetune")
    assert run_of(tmp_path, edits, "run", "finetune", backbone="sd").backbone == "sd"
    config = run_of(tmp_path, edits, "run", "finetune", init=init)
    learner, _ = train.build(config, Ranks(0, 1, torch.device("cpu")), None)
    learnt = backbone.network(backbone.load(checkpoint.model_folder(init))).state_dict()
    for name, one in learner.network.state_dict().items():
        assert torch.equal(one, learnt[name])


def test_the_paper_s_ten_thousand_steps() -> None:
    config = config_from(Options("paper", "data", "run", "finetune", init="two"), {})
    assert config.train.total_examples == 10_000 * config.train.batch_size
    assert 0 < config.optimizer.warmup_examples < config.train.total_examples / 2
    second = config_from(Options("paper", "data", "run", 2), {})
    assert second.optimizer.warmup_examples == 10_000 * 512


def test_the_row_s_own_words_and_markers_are_kept(edits: Path) -> None:
    batch = next(batches.stream(config_of(edits, batch_size=12)))
    wanted = {one.key: one for one in (edit(row, "train") for row in range(20))}
    for key, told in zip(batch.keys, batch.instructions, strict=True):
        assert told == wanted[key].instruction
    # Both pictures, though at most one is asked for: each marker has one.
    assert batch.context_texts == ("[ref#1] source image", "[ref#2] edit mask") * 12
    assert batch.context_roles == ("content", "mask") * 12
    assert set(batch.datasets) == {"magicbrush"}


def test_each_split_has_its_rows(edits: Path) -> None:
    for split, many in (("train", 18), ("validation", 2)):
        plan = batches.make_plan(config_of(edits, split=split))
        assert plan.sources["magicbrush"].order.rows == many
        taken = itertools.islice(batches.stream(config_of(edits, split=split, batch_size=1)), many)
        held = {batch.keys[0] for batch in taken}
        assert held == {f"edit{row}" for row in range(20) if (row % 7 == 6) == (split != "train")}


@pytest.mark.parametrize(("start", "world"), [(0, 2), (7, 1), (5, 4)])
def test_any_number_of_processes_gives_one_sequence(edits: Path, start: int, world: int) -> None:
    alone = batches.stream(config_of(edits, batch_size=1))
    wanted = [next(alone).keys[0] for _ in range(start + 8)][start:]
    found = {}
    for rank in range(world):
        stream = batches.stream(config_of(edits, batch_size=1), start=start, rank=rank, world=world)
        for batch in itertools.islice(stream, 8 // world):
            found[int(batch.indices[0])] = batch.keys[0]
    assert [found[index] for index in sorted(found)] == wanted


def test_bad_rows_are_replaced_counted_and_named(tmp_path: Path) -> None:
    broken: Mapping[str, dict[str, Any]] = {
        "edit3": {"image": schema.Encoded(b"no picture", "t.png")},
        "edit4": {"instruction": "Paint [ref#1] blue"},
        "edit5": {"instruction": "Paint [ref#1] as [ref#2] and [ref#3]"},
        "edit8": {"instruction": "[ref#1] [ref#2] [ref#"},
    }
    reasons = {
        "edit4": r"does not cite \[ref#2\], of which there is a picture",
        "edit5": r"cites \[ref#3\], of which there is no picture",
        "edit8": "is no marker",
    }
    folder = write_edits(
        tmp_path / "bad", 20, lambda one: dataclasses.replace(one, **broken.get(one.key, {}))
    )
    stream = batches.stream(config_of(folder))
    taken = [next(stream) for _ in range(12)]
    assert taken[-1].bad_rows == 4
    assert not {key for batch in taken for key in batch.keys} & broken.keys()
    for key, reason in reasons.items():
        only = write_edits(
            tmp_path / key, 1, lambda one, key=key: dataclasses.replace(one, **broken[key])
        )
        with pytest.raises(UsageError, match=reason):
            next(batches.stream(config_of(only)))


def test_other_folders_are_told(tmp_path: Path, edits: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished dataset: fine-tuning reads one, from"):
        batches.make_plan(config_of(edits / "magicbrush"))
    with pytest.raises(UsageError, match="holds no finished dataset"):
        batches.make_plan(config_of(tmp_path / "nowhere"))
    several = write_stage2(tmp_path / "several", {"natural": 9, "styled": 9})
    with pytest.raises(UsageError, match=r"holds 2 finished datasets \(natural, styled\)"):
        batches.make_plan(config_of(several))
    neighbours = write_stage1(tmp_path / "one", rows=9) / "neighbourhoods"
    (neighbours / "_MANIFEST.json").write_text((tmp_path / "one/_MANIFEST.json").read_text())
    with pytest.raises(SchemaMismatch):
        batches.make_plan(config_of(tmp_path / "one"))


def test_evaluate_leaves_a_new_task_out_and_says_so(tmp_path: Path, edits: Path) -> None:
    with pytest.raises(UsageError, match="no check here knows what magicbrush asks for"):
        rows.datasets(str(edits))
    both = write_stage2(tmp_path / "both", {"styled": 9})
    shutil.copytree(edits / "magicbrush", both / "magicbrush")
    assert (rows.datasets(str(both)), rows.unknown(str(both))) == (["styled"], ["magicbrush"])


def test_the_command(command: Callable[..., Any], tmp_path: Path, edits: Path, init: str) -> None:
    line = ["--config", micro(tmp_path), "--data", edits, "--stage", "finetune"]
    done = command("train", *line, "--run-dir", tmp_path / "no")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "--stage finetune goes on from what was learnt" in done.lines[0]
    line += ["--run-dir", tmp_path / "run", "--total-examples", 4]
    assert command("train", *line, "--init", init).code == 0
    assert str(checkpoint.latest(str(tmp_path / "run"))).endswith("000000000004")
