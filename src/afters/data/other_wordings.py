"""The wordings that judging can ask besides the one that decides, so that their scores can stand beside its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from afters.data.columns import rows_of
from afters.data.dataset import Dataset
from afters.data.task import Prepared
from afters.data.template import Wording
from afters.errors import InputError


class OtherWordings(NamedTuple):
    """The wordings besides the one that decides."""

    asked: tuple[str, ...] = ()
    """Those that judging asks too, in the template's order."""
    left_out: Mapping[str, str] = {}
    """Why it cannot ask the others, by their ids."""

    @property
    def told(self) -> list[str]:
        """What to know of those that are left out, a line each."""
        return [f"not judged in the wording '{name}': {reason}" for name, reason in self.left_out.items()]


def other_wordings(task: Prepared, *, metric: str) -> OtherWordings:
    """Return which other wordings ask the same of every judged row, and can be scored by `metric`.

    A wording with an answer of its own is held against that answer, as always. One that cannot ask some of the rows is
    left out whole: the scores are of the same rows, so that only the wording differs.
    """
    others = [wording for wording in task.template.wordings if wording.id != task.judged.id]
    faults = {wording.id: _fault(task, wording, metric=metric) for wording in others}
    asked = tuple(name for name, fault in faults.items() if fault is None)
    return OtherWordings(asked, {name: fault for name, fault in faults.items() if fault is not None})


def _fault(task: Prepared, wording: Wording, *, metric: str) -> str | None:
    if wording.inverted:
        return "it is inverted, and asks for something else"
    chooses, chosen = (task.template.choices_for(one) is not None for one in (wording, task.judged))
    if chooses != chosen:
        kinds = "among choices", "in free words"
        return "it is answered {}, and the judged one {}".format(*(kinds if chooses else reversed(kinds)))
    if wording.metrics and metric not in wording.metrics and not task.settings.metrics:
        return f"its answers are for {', '.join(wording.metrics)}, and {metric} decides"
    return _cannot_ask(task.test.in_wording(wording.id))


def _cannot_ask(dataset: Dataset) -> str | None:
    """Return which rows the wording cannot ask, and why it cannot ask the first of them; None where it asks all."""
    faults = []
    for position, row in enumerate(rows_of(dataset.rows.table)):
        source = dataset.rows.source(position)
        try:
            dataset.renderer.example(row, id=dataset.ids[position], source=source)
        except InputError as problem:
            faults.append(f"{source}: {problem.what}")
    return f"it cannot ask {len(faults):,} of {len(dataset):,} judged rows, as {faults[0]}" if faults else None
