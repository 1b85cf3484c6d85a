"""Presets, files and command lines as one TrainConfig."""

from pathlib import Path
from typing import Any

import pytest
from helpers.training import micro

from instruct_imagen_data.errors import UsageError
from model.config import TrainConfig, refuse_changes
from model.options import Options, config_of, split_dotted


def parsed(
    config: str, stage: int = 2, changes: dict[str, Any] | None = None, **flags: Any
) -> TrainConfig:
    return config_of(Options(config, "data", "run", stage, **flags), changes or {})


def test_the_paper_s_numbers() -> None:
    for stage, steps in ((1, 500_000), (2, 400_000)):
        config = parsed("paper", stage)
        assert config.train.batch_size == 512
        assert config.train.total_examples == steps * 512
        assert config.train.ema_decay == 0.9999
        assert config.train.late_share == 0
        assert config.optimizer.kind == "adafactor"
        assert config.optimizer.learning_rate == 1e-4
        assert config.optimizer.warmup_examples == 10_000 * 512
        assert (config.optimizer.decay_share, config.optimizer.context_factor) == (0, 1)
        assert (config.data.drop_both, config.data.drop_context) == (0.1, 0.1)
        assert (config.data.stage, config.data.max_references) == (stage, 3)


@pytest.mark.parametrize("name", ["tiny", "small", "paper"])
def test_every_preset_is_whole(name: str) -> None:
    config = parsed(name)
    assert set(config.network) == {"unet", "context", "text", "schedule", "sampling"}
    assert config.output.gap_every > 0
    assert config.train.batch_size % 16 == 0


def test_flags_and_dotted_flags_change_a_file(tmp_path: Path) -> None:
    given = {"optimizer.kind": "adafactor", "data.workers": 2, "output.wandb": "mine"}
    flags = {"total_examples": 99, "batch_size": 3, "seed": 5, "max_bad_rows": 0}
    config = parsed(str(micro(tmp_path)), 1, given, **flags)
    assert (config.train.total_examples, config.train.batch_size) == (99, 3)
    assert (config.train.seed, config.data.seed) == (5, 5)
    assert (config.data.max_bad_rows, config.data.workers, config.data.stage) == (0, 2, 1)
    assert (config.optimizer.kind, config.output.wandb) == ("adafactor", "mine")
    assert parsed("small", text="t5").network["text"]["path"] == "t5"


def test_dotted_flags_are_toml_or_texts() -> None:
    line = ["--config", "tiny", "--optimizer.learning-rate", "1e-3", "--compute.bf16=false",
            "--run-dir", "a.b/c", "--text.path", "/t5", "--x.y", "3"]  # fmt: skip
    rest, changes = split_dotted(line)
    assert rest == ["--config", "tiny", "--run-dir", "a.b/c"]
    assert changes == {
        "optimizer.learning_rate": 1e-3, "compute.bf16": False, "text.path": "/t5", "x.y": 3,
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"--optimizer\.kind has no value"):
        split_dotted(["--optimizer.kind", "--config", "tiny"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer.learning_rat": 1.0}, "learning_rat is not known: did you mean learning_rate"),
        ({"optimiser.kind": "adamw"}, "optimiser is not known: did you mean optimizer"),
        ({"unet.sample_sise": 8}, "sample_sise is not known: did you mean sample_size"),
        ({"text.lenght": 8}, "lenght is not known: did you mean length"),
        ({"optimizer.kind": "sgd"}, "'sgd': adafactor or adamw is wanted"),
        ({"train.batch_size": 1.5}, "batch_size = 1.5: a whole number is wanted"),
        ({"compute.bf16": 1}, "bf16 = 1: true or false is wanted"),
        ({"data.seed": 1}, "seed is not known"),
        ({"train.batch_size": 0}, "batch_size = 0: above 0"),
        ({"train.ema_decay": 1.5}, "ema_decay = 1.5: from 0 to 1"),
        ({"compute.sharded": True, "optimizer.kind": "adafactor"}, "does not work in shards"),
    ],
)
def test_wrong_keys_and_values_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed("tiny", changes=changes)


def test_wrong_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no preset 'tinny': tiny, small, paper, or a TOML file"):
        parsed("tinny")
    (tmp_path / "bad.toml").write_text("[train\n")
    with pytest.raises(UsageError, match=r"bad\.toml"):
        parsed(str(tmp_path / "bad.toml"))
    (tmp_path / "short.toml").write_text("[train]\nbatch_size = 4\n")
    with pytest.raises(UsageError, match=r"train\.total_examples is missing"):
        parsed(str(tmp_path / "short.toml"))
    with pytest.raises(UsageError, match="stage 3"):
        parsed("tiny", 3)


def test_what_brings_its_own_network_takes_no_other() -> None:
    with pytest.raises(UsageError, match="--init brings its own network"):
        parsed("tiny", init="one", backbone="two")
    with pytest.raises(UsageError, match=r"one brings its own network: leave context\.at out"):
        parsed("tiny", init="one", changes={"context.at": "level"})
    with pytest.raises(UsageError, match=r"leave unet\.sample_size out"):
        parsed("tiny", backbone="two", changes={"unet.sample_size": 8})
    with pytest.raises(UsageError, match="--retarget is of use beside --backbone"):
        parsed("tiny", retarget=True)
    wanted = {"schedule.prediction_type": "epsilon", "context.at": "level"}
    config = parsed("tiny", backbone="two", changes=wanted)
    assert config.network["schedule"] == {"prediction_type": "epsilon"}
    assert config.network["context"] == {"at": "level", "position": "sincos2d"}


def test_options_that_a_run_may_change() -> None:
    before = parsed("tiny").options()
    free = {"output.keep": 9, "compute.micro_batch": 4, "data.workers": 2, "data.cache_mb": 64}
    refuse_changes(before, parsed("tiny", changes=free, total_examples=7).options())
    told = parsed("tiny", seed=3).options() | {"train.late_share": 0.25}
    with pytest.raises(
        UsageError, match=r"train\.late_share was 0\.5 and is 0\.25; train\.seed wa"
    ):
        refuse_changes(before, dict(reversed(told.items())))
