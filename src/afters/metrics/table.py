"""The metrics there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, get_args

from afters.errors import SettingsError, unknown
from afters.metrics.bleu import Bleu
from afters.metrics.chrf import Chrf
from afters.metrics.facts import Facts
from afters.metrics.match import Accuracy, ExactMatch
from afters.metrics.metric import Metric
from afters.metrics.pyrouge import PyRouge
from afters.metrics.rouge import Rouge, Words
from afters.metrics.ter import Ter

_LONG_RUNS: Final = tuple(f"rouge{size}" for size in range(3, 10))

METRICS: Final[dict[str, Callable[..., Metric]]] = {
    "accuracy": Accuracy,
    "bleu": Bleu,
    "chrf": Chrf,
    "exact_match": ExactMatch,
    "facts": Facts,
    "pyrouge": PyRouge,
    "rouge": Rouge,
    **{name: partial(Rouge, only=name) for name in _LONG_RUNS},
    "ter": Ter,
}

OPTIONS: Final = frozenset(("rouge", *_LONG_RUNS))
"""Metrics that have options; what the others do is fixed."""


def metric_for(name: str, *, best_reference: bool = False, stem: bool = True, words: Words = "ascii") -> Metric:
    """Return the metric of that name, or the one that gives the score of that name.

    Args:
        name: a metric or a score.
        best_reference: score against the reference that fits best, and not by the mean over all.
        stem: compare words by their stems.
        words: what is a word: "ascii", or "unicode" for letters of every script.

    The options are ROUGE's; a metric that has none is as it is.

    >>> metric_for("rougeL").name
    'rouge'

    Raises:
        SettingsError: there is no such metric or score.
    """
    metric = _named(name)
    if metric in OPTIONS:
        return METRICS[metric](references="best" if best_reference else "mean", stem=stem, words=words)
    return METRICS[metric]()


def metric_with(name: str, *, best_reference: bool = False, stem: bool = True, words: str = "ascii") -> Metric:
    """Return the metric with these options, as `metric_for` does; an option that it does not have is refused.

    Raises:
        SettingsError: there is no such metric, score or option.
    """
    known: tuple[Words, ...] = get_args(Words)
    if words not in known:
        raise SettingsError(unknown("kind of words", words, known))
    given = best_reference or not stem or words != "ascii"
    if given and _named(name) not in OPTIONS:
        raise SettingsError(
            f"the metric '{name}' has no options", expected=f"{', '.join(sorted(OPTIONS))} with options, or none"
        )
    return metric_for(name, best_reference=best_reference, stem=stem, words=words)


def _named(name: str) -> str:
    if name in METRICS:
        return name
    scores = {score: metric for metric, make in METRICS.items() for score in make().names}
    if name not in scores:
        raise SettingsError(unknown("metric", name, {*METRICS, *scores}))
    return scores[name]
