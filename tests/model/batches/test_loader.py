"""The sequence of samples is one, whoever loads it, from wherever it begins."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.loader_sets import write_stage1, write_stage2

from instruct_imagen_data.errors import UsageError
from model import batches
from model.batches import Batch, DataConfig, Plan, Sample
from model.batches.loader import _EverySample
from model.batches.samples import Samples

WORLDS, WORKERS = (1, 2, 4, 8), (0, 1, 2, 4)
ROWS = {"natural": 300, "edge_webli": 20, "suti": 9, "style_transfer": 5}
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("sets")
    write_stage1(base / "one", rows=90)
    write_stage2(base / "two", ROWS)
    return base


@pytest.fixture(scope="module", params=[1, 2], ids=["stage 1", "stage 2"])
def plan(folder: Path, request: pytest.FixtureRequest) -> Plan:
    """32 lanes; natural is read by windows of 8 rows, all others are small."""
    stage = int(request.param)
    data, made = ("one", "") if stage == 1 else ("two", str(folder / "two" / "templates"))
    config = DataConfig(
        str(folder / data), stage=stage, size=8, lanes=32, window=8, batch_size=4, templates=made
    )
    return batches.make_plan(config)


def told(sample: Sample) -> str:
    """All of a sample, as a hash."""
    digest = hashlib.sha256(repr((sample.index, sample.key, sample.instruction)).encode())
    for pixels, text in zip(sample.references, sample.texts, strict=True):
        digest.update(pixels.tobytes() + text.encode())
    digest.update(sample.target.tobytes())
    return digest.hexdigest()


def loaded(plan: Plan, start: int, rank: int, world: int, workers: int) -> Iterator[Sample]:
    """What a rank's loader processes give, taken in turn as DataLoader does."""
    every = _EverySample(plan, start, rank, world)
    each = [every.of_worker(worker, max(1, workers)) for worker in range(max(1, workers))]
    for worker in itertools.cycle(each):
        one = next(worker)
        assert isinstance(one, Sample)
        yield one


def take(plan: Plan, start: int, world: int, workers: int, rounds: int) -> list[str]:
    """Samples of all ranks over some rounds of one sample a rank, by index."""
    found = {}
    for rank in range(world):
        for one in itertools.islice(loaded(plan, start, rank, world, workers), rounds):
            found[one.index] = told(one)
    assert sorted(found) == list(range(start, start + rounds * world))
    return [found[index] for index in sorted(found)]


@pytest.fixture(scope="module")
def whole(plan: Plan) -> list[str]:
    """The first 96 samples, by one process: three rounds of the lanes."""
    return take(plan, 0, 1, 0, 96)


