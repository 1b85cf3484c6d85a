"""Which of its conditions a sample is trained without (section A.3.1)."""

from instruct_imagen_data import tasks
from model.batches.draws import Draws
from model.batches.records import DataConfig


def kept(config: DataConfig, draws: Draws, dataset: str) -> tuple[bool, bool]:
    """(text, context) of a sample that are not dropped, by one draw.

    Where the instruction has no caption, the context alone is never dropped: nothing else says
    what is wanted.
    """
    drawn = draws.unit("dropout")
    if drawn < config.drop_both:
        return False, False
    alone = dataset in tasks.DATASETS and not tasks.TASKS[tasks.DATASETS[dataset].task].captioned
    return True, alone or drawn >= config.drop_both + config.drop_context
