"""The graders graded: wrong answers lose their task's points, right ones of any style get them."""

import re
from collections import Counter

import pytest

from teaching.course import Variant
from teaching.notebooks import points
from tests.teaching import local

ANSWERS = local.answers()
VARIANTS = [
    Variant(seed=7, dataset="miniclip-wide/digits10"),
    Variant(seed=8, dataset="miniclip-learned/scenes100"),
]


@pytest.fixture(autouse=True)
def _same_inputs_each_time(monkeypatch):
    monkeypatch.setenv("GAPKIT_CHECK_SEED", "2026")


@pytest.mark.parametrize("answer", [a for a in ANSWERS if not a.right], ids=str)
def test_wrong_answer_loses_its_points(answer):
    said = local.grade(answer.assignment, answer.task, answer.source)
    assert said is not None
    assert not re.search(r"\d\.\d{3}", said), "the message gives numbers of the result away"


@pytest.mark.parametrize("answer", [a for a in ANSWERS if a.right], ids=str)
def test_right_answer_in_another_style_gets_its_points(answer):
    assert local.grade(answer.assignment, answer.task, answer.source) is None


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.dataset)
@pytest.mark.parametrize("name", local.NAMES)
def test_model_solution_gets_all_points_in_another_years_variant(name, variant):
    tasks = local.tasks(name)
    assert {task: local.grade(name, task, "", variant) for task in tasks} == dict.fromkeys(tasks)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.dataset)
@pytest.mark.parametrize("answer", [a for a in ANSWERS if a.task.endswith("-numbers")], ids=str)
def test_numbers_are_told_right_from_wrong_in_another_years_variant(answer, variant):
    said = local.grade(answer.assignment, answer.task, answer.source, variant)
    assert (said is None) == answer.right


def test_every_graded_task_has_six_wrong_answers_and_all_have_alternatives():
    wrong = Counter(answer.task for answer in ANSWERS if not answer.right)
    right = Counter(answer.task for answer in ANSWERS if answer.right)
    tasks = [task for name in local.NAMES for task in local.tasks(name)]
    assert len(tasks) >= 25
    assert {task: wrong[task] for task in tasks if wrong[task] < 6} == {}
    assert [task for task in tasks if not right[task]] == []
    assert set(wrong) | set(right) == set(tasks)  # none is filed under a task that is not there


@pytest.mark.parametrize("name", local.NAMES)
def test_points_of_an_assignment_add_up_to_a_hundred(name):
    assert sum(points(local.notebook(name)).values()) == 100
