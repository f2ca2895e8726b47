"""Checks: what in a task's rows would spoil a study, or what a person should know before one.

A check is a plain function over what was seen of the three sides. What it finds has a count, up to three rows and a
way out. Checks that need a tokenizer are in `study/tokens.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afters.data.account import ALSO, OVER
from afters.data.dataset import Dataset
from afters.data.seen import RIGHT, WRONG, Labels, Seen, look
from afters.data.split import SIDES, Side, normalised

Severity = Literal["spoils", "warns", "tells"]
"""A verdict would mean nothing; a person should look; good to know."""

SEVERITIES: tuple[Severity, ...] = ("spoils", "warns", "tells")

SHOWN = 3
"""Rows that are named for each finding."""

NEARLY_ALL = 0.95
"""From this share on, what stands in many rows is taken for a fault of the data and not for chance."""

LOPSIDED = 0.9
"""From this share on, one label leaves too few rows of the others to judge by."""

ENOUGH = 20
"""Fewer rows than this show no habit of the data."""

WHOLE = "all"
"""Stands for a side where something is counted of the task and not of a side."""


class Share(NamedTuple):
    """So many of so many."""

    part: int
    of: int


class Instance(NamedTuple):
    """A row in which it can be seen."""

    source: str
    """File and row, as `support.csv:17`."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found."""

    name: str
    """The check's."""
    severity: Severity
    what: str
    """What is so, in a sentence."""
    shares: Mapping[str, Share]
    """In how many rows of how many, by side; or under `WHOLE`."""
    places: tuple[Instance, ...] = ()
    """The first few rows."""
    way_out: str = ""
    """What to do."""

    @property
    def count(self) -> int:
        """In how many rows."""
        return sum(share.part for share in self.shares.values())

    @property
    def of(self) -> int:
        """Of how many."""
        return sum(share.of for share in self.shares.values())


@dataclass(frozen=True)
class Looked:
    """A task after one look at all of its rows."""

    seen: Mapping[Side, Seen]
    account: Mapping[str, Any]
    """Where every row went, see `Account.told`."""

    @property
    def sides(self) -> Mapping[Side, Dataset]:
        """The rows themselves."""
        return {side: seen.rows for side, seen in self.seen.items()}

    @property
    def asks(self) -> bool:
        """Whether its rows are questions with answers."""
        return self.seen["train"].rows.template.objective == "answer"

    @property
    def labels(self) -> Mapping[Side, Labels]:
        """The labels of each side; none where answers are free, or nobody could choose."""
        taught = self.seen["train"].labels
        closed = self.seen["train"].rows.template.choices is not None or taught.recur
        return {side: seen.labels for side, seen in self.seen.items()} if closed and taught.counts else {}


def look_at(sides: Mapping[Side, Dataset], account: Mapping[str, Any]) -> Looked:
    """Go once over all rows of a task."""
    return Looked({side: look(sides[side]) for side in SIDES}, account)


def check(looked: Looked) -> list[Finding]:
    """Return what the checks of this file find."""
    return [finding for found in CHECKS.values() for finding in found(looked)]


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, what spoils a run first."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def in_rows(
    sides: Mapping[Side, Dataset],
    rows: Mapping[Side, NDArray[np.bool_]],
    *,
    name: str,
    severity: Severity,
    what: str,
    way_out: str,
    detail: Callable[[Side, int], str] = lambda side, row: "",
) -> Iterator[Finding]:
    """Yield the finding of these rows; nothing where there are none."""
    shares = {side: Share(int(which.sum()), len(which)) for side, which in rows.items()}
    if any(share.part for share in shares.values()):
        found = ((side, int(row)) for side, which in rows.items() for row in np.flatnonzero(which)[:SHOWN])
        places = (Instance(sides[side].rows.source(row), detail(side, row)) for side, row in islice(found, SHOWN))
        yield Finding(name, severity, what, _found(shares), tuple(places), way_out)


