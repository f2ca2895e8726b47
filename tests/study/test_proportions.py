from __future__ import annotations

from typing import Any

import pytest

from afters.config import study_of
from afters.errors import SettingsError
from afters.study.proportions import counts_of, inverted_of
from afters.study.settings import Study


def study(*tasks: dict[str, Any], **mixture: Any) -> Study:
    named = [
        {"name": f"task{number}", "source": "rows.csv", "template": "dialogsum", **task}
        for number, task in enumerate(tasks)
    ]
    return study_of({"name": "many", "task": named, "mixture": mixture})


def test_as_it_stands_every_row_is_taught_once_in_each_pass() -> None:
    assert counts_of(study({}, {}), [10, 700]) == [10, 700]


def test_rates_by_hand_share_out_as_many_rows_as_there_are() -> None:
    assert counts_of(study({"rate": 3}, {"rate": 1}), [10, 70]) == [60, 20]
    assert counts_of(study({"rate": 3}, {"rate": 1}, rows=100), [10, 70]) == [75, 25]


def test_rows_by_hand_are_taken_as_they_are() -> None:
    assert counts_of(study({"rows": 25}, {"rows": 5}), [10, 70]) == [25, 5]


def test_large_tasks_count_up_to_the_cap_and_temperature_evens_them_out() -> None:
    assert counts_of(study({}, {}, cap=100), [50, 5_000]) == [50, 100]
    assert counts_of(study({}, {}, temperature=2, rows=110), [1, 100]) == [10, 100]


def test_a_preset_gives_its_parts_their_rates_and_each_data_set_its_cap() -> None:
    """FLAN 2022's run_example.py: 0.4 of flan2021, 0.2 of niv2, where a niv2 task counts up to 5,000 rows."""
    tasks = ({"part": "flan2021"}, {"part": "niv2"}, {"part": "niv2"})
    assert counts_of(study(*tasks, preset="flan2022", rows=900), [700, 2_500, 90_000]) == [600, 100, 200]
    assert study(*tasks, preset="flan2022").mixture.few_shot_share == 0.5
    assert study(*tasks, preset="flan2022", few_shot=0).mixture.few_shot_share == 0


def test_a_task_that_would_be_taught_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="'task0' would be taught no row"):
        counts_of(study({"rate": 1}, {"rate": 1_000}, rows=10), [5, 5])


def test_a_part_that_the_preset_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="niv2"):
        counts_of(study({"part": "niv3"}, preset="flan2022"), [5])


CONTRADICTIONS: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([{"rate": 1}, {}], {}, "'task1' has none"),
    ([{"rate": 1, "rows": 3}], {}, "told twice, by rate and by rows"),
    ([{"rate": 1}], {"cap": 10}, "told twice"),
    ([{"rows": 1}], {"rows": 10}, "say the same"),
    ([{"part": "cot"}], {}, "go together"),
    ([{}], {"preset": "flan2021"}, "go together"),
]


@pytest.mark.parametrize(("tasks", "mixture", "told"), CONTRADICTIONS)
def test_shares_that_contradict_each_other_are_refused(
    tasks: list[dict[str, Any]], mixture: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        study(*tasks, **mixture)


def test_what_a_preset_or_the_mixture_says_of_inverted_rows() -> None:
    """FLAN 2022's mixtures.py: copies of chain of thought and dialogue that ask the other way round, at 0.3."""
    made = study({"part": "cot"}, {"part": "niv2"}, preset="flan2022")
    assert [inverted_of(made, task) for task in made.tasks] == [pytest.approx(0.3 / 1.3), None]
    assert inverted_of(study({}), study({}).tasks[0]) is None
    assert inverted_of(study({"part": "cot"}, preset="flan2022", inverted=0), made.tasks[0]) == 0
