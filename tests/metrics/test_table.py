from __future__ import annotations

import numpy as np
import pytest

from afters.errors import SettingsError
from afters.metrics.table import METRICS, metric_for, metric_with
from afters.records import Case, Example, Prediction


def test_a_metric_is_found_by_its_name_and_by_its_scores() -> None:
    assert metric_for("rouge").name == metric_for("rougeLsum").name == "rouge"
    assert metric_for("facts_supported").name == "facts"


def test_long_runs_of_words_are_metrics_of_their_own() -> None:
    assert metric_for("rouge9").names == ("rouge9",)
    with pytest.raises(SettingsError, match="did you mean 'rouge1'"):
        metric_for("rouge10")


def test_options_are_those_of_rouge_and_refused_elsewhere() -> None:
    made = metric_with("rouge3", best_reference=True, stem=False, words="unicode")
    assert made.signature == "refs:best|stem:no|split:newline|words:unicode|version:1"
    assert metric_with("bleu").name == "bleu"
    for name in ("bleu", "pyrouge"):
        with pytest.raises(SettingsError, match=f"'{name}' has no options"):
            metric_with(name, stem=False)
        assert metric_for(name, stem=False).signature == metric_for(name).signature
    with pytest.raises(SettingsError, match="did you mean 'unicode'"):
        metric_with("rouge", words="unicod")


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