def doubles(looked: Looked) -> Iterator[Finding]:
    """Find rows of a side that say what an earlier row of that side says."""
    earlier = {side: _earlier(seen.contents) for side, seen in looked.seen.items()}
    twice = {side: first != np.arange(len(first)) for side, first in earlier.items()}
    same = {
        side: twice[side] & (seen.answers == seen.answers[earlier[side]]) if len(seen.answers) else twice[side]
        for side, seen in looked.seen.items()
    }
    yield from in_rows(
        looked.sides,
        same,
        name="doubles",
        severity="tells",
        what="rows stand there twice: an earlier row of the same side says the same"
        + (" and has the same answer" if looked.asks else ""),
        way_out="Remove them from the file if they are no more than copies; each counts as often as it stands there.",
        detail=lambda side, row: f"as {looked.seen[side].source(int(earlier[side][row]))}",
    )
    yield from in_rows(
        looked.sides,
        {side: twice[side] & ~same[side] for side in SIDES},
        name="doubles",
        severity="warns" if looked.labels else "tells",
        what="rows say what an earlier row of the same side says, and have another answer",
        way_out="Decide which label is right: both are taught, and one of them is judged wrong."
        if looked.labels
        else "Nothing, if a text may have several good answers; to judge by all of them, give them as `references`.",
        detail=lambda side, row: f"as {looked.seen[side].source(int(earlier[side][row]))}",
    )


def on_two_sides(looked: Looked) -> Iterator[Finding]:
    """Find what stands on two sides: judged rows among the teaching ones, and validation rows among the judged ones."""
    overlap, account = looked.account["overlap"], looked.account
    shares: dict[Side, Share] = {
        side: Share(overlap[side]["judging_rows"], account[side]["read"]) for side in SIDES[1:]
    }
    aside = [entry for entry in account["set_aside"] if entry["side"] == "train" and entry["reason"].startswith(ALSO)]
    if any(share.part for share in shares.values()):
        yield Finding(
            "same content on two sides",
            "tells",
            f"judged rows stand in the teaching file too; {sum(entry['count'] for entry in aside):,} teaching rows are "
            "set aside for that, and judged rows never are",
            _found(shares),
            _named(aside),
            "Nothing here; but who teaches with the file as it is, teaches what it is judged by.",
        )
    validation, test = looked.seen["validation"], looked.seen["test"]
    yield from in_rows(
        looked.sides,
        {"validation": np.isin(validation.contents, test.contents)},
        name="same content on two sides",
        severity="warns",
        what="validation rows stand on the judging side too, so what is chosen on them is chosen by judged rows",
        way_out="Remove them from the validation file.",
        detail=lambda _, row: f"as {test.source(int(np.flatnonzero(test.contents == validation.contents[row])[0]))}",
    )


def in_own_prompt(looked: Looked) -> Iterator[Finding]:
    """Find answers that stand in what their own row says, apart from what the template says."""
    if not looked.asks:
        return
    name, seen = "answers in their own prompt", looked.seen
    if copied := _copied_column(looked):
        column, equal = copied
        yield from in_rows(
            looked.sides,
            equal,
            name=name,
            severity="spoils",
            what=f"rows say their answer in the column {column}, which the prompt shows: copying it is all there is "
            "to learn",
            way_out=f"Take {column} out of the wordings, or ask for something else.",
        )
        return
    right = {side: one.stands == RIGHT for side, one in seen.items()}
    count, rows = sum(int(one.sum()) for one in right.values()), sum(len(one) for one in right.values())
    habit = rows >= ENOUGH and count >= NEARLY_ALL * rows
    choosing = seen["train"].rows.template.choices is not None
    wrong = sum(int((one.stands == WRONG).sum()) for one in seen.values())
    what = "answers stand word for word in the row they belong to"
    natural = "Nothing, if answers are to be found in the text; else look whether a column gives them away."
    if choosing:
        what = f"rows name the right choice and no other; {wrong:,} name a wrong one and not the right one"
        natural = "Nothing, if people name what they write about; else look whether a column gives the answer away."
    yield from in_rows(
        looked.sides,
        right,
        name=name,
        severity="warns" if choosing and habit else "tells",
        what=what,
        way_out=natural,
        detail=lambda side, row: _short(seen[side].rows[row].references[0]),
    )


