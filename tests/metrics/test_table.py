from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from afters.errors import SettingsError
from afters.metrics.metric import reduce
from afters.metrics.table import METRICS, NEED_CHOICES, NEED_LIKELIHOODS, metric_for, metric_with
from afters.records import Case, ChoiceScore, Example, Prediction


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
        with pytest.raises(SettingsError, match=f"'{name}' has no option for"):
            metric_with(name, stem=False)
        assert metric_for(name, stem=False).signature == metric_for(name).signature
    with pytest.raises(SettingsError, match="did you mean 'unicode'"):
        metric_with("rouge", words="unicod")


def test_an_unknown_metric_names_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="did you mean 'rouge1'"):
        metric_for("rogue1")


def case(*answers: str, logs: Sequence[float] = ()) -> Case:
    example = Example("1", "task", "rows.csv:1", "content", "plain", "Is 12 it?", ("12",), choices=("11", "12"))
    weighed = tuple(ChoiceScore(log, 1) for log in logs)
    return Case("1", "", (example,), (Prediction("1", answers, choices=weighed),))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_keeps_the_protocol(name: str) -> None:
    metric = metric_for(name)
    row = metric.observe(case("12", logs=(-2.0, -1.0)))
    assert metric.name == name
    assert row is not None
    assert metric.from_totals(np.array([row, row, row])).shape == (3, len(metric.names))
    assert set(reduce(metric, [row, None, row])) == set(metric.names)
    assert metric.observe(case()) is None
    assert "version:" in metric.signature or "like:" in metric.signature


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_table_says_which_metrics_ask_for_more_than_an_answer(name: str) -> None:
    metric, written = metric_for(name), case("12")
    bare = replace(written, examples=(replace(written.examples[0], choices=()),))
    assert (metric.observe(written) is None) == (name in NEED_LIKELIHOODS)
    assert (metric.observe(bare) is None) == (name in NEED_CHOICES | NEED_LIKELIHOODS)


def test_metrics_of_one_choice_are_told_which() -> None:
    assert "positive:11" in metric_for("binary_f1", positive="11").signature
    assert "positive:11" in metric_for("multirc_f1a", positive="11").signature
    assert metric_for("f1", positive="11").signature == metric_for("f1").signature
