"""How many rows of each task a pass of the mixture takes."""

from __future__ import annotations

from collections.abc import Sequence

from afters.data.mixture import PRESETS, dealt, rates_by_size
from afters.data.settings import TaskSettings
from afters.errors import SettingsError, unknown
from afters.study.settings import Study


def counts_of(study: Study, sizes: Sequence[int]) -> list[int]:
    """Return for each task, given how many teaching rows it has, how many of them a pass takes.

    Raises:
        SettingsError: a task names a part that the preset does not have, or would get no row at all.
    """
    tasks, mixture = study.tasks, study.mixture
    if all(task.rows for task in tasks):
        return [int(task.rows or 0) for task in tasks]
    caps = _caps(study)
    capped = [size if cap is None else min(size, cap) for size, cap in zip(sizes, caps, strict=True)]
    if mixture.preset is not None:
        rates = _rates_of_parts(study, capped)
    elif all(task.rate for task in tasks):
        rates = [float(task.rate or 0) for task in tasks]
    else:
        rates = rates_by_size(capped, temperature=mixture.temperature)
    counts = dealt(rates, mixture.rows or sum(capped))
    if 0 in counts:
        raise SettingsError(
            f"the task '{tasks[counts.index(0)].name}' would be taught no row",
            where="[mixture] rows",
            expected=f"enough for a share of {rates[counts.index(0)] / sum(rates):.2%}",
            received=f"{sum(counts)} rows a pass",
        )
    return counts


def inverted_of(study: Study, task: TaskSettings) -> float | None:
    """Return the share of a task's rows that are asked the other way round; None: that of its wordings."""
    mixture = study.mixture
    if mixture.inverted is not None or mixture.preset is None:
        return mixture.inverted
    part = PRESETS[mixture.preset].parts.get(str(task.part))
    return part.inverted if part else None


def _caps(study: Study) -> list[int | None]:
    if study.mixture.preset is None:
        return [study.mixture.cap] * len(study.tasks)
    parts = PRESETS[study.mixture.preset].parts
    for task in study.tasks:
        if task.part not in parts:
            where = f"[[task]] {task.name}, part"
            raise SettingsError(unknown(f"part of {study.mixture.preset}", str(task.part), parts), where=where)
    return [parts[str(task.part)].cap for task in study.tasks]


def _rates_of_parts(study: Study, capped: Sequence[int]) -> list[float]:
    """Return each task's rate: its part's, dealt out among the part's tasks by their capped sizes."""
    parts = PRESETS[str(study.mixture.preset)].parts
    whole = dict.fromkeys(parts, 0)
    for task, size in zip(study.tasks, capped, strict=True):
        whole[str(task.part)] += size
    return [
        parts[str(task.part)].rate * size / whole[str(task.part)]
        for task, size in zip(study.tasks, capped, strict=True)
    ]