def empty_answers(looked: Looked) -> Iterator[Finding]:
    """Tell the rows without an answer, which are set aside."""
    yield from _set_aside(
        looked,
        lambda reason: reason == "empty answer",
        name="empty answers",
        way_out="Write the answer into the row, or remove the row: it neither teaches nor judges.",
    )


def other_rows_set_aside(looked: Looked) -> Iterator[Finding]:
    """Tell what other rows were set aside, but for those over a limit."""
    yield from _set_aside(
        looked,
        lambda reason: reason != "empty answer" and not reason.startswith((ALSO, OVER)),
        name="rows set aside",
        way_out="Mend or remove them; until then they neither teach nor judge.",
    )


def label_balance(looked: Looked) -> Iterator[Finding]:
    """Tell how often the most frequent label is right; one label alone leaves nothing to learn or to judge."""
    labels = looked.labels
    alone = {side: next(iter(labels[side].counts)) for side in labels if len(labels[side].counts) == 1}
    for label in dict.fromkeys(alone[side] for side in ("train", "test") if side in alone):
        sides = [side for side in alone if alone[side] == label]
        yield Finding(
            "label balance",
            "spoils",
            f"every row has the answer '{_short(label)}': who always says it is always right",
            {side: Share(total := labels[side].counts.total(), total) for side in sides},
            tuple(Instance(looked.seen[side].source(0)) for side in sides),
            "Take in rows with other answers, or look whether the answer is made of the right column.",
        )
    if labels and "test" not in alone and labels["test"].counts:
        yield _most_frequent(labels["test"], looked.seen["test"])


def _most_frequent(labels: Labels, seen: Seen) -> Finding:
    label, count = labels.counts.most_common(1)[0]
    share = Share(count, labels.counts.total())
    lopsided = share.part >= LOPSIDED * share.of
    return Finding(
        "label balance",
        "warns" if lopsided else "tells",
        f"judged rows have the answer '{_short(label)}', the most frequent of {len(labels.counts):,}: who always says "
        f"it is right in {share.part / share.of:.0%}",
        {"test": share},
        (Instance(seen.source(labels.first[label])),),
        "Judge by `macro_f1` or `matthews`, or take in more rows of the other labels."
        if lopsided
        else "Hold every score against that share.",
    )


def never_taught(looked: Looked) -> Iterator[Finding]:
    """Find labels that are judged and never taught."""
    taught = looked.labels["train"].counts if looked.labels else {}
    missing: dict[Side, list[str]] = {
        side: [label for label in labels.counts if label not in taught]
        for side, labels in looked.labels.items()
        if side != "train"
    }
    if not any(missing.values()):
        return
    yield Finding(
        "labels never taught",
        "warns",
        "judged rows have an answer that no teaching row has",
        *_with_labels(looked, missing, detail=lambda label: f"'{_short(label)}'"),
        "Teach some rows of these labels, or judge without them.",
    )


def labels_alike(looked: Looked) -> Iterator[Finding]:
    """Find labels that differ only in case or white space, where nobody has declared which there are."""
    if not looked.labels or looked.seen["train"].rows.template.choices is not None:
        return
    counts = sum((labels.counts for labels in looked.labels.values()), Counter[str]())
    usual: dict[str, str] = {}
    for label, _ in counts.most_common():
        usual.setdefault(normalised(label), label)
    odd = {label: usual[normalised(label)] for label in counts if usual[normalised(label)] != label}
    found = {side: [label for label in labels.counts if label in odd] for side, labels in looked.labels.items()}
    if odd:
        yield Finding(
            "labels alike",
            "warns",
            "rows have a label that differs from a more frequent one only in case or white space",
            *_with_labels(looked, found, detail=lambda label: f"'{_short(label)}' beside '{_short(odd[label])}'"),
            'Write each label in one way, as `answer = "{{ label | lower }}"` does.',
        )


