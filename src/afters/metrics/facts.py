"""Whether an answer's facts are right: its names, numbers and dates.

ROUGE gives "It is not cold" and "It is very cold" the same marks, and a wrong order number costs it one word of
thirty. This metric looks at nothing but what a wrong answer may not get wrong.
"""

from __future__ import annotations

from statistics import fmean

from afters.metrics.answers import answered
from afters.metrics.metric import Array, mean_from_totals
from afters.metrics.stated import forms, names_in, stated
from afters.records import Case, Direction, Example, Kind, Row


class Facts:
    """How many of the reference's facts the answer states, and how many of the answer's have a source.

    `facts` is the number of facts of the first reference that the answer states, divided by that reference's
    facts and the invented ones together: leaving out and making up both cost. A fact is invented when it stands
    neither in a reference nor in the prompt. `facts_supported` is the share of the answer's facts that are not
    invented; an answer that states no facts invents none and gets 1.

    A Case whose first reference states no facts cannot be judged by either score. A Case of several Examples
    gets the mean of those that can be.

    What is not covered: whether a right name stands in the wrong place, facts in plain words ("refused"), numbers
    above twelve in words, and names in scripts without capitals. See `stated.py` for what counts as a fact.
    """

    name = "facts"
    names: tuple[str, ...] = ("facts", "facts_supported")
    kind: Kind = "case"
    direction: Direction = "higher"
    chance: float | None = None
    signature = "refs:first|support:prompt,refs|facts:names,numbers,dates|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return (facts, facts_supported, 1), or None when an answer is missing or no reference states a fact."""
        pairs = answered(case)
        judged = [both for example, answer in pairs or () if (both := _judge(example, answer))]
        return (*map(fmean, zip(*judged, strict=True)), 1.0) if judged else None

    def from_totals(self, totals: Array) -> Array:
        """Return the means over Cases, shape (replicates, 2)."""
        return mean_from_totals(totals)


def _judge(example: Example, answer: str) -> tuple[float, float] | None:
    """Return the share of right facts and the share of supported ones."""
    sources = (example.prompt, *example.references)
    names = frozenset().union(*map(names_in, sources))
    expected = stated(example.references[0], names=names)
    if not expected:
        return None
    written = stated(answer, names=names)
    invented = written - frozenset().union(*map(forms, sources))
    found = expected & forms(answer)
    supported = 1 - len(invented) / len(written) if written else 1.0
    return len(found) / (len(expected) + len(invented)), supported
