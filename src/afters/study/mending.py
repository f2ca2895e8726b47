"""What else may become of the base, so that less is lost: taught otherwise, or a part of the way to the tuned weights.

Each is a model of its own in the run folder, under `others/`, and is asked what the run's own model is asked. The run's
own model on its way, at each validation, is the control.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Final

from afters.compare.cures import Cure, CureKind
from afters.compare.forgetting import keep, together
from afters.compare.kept import Kept
from afters.compare.mending import Judged, mended
from afters.metrics.choices import guessing
from afters.model import files
from afters.model.between import adapter_between, weights_between
from afters.records import Result
from afters.study import retaught
from afters.study.asking import ask_kept, ask_other, base_model, tuned_model
from afters.study.work import TaskAtHand, Work
from afters.train import checkpoint

PLAIN: Final = ""
"""The name of the run's own model among the cures."""

BETWEEN, STEP = "between", "step"
"""What the names of other models begin with, but for those that are retaught."""

KINDS: Final[Mapping[str, CureKind]] = {
    retaught.REPLAY: "replay",
    retaught.REHEARSAL: "rehearsal",
    retaught.KL: "kl",
    retaught.L2_SP: "l2_sp",
    STEP: "checkpoint",
}


def other(work: Work, name: str) -> Work:
    """Return the work whose folder holds the model of that name, to be asked."""
    return replace(work, folder=work.folder.other(name), other=name) if name else work


def names(work: Work) -> tuple[str, ...]:
    """Return every model that is asked beside the run's own: the control on its way, then the cures."""
    mend = work.study.mend
    if mend.is_empty:
        return ()
    return (*_on_the_way(work), *retaught.names(work), *(f"{BETWEEN}-{share:g}" for share in mend.interpolate))


def _on_the_way(work: Work) -> list[str]:
    """Return the checkpoints that were kept, but for the one that the run's own model is."""
    own = files.weights_hash(work.folder.model)
    found = sorted((work.folder.path / "others").glob(f"{STEP}-*"), key=lambda place: _number(place.name))
    return [place.name for place in found if files.weights_hash(place / "model") != own]


def _number(name: str) -> float:
    """Return what stands behind the first dash of a name, as 0.05 in `replay-0.05`."""
    return float(name.partition("-")[2])


def make(work: Work) -> None:
    """Write the models that lie a part of the way, where they do not stand already."""
    for share in work.study.mend.interpolate if work.processes.first else ():
        place = work.folder.other(f"{BETWEEN}-{share:g}")
        if place.model.is_dir():
            continue
        place.path.mkdir(parents=True, exist_ok=True)
        draft = place.path / ".model.draft"
        shutil.rmtree(draft, ignore_errors=True)
        with checkpoint.writing("a model part of the way", draft=draft):
            if files.is_adapter(work.folder.model):
                adapter_between(work.folder.model, share, out=draft)
            else:
                weights_between(work.base, work.folder.model, share, out=draft)
            checkpoint.settle(draft)
            draft.rename(place.model)


def held_against_margins(work: Work, before: Mapping[str, Result], after: Mapping[str, Result]) -> tuple[Kept, ...]:
    """Hold what must not be lost against its margin, task by task, and correct for their being several."""
    found = [
        keep(
            *(before[task.name], after[task.name], task.primary_metric),
            score=task.primary,
            margin=task.margin,
            chance=guessing(before[task.name]) if task.primary == "accuracy" else None,
            seed=work.study.seed,
        )
        for task in work.kept
    ]
    return tuple(together(found))


def mend(
    work: Work, before: Result, after: Result, kept_before: Mapping[str, Result], kept_after: Mapping[str, Result]
) -> tuple[Cure, ...]:
    """Ask every model that may lose less, and set what it learned against what it kept."""
    every = names(work)
    if not every:
        return ()
    first = work.tasks[0]
    answered: dict[str, tuple[Result, Mapping[str, Result]]] = {PLAIN: (after, kept_after)}
    validated: dict[str, Mapping[str, Result]] = {}
    for name in every:
        model = cache(partial(tuned_model, other(work, name)))
        answered[name] = ask_other(work, first, model, name), ask_kept(work, model, "tuned", other=name)
        if name.startswith(BETWEEN):
            validated[name] = ask_kept(work, model, "tuned", other=name, side="validation")
        model.cache_clear()
    base = cache(partial(base_model, work))
    chosen = _chosen(work, ask_kept(work, base, "base", side="validation"), validated) if validated else None
    models = [
        Judged(
            *(name, *_kind(work, name)),
            chosen=name == chosen,
            result=result,
            kept_results=kept,
            kept=held_against_margins(work, kept_before, kept),
        )
        for name, (result, kept) in answered.items()
    ]
    return mended(
        *(before, kept_before, models, first.primary_metric),
        score=first.primary,
        kept_metrics={task.name: (task.primary_metric, task.primary) for task in work.kept},
        seed=work.study.seed,
    )


def _kind(work: Work, name: str) -> tuple[CureKind, float]:
    """Return what a model is, and how far it goes."""
    if name == PLAIN:
        return "plain", _own_share(work)
    kind, found = name.partition("-")[0], _number(name)
    if kind in KINDS:
        return KINDS[kind], found / len(work.folder.steps()) if kind == STEP else found
    return ("strength" if files.is_adapter(work.folder.model) else "interpolation"), found


def _own_share(work: Work) -> float:
    """Return after which share of the steps the run's own model stood: at the best validation, else at the end."""
    steps = work.folder.steps()
    judged = {line["step"]: line["validation"] for line in steps if line.get("validation") is not None}
    judged = {step: value for step, value in judged.items() if not math.isnan(value)}
    if not judged:
        return 1.0
    lower = work.study.train.keep_best_by == "loss" or work.tasks[0].primary_metric.direction == "lower"
    own: int = (min if lower else max)(judged, key=lambda step: judged[step])  # of equals the first, as the loop does
    return own / len(steps)


def _chosen(work: Work, base: Mapping[str, Result], validated: Mapping[str, Mapping[str, Result]]) -> str:
    """Return the model that lies furthest on the way and keeps all, so far as validation rows tell; else the nearest.

    They are few, so no margin is proven on them: a task counts as kept where it lost no more.
    """
    ordered = sorted(validated, key=_number)
    keeping = [name for name in ordered if all(_stays(work.named(task), base, validated[name]) for task in base)]
    return keeping[-1] if keeping else ordered[0]


def _stays(task: TaskAtHand, base: Mapping[str, Result], results: Mapping[str, Result]) -> bool:
    change = results[task.name].score(task.primary).value - base[task.name].score(task.primary).value
    loss = -change if task.primary_metric.direction == "higher" else change
    return loss <= (task.margin or 0.0)