def wordings_alike(looked: Looked) -> Iterator[Finding]:
    """Find wordings that differ from another one in nothing but white space."""
    wordings = looked.seen["train"].rows.template.wordings
    first: dict[tuple[str, str], str] = {}
    alike = []
    for wording in wordings:
        key = ("".join(wording.prompt.split()), "".join(wording.system.split()))
        if first.setdefault(key, wording.id) != wording.id:
            alike.append(Instance(f"wording '{wording.id}'", f"as wording '{first[key]}'"))
    if alike:
        yield Finding(
            "wordings alike",
            "warns",
            "wordings are the same as another but for white space, so that one is asked more often than the rest",
            {WHOLE: Share(len(alike), len(wordings))},
            tuple(alike[:SHOWN]),
            "Remove them, or say it in other words.",
        )


CHECKS: Mapping[str, Callable[[Looked], Iterator[Finding]]] = {
    "label balance": label_balance,
    "labels never taught": never_taught,
    "labels alike": labels_alike,
    "same content on two sides": on_two_sides,
    "answers in their own prompt": in_own_prompt,
    "doubles": doubles,
    "empty answers": empty_answers,
    "rows set aside": other_rows_set_aside,
    "wordings alike": wordings_alike,
}
"""Every check of this file, by the name that its findings bear."""


def _earlier(contents: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return for each row the position of the first row with its content."""
    _, first, which = np.unique(contents, return_index=True, return_inverse=True)
    return first[which]


def _copied_column(looked: Looked) -> tuple[str, Mapping[Side, NDArray[np.bool_]]] | None:
    """Return the asked column that says the answer and nothing else in nearly all rows, and those rows."""
    equals = np.concatenate([seen.equals for seen in looked.seen.values()])
    found = Counter(equals[equals >= 0].tolist()).most_common(1)
    if not found or len(equals) < ENOUGH or found[0][1] < NEARLY_ALL * len(equals):
        return None
    column = found[0][0]
    name = looked.seen["train"].rows.template.asked_columns()[column]
    return name, {side: seen.equals == column for side, seen in looked.seen.items()}


def _set_aside(looked: Looked, chosen: Callable[[str], bool], *, name: str, way_out: str) -> Iterator[Finding]:
    entries = [entry for entry in looked.account["set_aside"] if chosen(entry["reason"])]
    for reason in dict.fromkeys(entry["reason"] for entry in entries):
        alike = [entry for entry in entries if entry["reason"] == reason]
        shares = {entry["side"]: Share(entry["count"], looked.account[entry["side"]]["read"]) for entry in alike}
        yield Finding(name, "warns", f"rows are set aside: {reason}", shares, _named(alike), way_out)


def _with_labels(
    looked: Looked, found: Mapping[Side, Sequence[str]], *, detail: Callable[[str], str]
) -> tuple[dict[str, Share], tuple[Instance, ...]]:
    """Return how many rows of each side have one of these labels, and the first row of the first few labels."""
    counts = {side: looked.labels[side].counts for side in found}
    shares: dict[Side, Share] = {
        side: Share(sum(counts[side][label] for label in labels), counts[side].total())
        for side, labels in found.items()
    }
    rows = (
        Instance(looked.seen[side].source(looked.labels[side].first[label]), detail(label))
        for side, labels in found.items()
        for label in labels
    )
    return _found(shares), tuple(islice(rows, SHOWN))


def _named(entries: Sequence[Mapping[str, Any]]) -> tuple[Instance, ...]:
    rows = chain.from_iterable(entry["examples"] for entry in entries)
    return tuple(Instance(row["source"], row["detail"]) for row in islice(rows, SHOWN))


def _found(shares: Mapping[Side, Share]) -> dict[str, Share]:
    """Return only the sides on which something was found."""
    return {side: share for side, share in shares.items() if share.part}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
