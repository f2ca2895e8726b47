"""What some results carry and others do not is lent to those: references, and which rows belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from afters.records import Case, Result
from afters.sides.agree import named_cluster


class Lent(NamedTuple):
    """Results that carry alike what some of them carried before."""

    results: list[Result]
    told: str
    """Whose was taken for whom; empty where nothing was, or where it changes nothing."""


def lend_references(results: Sequence[Result]) -> Lent:
    """Give Cases without references those of the first Result that has some."""
    lender = next((one for one in results if any(case.examples[0].references for case in one.cases)), None)
    if lender is None:
        return Lent(list(results), "")
    known = {case.id: case.examples[0].references for case in lender.cases}
    whole = [replace(one, cases=tuple(_with_references(case, known[case.id]) for case in one.cases)) for one in results]
    takers = [one.label for one, full in zip(results, whole, strict=True) if one.cases != full.cases]
    return Lent(whole, _told("References", [lender.label], takers))


def lend_clusters(results: Sequence[Result]) -> Lent:
    """Put each Case into one cluster in all Results: the one that any of them names, else the one of its question.

    So it does not matter which Result stands first. That of one file with the columns of all would be the same: there,
    too, a named cluster goes before what the prompt says. The Results must have been found to agree.
    """
    known = _known_clusters(results)
    made, lenders, takers = list[Result](), set[str](), list[str]()
    for one in results:
        full = replace(one, cases=tuple(replace(case, cluster=known.get(case.id, ("", ""))[0]) for case in one.cases))
        if _together(full) != _together(one):
            takers.append(one.label)
            pairs = zip(one.cases, full.cases, strict=True)
            lenders |= {known[case.id][1] for case, moved in pairs if case.cluster != moved.cluster}
        made.append(full)
    return Lent(made, _told("Clusters", [one.label for one in results if one.label in lenders], takers))


def _with_references(case: Case, references: tuple[str, ...]) -> Case:
    first, *others = case.examples
    return case if first.references else replace(case, examples=(replace(first, references=references), *others))


def _known_clusters(results: Sequence[Result]) -> dict[str, tuple[str, str]]:
    """Return the cluster of each Case that is in one, and the label of the Result that says so."""
    known: dict[str, tuple[str, str]] = {}
    for cluster_of in (named_cluster, lambda case: case.cluster):
        for result in results:
            for case in result.cases:
                if cluster := cluster_of(case):
                    known.setdefault(case.id, (cluster, result.label))
    return known


def _together(result: Result) -> list[str]:
    """Return, for each Case, the first one that it shares its cluster with."""
    first: dict[tuple[str, str], str] = {}
    return [
        first.setdefault(("cluster", case.cluster) if case.cluster else ("case", case.id), case.id)
        for case in result.cases
    ]


def _told(what: str, lenders: Sequence[str], takers: Sequence[str]) -> str:
    has = "has" if len(takers) == 1 else "have"
    taken = f"{what}: those of {' and '.join(lenders)} were taken where {', '.join(takers)} {has} none."
    return taken if takers else ""
