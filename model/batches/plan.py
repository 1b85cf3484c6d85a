"""What a stream draws from: the rows of each dataset, their order, and the mixture of them."""

import dataclasses
from collections.abc import Mapping

from instruct_imagen_data import mixture, schema, shards, storage, templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.mixture import Mixture, Share
from model.batches import shards as reading
from model.batches import stage1, stage2
from model.batches.lanes import Lanes
from model.batches.order import Order
from model.batches.records import NEIGHBOURHOODS, DataConfig
from model.batches.stage2 import Wordings


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A dataset that samples are drawn from.

    Attributes:
      rows: Its rows of the split.
      order: In which they are drawn.
      wordings: Its templates; None in stage 1.
    """

    rows: reading.Rows
    order: Order
    wordings: Wordings | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """Which sample each global index is. Read once; loader processes get it as a value.

    Attributes:
      config: What it was made of.
      sources: Dataset to what is drawn from it.
      lanes: Which dataset each draw is of.
    """

    config: DataConfig
    sources: Mapping[str, Source]
    lanes: Lanes

    def of(self, config: DataConfig) -> "Plan":
        """The same rows in the same order, for settings that differ in nothing they rest on."""
        for name in ("data", "stage", "split", "seed", "lanes", "window", "templates"):
            if getattr(config, name) != getattr(self.config, name):
                raise ValueError(f"the plan was made for another {name}")
        check(config)
        return dataclasses.replace(self, config=config)

    def realised(self, examples: int) -> dict[str, int]:
        """Dataset to its draws among the first so many samples; looked up, not counted."""
        return {name: self.lanes.count(name, examples) for name in self.sources}

    def replay(self, examples: int) -> dict[str, float]:
        """Dataset to how often each of its rows has been drawn, on average."""
        drawn = self.realised(examples)
        return {name: drawn[name] / one.order.rows for name, one in self.sources.items()}


def make_plan(config: DataConfig) -> Plan:
    """Reads what there is to know before the first sample: footers, splits, templates, mixture.

    Validation draws all datasets that have rows for it equally often: each is looked at by itself.

    Raises:
      UsageError: no such folder, an unfinished or damaged one, another record, no row of the
        split, no template of it, or settings that make no sense.
    """
    check(config)
    sources = _stage1(config) if config.stage == 1 else _stage2(config)
    there = {name: one for name, one in sources.items() if len(one.rows)}
    if not there:
        raise UsageError(f"{config.data} holds no row of the split {config.split}")
    if config.split == "train" and config.stage == 2:
        shares = _shares(config, {name: len(one.rows) for name, one in sources.items()})
        cycle = mixture.cycle_of(shares)
    else:
        even = tuple(Share(name, 1 / len(there), len(one.rows)) for name, one in there.items())
        cycle = mixture.cycle_of(even, length=len(even))
    drawn = {name: there[name] for name in cycle.datasets}
    return Plan(config, drawn, Lanes(cycle, config.lanes))


def check(config: DataConfig) -> None:
    """Raises UsageError for a setting that makes no sense, in the words of the command line."""
    if config.stage not in (1, 2):
        raise UsageError(f"stage {config.stage}: 1 (neighbourhoods) or 2 (instructions)")
    if config.split not in templates.SPLITS:
        raise UsageError(f"split {config.split!r}: {' or '.join(templates.SPLITS)}")
    for name in ("size", "batch_size", "lanes", "window", "max_references", "cache_mb"):
        if getattr(config, name) < 1:
            raise UsageError(f"{name} {getattr(config, name)}: at least 1")
    for name in ("workers", "max_bad_rows"):
        if getattr(config, name) < 0:
            raise UsageError(f"{name} {getattr(config, name)}: at least 0")
    if not 0 <= config.drop_both + config.drop_context <= 1:
        raise UsageError("drop_both and drop_context: shares, together at most 1")


def _source(
    config: DataConfig, dataset: str, verb: str, record: type, columns: tuple[str, ...]
) -> reading.Rows:
    """The rows of a dataset, by the manifest of the job that wrote it."""
    folder = config.data if config.stage == 1 else storage.join(config.data, dataset)
    try:
        manifest = shards.require_finished(folder, verb)
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is a file: name the directory that {verb} filled") from error
    parts = sorted(one["part"] for one in manifest["parts"] if dataset in one["rows"])
    return reading.find(config.data, dataset, parts, record, config.split, columns)


def _order(config: DataConfig, dataset: str, rows: reading.Rows) -> Order:
    return Order(dataset, len(rows), config.lanes, config.window, config.seed)


def _stage1(config: DataConfig) -> dict[str, Source]:
    record, columns = schema.Neighbourhood, stage1.COLUMNS
    rows = _source(config, NEIGHBOURHOODS, "neighbours", record, columns)
    return {NEIGHBOURHOODS: Source(rows, _order(config, NEIGHBOURHOODS, rows))}


def _stage2(config: DataConfig) -> dict[str, Source]:
    sources = {}
    for share in _mixture(config):
        if not share.ratio:
            continue
        name = share.dataset
        rows = _source(config, name, "instruct", schema.Example, stage2.COLUMNS)
        path = templates.path_of(name, config.templates)
        wordings = Wordings(templates.read(path), config.split)
        if not any(one.split == config.split for one in wordings.templates.templates):
            raise UsageError(f"{path} holds no template of the split {config.split}")
        sources[name] = Source(rows, _order(config, name, rows), wordings)
    return sources


def _mixture(config: DataConfig) -> Mixture:
    """The mixture that `instruct` wrote beside the datasets, as it may have been edited since."""
    place = storage.join(config.data, mixture.FILE)
    try:
        text = storage.read_bytes(place).decode()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            f"{config.data} holds no {mixture.FILE}: name what `instruct-imagen instruct` filled"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{place} is no text: {error}") from error
    return mixture.read(text, place)


def _shares(config: DataConfig, rows: Mapping[str, int]) -> Mixture:
    """The file's shares, once each dataset that it draws has rows to draw."""
    found = tuple(one for one in _mixture(config) if one.ratio)
    for one in found:
        if not rows[one.dataset]:
            raise UsageError(
                f"{storage.join(config.data, mixture.FILE)} draws {one.dataset}, which has no row "
                f"of the split {config.split}: set its ratio to 0, and share it among the others"
            )
    return found
