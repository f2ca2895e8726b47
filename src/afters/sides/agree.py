"""Do two files hold the same rows? What differs is told by id and row, all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from afters.data.split import digest
from afters.errors import DataError, InputError, nearest, raise_together
from afters.records import Case, Result
from afters.sides.faults import NAMED, and_more


def check_rows(before: Result, after: Result) -> None:
    """Refuse two files whose ids, references, questions or named clusters differ.

    What only one of them carries cannot differ; whoever compares says that it was not checked.

    Raises:
        InputError: everything that differs, together.
    """
    first, last = ({case.id: case for case in result.cases} for result in (before, after))
    problems: list[InputError] = []
    problems += _unknown(first, last, here=before.label, there=after.label)
    problems += _unknown(last, first, here=after.label, there=before.label)
    problems += _different(first, last, "references", lambda case: case.examples[0].references)
    problems += _different(first, last, "question", lambda case: case.examples[0].content)
    problems += _different(first, last, "cluster", named_cluster)
    raise_together(problems)


def named_cluster(case: Case) -> str:
    """Return the cluster that the file names; none is named by a Case that its question or nothing puts in one."""
    example = case.examples[0]
    return "" if example.cluster == digest(example.content) else example.cluster


def _unknown(
    here_cases: Mapping[str, Case], there_cases: Mapping[str, Case], *, here: str, there: str
) -> list[InputError]:
    alone = [name for name in here_cases if name not in there_cases]
    if not alone:
        return []
    left = [name for name in there_cases if name not in here_cases]
    guess = nearest(alone[0], left[:1000])
    return [
        DataError(
            f"{len(alone):,} {'id has' if len(alone) == 1 else 'ids have'} no row in {there}",
            where=here_cases[alone[0]].examples[0].source,
            expected=f"the same ids in both files; {here} has {len(here_cases):,} rows, {there} {len(there_cases):,}",
            received=and_more(alone, noun="id"),
            hint=f"Is '{alone[0]}' the '{guess}' of {there}?" if guess else "Leave out what only one side answered.",
        )
    ]


def _different(
    first: Mapping[str, Case], last: Mapping[str, Case], what: str, of: Callable[[Case], Any]
) -> list[InputError]:
    both = [(of(first[name]), of(last[name]), name) for name in first if name in last]
    odd = [(one, other, name) for one, other, name in both if one and other and one != other]
    if not odd:
        return []
    one, other, name = odd[0]
    return [
        DataError(
            f"another {what} than before for {and_more([name for _, _, name in odd], noun='id')}",
            where=last[name].examples[0].source,
            expected=f"{_shown(one)}, as at {first[name].examples[0].source}",
            received=_shown(other),
            hint="Judge both sides on the same rows.",
        )
    ]


def _shown(value: Any) -> str:
    texts = value if isinstance(value, tuple) else (value,)
    written = ", ".join(repr(text) for text in texts[:NAMED])
    return written if len(written) <= 90 else written[:87] + "…"
