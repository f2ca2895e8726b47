"""Teach each task of the mixture alone: the same rows, the same settings, a run folder each.

    python -m examples.twenty_tasks.alone --out runs/twenty

A run that stands there already is not done again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from afters.config import read_study
from afters.study.run import run
from afters.study.settings import Study

MIXTURE = Path(__file__).with_name("mixture.toml")


def folder_of(task: str) -> str:
    """Return the name of the folder of a task's own run.

    >>> folder_of("support chats")
    'support-chats'
    """
    return task.replace(" ", "-")


def alone(study: Study) -> Iterator[Study]:
    """Yield a study for each task, in the mixture's settings."""
    for task in study.tasks:
        yield study.model_copy(update={"name": folder_of(task.name), "tasks": (task,)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the run folders go")
    given = parser.parse_args()
    for one in alone(read_study(MIXTURE)):
        found = run(one, out=given.out / one.name, folder=MIXTURE.parent).comparisons[0]
        print(found.task, found.sentence, flush=True)
