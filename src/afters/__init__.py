"""Afters fine-tunes a language model on your own data, and proves that it got better.

    import afters

    study = afters.read_study("study.toml")
    told = afters.run(study, out="runs/first")
    print(told.headline.sentence)

Names are imported when they are first used, so that `import afters` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "AftersError": "afters.errors",
    "InputError": "afters.errors",
    "Case": "afters.records",
    "Comparison": "afters.records",
    "Decoding": "afters.records",
    "Example": "afters.records",
    "Prediction": "afters.records",
    "Result": "afters.records",
    "Score": "afters.records",
    "RunFolder": "afters.runfolder",
    "Study": "afters.study.settings",
    "TaskSettings": "afters.data.task",
    "TrainSettings": "afters.train.settings",
    "Told": "afters.report.told",
    "compare": "afters.compare.change",
    "compare_recipes": "afters.compare.recipe",
    "compare_sides": "afters.sides.compare",
    "evaluate": "afters.evaluate",
    "judge": "afters.study.judging",
    "metric_for": "afters.metrics.table",
    "read_study": "afters.config",
    "run": "afters.study.run",
    "study_of": "afters.config",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'afters' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
