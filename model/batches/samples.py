"""The sample of a global index: found by arithmetic, read, drawn; or the one that stands in."""

from collections.abc import Sequence

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.images import DecodeError
from model.batches import stage1, stage2
from model.batches.draws import Draws
from model.batches.dropout import kept
from model.batches.plan import Plan, Source
from model.batches.records import BadRow, Content, Sample, Unusable
from model.batches.shards import Reader


class Samples:
    """Makes samples of a plan. Its files are opened here, so it is made in the process that reads.

    A row that cannot be used is replaced by the next of its window, in the drawn order: no cursor
    moves, and all other samples are what they would have been.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._reader = Reader(plan.config.cache_mb << 20)

    def sample(self, index: int) -> Sample:
        """The sample of a global index.

        Raises:
          UsageError: more than max_bad_rows of its window are bad, or all; or a part is damaged.
        """
        lanes, bad = self._plan.lanes, list[BadRow]()
        dataset = lanes.dataset_at(index)
        source = self._plan.sources[dataset]
        before = lanes.count(dataset, index) if source.order.small else 0
        place = (index % lanes.lanes, lanes.in_lane(index), before)
        for number in source.order.candidates(*place):
            part, row = source.rows.place(number)
            found = self._reader.row(source.rows, part, row)
            try:
                made = self._content(source, found, index)
            except (DecodeError, Unusable) as error:
                key = found["id"] if self._plan.config.stage == 1 else found["key"]
                bad.append(BadRow(source.rows.path(part), row, key, str(error)))
                if len(bad) > self._plan.config.max_bad_rows:
                    break
                continue
            return _sample(index, dataset, source.rows.parts[part], row, made, bad)
        raise too_many(bad, self._plan.config.max_bad_rows)

    def _content(self, source: Source, row: dict[str, object], index: int) -> Content:
        config = self._plan.config
        draws = Draws(config.seed, index)
        _, context = kept(config, draws, source.order.name)
        if config.stage == 1:
            return stage1.content(row, draws, config, context)
        return stage2.content(row, draws, config, source.wordings, context)


def _sample(
    index: int, dataset: str, part: str, row: int, made: Content, bad: Sequence[BadRow]
) -> Sample:
    return Sample(
        index=index,
        key=made.key,
        dataset=dataset,
        part=part,
        row=row,
        instruction=made.instruction,
        target=made.target,
        references=made.references,
        texts=made.texts,
        roles=made.roles,
        slots=tuple(range(len(made.references))),
        sources=made.sources,
        bad=tuple(bad),
    )


def too_many(bad: Sequence[BadRow], most: int) -> UsageError:
    """The error of unusable rows: how many there are, and where the last one is."""
    last = bad[-1]
    what = f"more than --max-bad-rows {most}" if len(bad) > most else "all of a window"
    return UsageError(
        f"{len(bad)} rows cannot be used, {what}; the last is row {last.row} of {last.path}, "
        f"key {last.key}: {last.reason}"
    )
