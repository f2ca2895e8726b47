"""The metrics there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from afters.errors import SettingsError, unknown
from afters.metrics.bleu import Bleu
from afters.metrics.facts import Facts
from afters.metrics.match import Accuracy, ExactMatch
from afters.metrics.metric import Metric
from afters.metrics.rouge import Rouge

METRICS: Final[dict[str, Callable[[], Metric]]] = {
    "accuracy": Accuracy,
    "bleu": Bleu,
    "exact_match": ExactMatch,
    "facts": Facts,
    "rouge": Rouge,
}


BEST_OF_REFERENCES: Final[dict[str, Callable[[], Metric]]] = {"rouge": lambda: Rouge(references="best")}
"""Metrics that score against the reference that fits best, where others take the mean or accept any."""


def metric_for(name: str, *, best_reference: bool = False) -> Metric:
    """Return the metric of that name, or the one that gives the score of that name.

    With `best_reference` an answer is scored against the reference that fits best, and not by the mean over all.

    >>> metric_for("rougeL").name
    'rouge'

    Raises:
        SettingsError: there is no such metric or score.
    """
    table = {**METRICS, **(BEST_OF_REFERENCES if best_reference else {})}
    if name in table:
        return table[name]()
    made = [make() for make in table.values()]
    for metric in made:
        if name in metric.names:
            return metric
    known = {*METRICS, *(score for metric in made for score in metric.names)}
    raise SettingsError(unknown("metric", name, known))
