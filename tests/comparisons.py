"""What tests compare: Results written by hand, and a Comparison to start from, before a verdict is passed on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from afters.metrics.bleu import Bleu
from afters.metrics.metric import Array, Metric, mean_from_totals
from afters.records import Case, Comparison, Direction, Example, Kind, Prediction, Result, Row
from afters.seeds import stream

GOOD = Comparison(
    task="chats",
    metric="rouge1",
    kind="tuning",
    before="before",
    after="after",
    primary=True,
    direction="higher",
    cases=200,
    clusters=200,
    unjudged=0,
    before_value=0.312,
    after_value=0.547,
    difference=0.235,
    low=0.21,
    high=0.26,
    confidence=0.95,
    interval="percentile bootstrap over clusters",
    p_value=0.0001,
    p_corrected=0.0001,
    test="sign-flip permutation",
    smallest_effect=0.0,
    better=150,
    worse=30,
    same=20,
    detectable=0.035,
    cases_needed=12,
    verdict="cannot_tell",
    sentence="",
)


class Grade:
    """A metric whose rows the test writes itself."""

    name = "grade"
    names: tuple[str, ...] = ("grade",)
    direction: Direction = "higher"
    chance: float | None = None
    signature = "version:1"
    kind: Kind = "case"

    def observe(self, case: Case) -> Row | None:
        raise NotImplementedError

    def from_totals(self, totals: Array) -> Array:
        return mean_from_totals(totals)


def case(name: str, *, cluster: str = "", answer: str = "", reference: str = "") -> Case:
    example = Example(name, "chats", "rows.csv:1", "content", "plain", "prompt", (reference,), cluster=cluster)
    return Case(name, cluster, (example,), (Prediction(name, (answer,), prompt_hash="h"),))


def result(label: str, metric: Metric, cases: Sequence[Case], rows: Sequence[Row | None]) -> Result:
    identity = {"dataset": "d", "shots": "s", "decoding": "x"}
    return Result(label, "chats", identity, tuple(cases), {metric.name: tuple(rows)}, ())


def graded(label: str, values: Sequence[float | None], clusters: Sequence[str] | None = None) -> Result:
    """One Case for each value, each alone in its cluster unless told otherwise."""
    names = clusters or [""] * len(values)
    cases = [case(f"case-{number:04}", cluster=name) for number, name in enumerate(names)]
    return result(label, Grade(), cases, [None if value is None else (value, 1.0) for value in values])


def shuffled(made: Result) -> Result:
    order = stream(8, "order", made.label).permutation(len(made.cases)).tolist()
    rows = {name: tuple(observed[place] for place in order) for name, observed in made.rows.items()}
    return replace(made, cases=tuple(made.cases[place] for place in order), rows=rows)


def corpus(label: str, noise: float) -> Result:
    draw = stream(8, "corpus", label)
    cases = []
    for number in range(60):
        words = stream(8, "reference", number).choice(list("abcdefgh"), size=12).tolist()
        answer = [word if draw.random() > noise else "z" for word in words]
        cases.append(case(f"{number:02}", answer=" ".join(answer), reference=" ".join(words)))
    return result(label, Bleu(), cases, [Bleu().observe(one) for one in cases])
