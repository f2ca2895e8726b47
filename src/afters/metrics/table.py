"""The metrics there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, get_args

from afters.errors import SettingsError, unknown
from afters.metrics.bleu import Bleu
from afters.metrics.calibration import Brier, Calibration, CalibrationError, NegativeLogLikelihood
from afters.metrics.chrf import Chrf
from afters.metrics.correlation import Matthews, Pearson, Spearman
from afters.metrics.f1 import F1, SetF1
from afters.metrics.facts import Facts
from afters.metrics.labels import BinaryF1, MacroF1, MultiRc
from afters.metrics.likelihood import BitsPerByte, Perplexity
from afters.metrics.match import Accuracy, ChoiceAccuracy, ExactMatch
from afters.metrics.metric import Metric
from afters.metrics.pyrouge import PyRouge
from afters.metrics.rouge import Rouge, Words
from afters.metrics.ter import Ter

_LONG_RUNS: Final = tuple(f"rouge{size}" for size in range(3, 10))

METRICS: Final[dict[str, Callable[..., Metric]]] = {
    "accuracy": Accuracy,
    "binary_f1": BinaryF1,
    "bits_per_byte": BitsPerByte,
    "bleu": Bleu,
    "brier": Brier,
    "calibration": Calibration,
    "choice_accuracy": ChoiceAccuracy,
    "chrf": Chrf,
    "ece": CalibrationError,
    "exact_match": ExactMatch,
    "f1": F1,
    "facts": Facts,
    "macro_f1": MacroF1,
    "matthews": Matthews,
    "multirc": MultiRc,
    "nll": NegativeLogLikelihood,
    "pearson": Pearson,
    "perplexity": Perplexity,
    "pyrouge": PyRouge,
    "quasi_exact_match": partial(ExactMatch, normalisation="squad"),
    "rouge": Rouge,
    **{name: partial(Rouge, only=name) for name in _LONG_RUNS},
    "set_f1": SetF1,
    "spearman": Spearman,
    "ter": Ter,
}

NEED_CHOICES: Final = frozenset({"accuracy", "binary_f1", "macro_f1", "matthews", "multirc"})
"""Metrics that judge nothing where Examples offer no choices."""

NEED_LIKELIHOODS: Final = frozenset(
    {"bits_per_byte", "brier", "calibration", "choice_accuracy", "ece", "nll", "perplexity"}
)
"""Metrics that ask, on top of choices, how probable the model found each of them."""

ROUGES: Final = frozenset(("rouge", *_LONG_RUNS))
"""Metrics that take the options of ROUGE."""

OF_ONE_CHOICE: Final = frozenset(("binary_f1", "multirc"))
"""Metrics that look for one of the choices."""


def metric_for(
    name: str,
    *,
    best_reference: bool = False,
    stem: bool = True,
    words: Words = "ascii",
    positive: str | None = None,
) -> Metric:
    """Return the metric of that name, or the one that gives the score of that name.

    Args:
        name: a metric or a score.
        best_reference: ROUGE: score against the reference that fits best, and not by the mean over all.
        stem: ROUGE: compare words by their stems.
        words: ROUGE: what is a word: "ascii", or "unicode" for letters of every script.
        positive: the choice that metrics of one choice look for; the second of two when not given.

    A metric that does not have an option is as it is.

    >>> metric_for("rougeL").name
    'rouge'

    Raises:
        SettingsError: there is no such metric or score.
    """
    metric = _named(name)
    options: dict[str, Any] = {}
    if metric in ROUGES:
        options = {"references": "best" if best_reference else "mean", "stem": stem, "words": words}
    elif metric in OF_ONE_CHOICE and positive is not None:
        options = {"positive": positive}
    return METRICS[metric](**options)


def metric_with(
    name: str,
    *,
    best_reference: bool = False,
    stem: bool = True,
    words: str = "ascii",
    positive: str | None = None,
) -> Metric:
    """Return the metric with these options, as `metric_for` does; an option that it does not have is refused.

    Raises:
        SettingsError: there is no such metric, score or option.
    """
    known: tuple[Words, ...] = get_args(Words)
    if words not in known:
        raise SettingsError(unknown("kind of words", words, known))
    asked = (("best reference, stems or words", best_reference or not stem or words != "ascii", ROUGES),)
    for option, given, having in (*asked, ("positive choice", positive is not None, OF_ONE_CHOICE)):
        if given and _named(name) not in having:
            raise SettingsError(
                f"the metric '{name}' has no option for {option}",
                expected=f"{', '.join(sorted(having))} with it, or none",
            )
    return metric_for(name, best_reference=best_reference, stem=stem, words=words, positive=positive)


def _named(name: str) -> str:
    if name in METRICS:
        return name
    scores = {score: metric for metric, make in METRICS.items() for score in make().names}
    if name not in scores:
        raise SettingsError(unknown("metric", name, {*METRICS, *scores}))
    return scores[name]
