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


def metric_for(name: str) -> Metric:
    """Return the metric of that name, or the one that gives the score of that name.

    >>> metric_for("rougeL").name
    'rouge'

    Raises:
        SettingsError: there is no such metric or score.
    """
    if name in METRICS:
        return METRICS[name]()
    made = [make() for make in METRICS.values()]
    for metric in made:
        if name in metric.names:
            return metric
    known = {*METRICS, *(score for metric in made for score in metric.names)}
    raise SettingsError(unknown("metric", name, known))
