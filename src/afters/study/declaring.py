"""What was declared before the answers were known; and what was declared after."""

from __future__ import annotations

from collections.abc import Iterator

from afters.study.work import Work

FILE = "declared.json"


def declare(work: Work) -> None:
    """Write down what judges each task, unless a tuned model stands in the folder already: its answers may be known."""
    known = work.folder.read_json(FILE) if work.folder.model.is_dir() else {}
    work.folder.write_json(FILE, _judges(work) | known)


def declared_too_late(work: Work) -> Iterator[str]:
    """Tell of the tasks that are judged otherwise than was declared."""
    declared = work.folder.read_json(FILE)
    for name, judges in _judges(work).items():
        if judges != declared[name]:
            yield f"Declared too late: {name} is judged by {judges}, after it was judged by {declared[name]}."


def _judges(work: Work) -> dict[str, str]:
    """Return what judges each task: its score and how that is computed, and the smallest effect or the margin."""
    scores = {task.name: f"{task.primary} ({task.primary_metric.signature})" for task in (*work.tasks, *work.kept)}
    least = {task.name: f"a smallest effect of {task.smallest_effect:g}" for task in work.tasks}
    least |= {task.name: f"a margin of {task.margin:g}" for task in work.kept}
    return {name: f"{score} with {least[name]}" for name, score in scores.items()}
