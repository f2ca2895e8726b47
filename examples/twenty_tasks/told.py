"""Tell what twenty tasks gained, taught alone and taught together, and what else each teaching lost.

    python -m examples.twenty_tasks.told runs/twenty

The folder holds `mixture` and a run folder for each task. The table is Markdown.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from afters.compare.change import with_corrections
from afters.compare.kept import Kept
from afters.config import read_study
from afters.records import Comparison
from afters.report.told import Told
from afters.runfolder import RunFolder
from afters.sides.compare import compare_sides
from examples.twenty_tasks.alone import MIXTURE, folder_of

HEAD = (
    "| task | rows | score | base | alone | together | together less alone | probes lost alone, mean change |",
    "|:--|--:|:--|--:|:--|:--|:--|:--|",
)


class Line(NamedTuple):
    """One task: what it gained alone and together, and the one against the other on the same rows."""

    alone: Comparison
    together: Comparison
    against: Comparison
    rows: int
    kept: Sequence[Kept]
    """The probes, when it was taught alone."""


def lines(folder: Path, tasks: Iterable[str]) -> Iterator[Line]:
    """Yield every task of the mixture."""
    whole = RunFolder.opened(folder / "mixture", judged=True).told()
    for task in tasks:
        place = folder / folder_of(task)
        own = RunFolder.opened(place, judged=True).told()
        against = compare_sides([place], [folder / "mixture"])
        yield Line(
            _primary(own, task),
            _primary(whole, task),
            _primary(against, task),
            own.data["train"]["used"],
            own.kept,
        )


def lost(kept: Sequence[Kept]) -> str:
    """Return how many probes were lost, and the mean change of those that are scored from 0 to 1.

    Lost is a probe of which a loss is proven and one beyond the margin is not ruled out.
    """
    count = sum(one.word == "lost" for one in kept)
    changes = [one.comparison.difference for one in kept if one.comparison.metric != "bits_per_byte"]
    return f"{count} of {len(kept)}, {fmean(changes):+.2f}"


def _primary(told: Told, task: str) -> Comparison:
    return next(one for one in told.comparisons if one.task == task and one.primary)


def table(found: Sequence[Line]) -> str:
    """Return the lines as a table, and under it how often one was proven better, at Holm's price."""
    rows = [
        f"| {line.alone.task} | {line.rows:,} | {line.alone.metric} | {line.alone.before_value:.3f} "
        f"| {_gain(line.alone)} | {_gain(line.together)} | {_gain(line.against)} "
        f"| {lost(line.kept)} |"
        for line in found
    ]
    counted = Counter(one.verdict for one in with_corrections([line.against for line in found]))
    told = ", ".join(f"{count} {word}" for word, count in counted.most_common())
    return "\n".join([*HEAD, *rows, "", f"Together less alone: {told}."])


def _gain(found: Comparison) -> str:
    return f"{found.difference:+.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    print(table(list(lines(given.folder, [task.name for task in read_study(MIXTURE).tasks]))))
    kept = RunFolder.opened(given.folder / "mixture", judged=True).told().kept
    print(f"Probes lost by the mixture: {lost(kept)}.")
