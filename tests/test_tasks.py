"""The table of tasks and datasets is Table 1 of the paper."""

import pytest

from instruct_imagen_data.tasks import CATEGORIES, DATASETS, ROLES, TASKS


def test_ratios_are_those_of_table_1() -> None:
    of_category = {
        name: sum(one.ratio for one in DATASETS.values() if one.category == name)
        for name in CATEGORIES
    }
    assert len(DATASETS) == 11
    assert sum(of_category.values()) == pytest.approx(1)
    assert of_category == pytest.approx(
        {"text": 0.20, "control": 0.20, "subject": 0.40, "styled": 0.10, "transfer": 0.10}
    )
    assert sum(one.paper_examples for one in DATASETS.values()) == 24_265_000


def test_tasks_roles_and_datasets_fit_together() -> None:
    assert {one.task for one in DATASETS.values()} == set(TASKS)
    assert {role for task in TASKS.values() for role in task.references} == set(ROLES)
    assert len(TASKS) == 9  # appendix A.3.2