@pytest.mark.parametrize(("world", "workers"), list(itertools.product(WORLDS, WORKERS)))
def test_any_number_of_processes_gives_one_sequence(
    plan: Plan, whole: list[str], world: int, workers: int
) -> None:
    assert take(plan, 0, world, workers, 32 // world) == whole[:32]
    # A resume in the middle of a round, on another number of processes.
    assert take(plan, 37, world, workers, 32 // world) == whole[37 : 37 + 32]


def test_each_row_of_a_small_dataset_comes_once_a_pass(plan: Plan) -> None:
    if plan.config.stage == 1:
        pytest.skip("of stage 2")
    rows: dict[str, list[str]] = {}
    for one in itertools.islice(loaded(plan, 0, 0, 1, 0), 400):
        rows.setdefault(one.dataset, []).append(one.key)
    for name in ("edge_webli", "suti", "style_transfer"):
        many = plan.sources[name].order.rows
        assert len(rows[name]) > many
        for start in range(0, len(rows[name]) - many + 1, many):
            assert len(set(rows[name][start : start + many])) == many
    assert not plan.sources["natural"].order.small
    assert len(set(rows["natural"])) > 0.7 * len(rows["natural"])


def test_what_was_drawn_is_looked_up(plan: Plan) -> None:
    seen = dict.fromkeys(plan.sources, 0)
    for index, one in enumerate(itertools.islice(loaded(plan, 0, 0, 1, 0), 200)):
        assert plan.realised(index) == seen
        seen[one.dataset] += 1
    rows = {name: one.order.rows for name, one in plan.sources.items()}
    assert plan.replay(200) == {name: seen[name] / rows[name] for name in seen}


@pytest.mark.parametrize("start", [0, 10**12])
def test_a_far_start_costs_no_more_than_a_near_one(plan: Plan, start: int) -> None:
    samples = Samples(plan)
    assert samples.sample(start).index == start
    assert samples._reader.reads == 1  # one row group: that of the row


def test_a_dropped_context_is_not_in_the_batch(plan: Plan) -> None:
    stream = batches.stream(dataclasses.replace(plan.config, batch_size=64), made=plan)
    batch = next(stream)
    there = batch.context_mask.any(dim=1)
    dropped = ~batch.keep_context
    assert dropped.any()
    assert not there[dropped].any()
    cited = torch.tensor([plan.config.stage == 1 or "[ref#" in one for one in batch.instructions])
    assert torch.equal(there, cited & batch.keep_context)


def equal(one: Batch, other: Batch) -> bool:
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(Batch))
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.mark.parametrize(
    ("world", "workers"),
    [(1, 2), (2, 1), pytest.param(2, 4, marks=pytest.mark.slow),
     pytest.param(8, 2, marks=pytest.mark.slow)],
)  # fmt: skip
def test_spawned_loaders_give_the_same_batches(plan: Plan, world: int, workers: int) -> None:
    alone = batches.stream(
        dataclasses.replace(plan.config, batch_size=8 * world), start=16, made=plan
    )
    wanted = [next(alone) for _ in range(2)]
    config = dataclasses.replace(plan.config, batch_size=8, workers=workers)
    given = dataclasses.replace(plan, config=config)
    for rank in range(world):
        stream = batches.stream(config, start=16, rank=rank, world=world, made=given)
        for want in wanted:
            found = next(stream)
            mine = want.indices % world == rank
            assert found.indices.tolist() == want.indices[mine].tolist()
            for name in ("target", "noise", "time", "keep_text", "keep_context"):
                assert torch.equal(getattr(found, name), getattr(want, name)[mine])
            rows = mine[want.context_index[:, 0]]
            assert torch.equal(found.context_images, want.context_images[rows])
        stream.close()  # type: ignore[attr-defined]


def test_the_same_start_gives_the_same_batches_again(plan: Plan) -> None:
    first = batches.stream(plan.config, made=plan)
    seen = [next(first) for _ in range(6)]
    again = batches.stream(plan.config, start=12, made=plan)
    assert all(equal(next(again), one) for one in seen[3:])
    other = dataclasses.replace(plan.config, seed=1)
    assert not equal(next(batches.stream(other)), seen[0])


def test_a_plan_serves_all_settings_that_it_does_not_rest_on(plan: Plan) -> None:
    kept = dataclasses.replace(plan.config, drop_both=0.0, drop_context=0.0, batch_size=40)
    batch = next(batches.stream(kept, made=plan))
    assert batch.keep_text.all()
    assert batch.keep_context.all()
    cited = [plan.config.stage == 1 or "[ref#" in one for one in batch.instructions]
    assert batch.context_mask.any(dim=1).tolist() == cited
    with pytest.raises(ValueError, match="another seed"):
        batches.stream(dataclasses.replace(plan.config, seed=7), made=plan)


def test_validation_has_rows_and_templates_of_its_own(folder: Path) -> None:
    config = DataConfig(
        str(folder / "two"), split="validation", size=8, batch_size=30,
        templates=str(folder / "two" / "templates"),
    )  # fmt: skip
    batch = next(batches.stream(config))
    assert all(text.startswith("As a test, ") for text in batch.instructions)
    rows = {int("".join(filter(str.isdigit, key))) for key in batch.keys}
    assert rows
    assert all(row % 7 == 6 for row in rows)
    names = {name for name, many in ROWS.items() if many >= 7}
    assert {name: batch.datasets.count(name) for name in names} == dict.fromkeys(names, 10)


@pytest.mark.parametrize(("world", "workers"), [(3, 0), (64, 0), (8, 5)])
def test_processes_must_divide_the_lanes(folder: Path, world: int, workers: int) -> None:
    config = DataConfig(str(folder / "one"), stage=1, workers=workers)
    with pytest.raises(UsageError, match=r"do not divide 32 lanes"):
        batches.stream(config, world=world)
