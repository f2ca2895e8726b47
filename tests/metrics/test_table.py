from __future__ import annotations

import numpy as np
import pytest

from afters.errors import SettingsError
from afters.metrics.table import METRICS, metric_for
from afters.records import Case, Example, Prediction


def test_a_metric_is_found_by_its_name_and_by_its_scores() -> None:
    assert metric_for("rouge").name == metric_for("rougeLsum").name == "rouge"
    assert metric_for("facts_supported").name == "facts"


def test_an_unknown_metric_names_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="did you mean 'rouge1'"):
        metric_for("rogue1")


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_keeps_the_protocol(name: str) -> None:
    metric = metric_for(name)
    example = Example(
        "1", "task", "rows.csv:1", "content", "plain", "Is Anna 12?", ("Anna is 12.",), choices=("Anna is 12.", "no")
    )
    row = metric.observe(Case("1", "", (example,), (Prediction("1", ("Anna is 12.",)),)))
    assert metric.name == name
    assert row is not None
    assert metric.from_totals(np.array([row, row, row])).shape == (3, len(metric.names))
    assert metric.observe(Case("1", "", (example,), (Prediction("1"),))) is None
