from __future__ import annotations

from functools import partial

import pytest

from afters.compare.stages import stages

exactly = partial(pytest.approx, rel=0, abs=1e-12)

THREE = (
    # first, second, third task; and one that no stage taught
    (0.20, 0.10, 0.30, 0.80),
    (0.90, 0.15, 0.25, 0.70),
    (0.60, 0.70, 0.50, 0.75),
    (0.50, 0.75, 0.95, 0.60),
)


def test_three_stages_by_hand() -> None:
    made = stages(THREE)
    assert made.average == exactly((0.50 + 0.75 + 0.95) / 3)
    assert made.backward_transfer == exactly(((0.50 - 0.90) + (0.75 - 0.70)) / 2)
    assert made.forward_transfer == exactly(((0.15 - 0.10) + (0.50 - 0.30)) / 2)
    assert made.forgetting == exactly(((0.90 - 0.50) + (0.70 - 0.75)) / 2)
    assert made.general_change == exactly(0.60 - 0.80)
    assert made.relative_loss == exactly((0.10 + 0.05 + 0.20) / (3 * 0.80))
    assert made.forgotten == exactly((0.40, -0.05, -0.45, 0.20))
    assert made.matrix == THREE


def test_what_a_task_lost_after_it_was_best_counts_even_before_its_own_stage() -> None:
    # The second task was best after the first stage: its own stage and the last both lie below that.
    made = stages([(0.0, 0.0, 0.0), (0.5, 0.8, 0.1), (0.5, 0.6, 0.1), (0.5, 0.7, 0.9)])
    assert made.forgetting == exactly((0.0 + 0.1) / 2)
    assert made.backward_transfer == exactly((0.0 + 0.1) / 2)


def test_the_base_is_no_stage_of_chaudhrys_measure_and_counts_in_each_tasks() -> None:
    made = stages([(0.9, 0.0), (0.6, 0.1), (0.5, 0.7)])
    assert made.forgetting == exactly(0.1)
    assert made.forgotten[0] == exactly(0.4)


def test_where_nothing_moves_after_a_task_is_taught_nothing_is_transferred_or_forgotten() -> None:
    made = stages([(0.1, 0.2), (0.8, 0.2), (0.8, 0.9)])
    assert (made.backward_transfer, made.forward_transfer, made.forgetting) == (0, 0, 0)


def test_one_stage_has_nothing_to_transfer_and_two_untaught_tasks_are_averaged() -> None:
    made = stages([(0.2, 0.5, 0.4), (0.9, 0.4, 0.1)])
    assert (made.backward_transfer, made.forward_transfer, made.forgetting) == (None, None, None)
    assert made.average == 0.9
    assert made.general_change == exactly(-0.2)
    assert made.relative_loss == exactly((0.1 / 0.5 + 0.3 / 0.4) / 2)


def test_without_an_untaught_task_or_with_one_that_the_base_cannot_do_there_is_no_share_of_it() -> None:
    assert stages([(0.2,), (0.9,)]).general_change is None
    none_known = stages([(0.2, 0.0), (0.9, 0.1)])
    assert (none_known.general_change, none_known.relative_loss) == (0.1, None)


@pytest.mark.parametrize("matrix", [[(0.1, 0.2)], [(0.1, 0.2), (0.1,)], [(0.1,), (0.2,), (0.3,)]])
def test_a_matrix_that_is_none_is_a_fault_of_ours(matrix: list[tuple[float, ...]]) -> None:
    with pytest.raises(AssertionError):
        stages(matrix)
