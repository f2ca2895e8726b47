"""Rows of the data sets that are taught, from their files, as the templates read them: a side to teach, one to judge.

Which data sets, and why these, sources.toml tells. Where a data set has no judging rows of its own, none are given
here, and the study splits the rows by content.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from afters.seeds import fraction, stream
from examples.base import overlap, prose
from examples.base.slots import Chance

SEED = 7

Row = dict[str, Any]


class Sides(NamedTuple):
    """Rows to teach, and rows that are only judged."""

    taught: list[Row]
    judged: list[Row]
    """Empty where the data set has none of its own."""


INTENTS_ASKED = 10
"""Judging rows of Banking77 offer so many intents; teaching rows offer from two to as many."""

NAME_ROWS = 6_000
"""Of the madlibs' 72,000 rows of one template (somebody is a … …), so many are taught."""

JUDGED_PATTERNS = ("you_are_adj", "am_hate_adj")
"""Templates of the madlibs that are kept for judging, whole."""

LONGEST_INPUT, LONGEST_OUTPUT = 200, 300
"""Of a seed task, in characters."""

PASSAGE = 400
"""Characters of a passage of prose, at least."""


def intent(folder: Path) -> Sides:
    """Banking77: what a customer of a bank wants, among some of the 77 intents."""
    names = [_plain(name) for name in json.loads(_read(folder / "banking77/categories.json"))]

    def rows(side: str) -> list[Row]:
        return [
            _with_options(row["text"], _plain(row["category"]), names, stream(SEED, "intent", side, index), side=side)
            for index, row in enumerate(_json_lines(folder / f"banking77/{side}.jsonl"))
        ]

    return _apart(rows("train"), rows("test"), column="text")


def commonsense(folder: Path) -> Sides:
    """CommonsenseQA, laid out as its usual release, which the library's template reads."""

    def rows(file: str) -> list[Row]:
        return [
            {
                "question": row["question"]["stem"],
                "choices": {key: [choice[key] for choice in row["question"]["choices"]] for key in ("label", "text")},
                "answerKey": row["answerKey"],
            }
            for row in _json_lines(folder / "commonsenseqa" / file)
        ]

    return _apart(rows("train_rand_split.jsonl.gz"), rows("dev_rand_split.jsonl"), column="question")


ASKED_CAUSE = re.compile(r'Which sentence is the (cause|effect) of "(.*)"\? Choose .*\nA: (.*)\nB: (.*)')


def cause(folder: Path) -> Sides:
    """COPA, laid out as its usual release."""
    taught = []
    for row in _json_lines(folder / "superglue/COPA_train_olora.jsonl"):
        found = ASKED_CAUSE.fullmatch(row["sentence"])
        assert found, row
        question, premise, first, second = found.groups()
        label = "AB".index(row["label"])
        taught.append({"premise": premise, "choice1": first, "choice2": second, "question": question, "label": label})
    return Sides(taught, [])


def claims(folder: Path) -> Sides:
    """CREAK: whether a claim is true, and why."""
    taught = []
    for asked, answer, reason in _tabbed(folder / "instructions_human/cot/creak_train.tsv.gz"):
        claim = asked[asked.index('"') + 1 : asked.rindex('"')]
        taught.append({"claim": claim, "answer": answer, "reason": reason})
    return Sides(taught, [])


def science(folder: Path) -> Sides:
    """QASC: a question of science with eight answers, and the facts that tell which is right."""
    taught = []
    for asked, key, facts in _tabbed(folder / "instructions_human/cot/qasc_train.tsv"):
        question, options = asked.split(r"\nOptions:\n")
        choices = [option.removeprefix("- ")[4:] for option in options.split(r"\n")]
        answer = choices["ABCDEFGH".index(key[1])]
        taught.append({"question": question, "choices": choices, "answer": answer, "facts": facts})
    return Sides(taught, [])


def arithmetic_stories(folder: Path) -> Sides:
    """GSM8K: a story with numbers, the steps, and the number that is asked for."""

    def rows(file: str) -> list[Row]:
        told = []
        for row in _json_lines(folder / "gsm8k" / file):
            steps, answer = re.sub(r"<<.*?>>", "", row["answer"]).split("\n#### ")
            told.append({"question": row["question"], "steps": steps, "answer": answer.replace(",", "")})
        return told

    return _apart(rows("train.jsonl.gz"), rows("test.jsonl"), column="question")


def toxicity(folder: Path) -> Sides:
    """The madlibs, laid out as the library's template reads them; whole templates are kept for judging."""
    taught, judged = [], []
    file = folder / "toxicity_madlibs/bias_madlibs_77k.csv.gz"
    for text, label, pattern in list(csv.reader(_read(file).splitlines()))[1:]:
        row = {"text": text, "toxicity": float(label == "BAD"), "pattern": pattern, "term": _term(text)}
        if pattern in JUDGED_PATTERNS:
            judged.append(row)
        elif pattern != "name_adj":
            taught.append(row)
        elif fraction(SEED, "madlibs", text) < NAME_ROWS / 72_000:
            taught.append(row)
    return Sides(taught, judged)


def instructions(folder: Path) -> Sides:
    """The seed tasks of Self-Instruct, as the library's template `alpaca` reads them."""
    taught = []
    for row in _json_lines(folder / "instructions_human/seed_tasks.jsonl"):
        first = row["instances"][0]
        if len(first["input"]) <= LONGEST_INPUT and len(first["output"]) <= LONGEST_OUTPUT:
            taught.append({"instruction": row["instruction"], **first})
    return Sides(taught, [])


def parts(folder: Path) -> Sides:
    """HasPart KB: something, and a part of it."""
    file = folder / "natural_instructions/tasks/task471_haspart_answer_generation.json"
    return Sides(
        [{"whole": row["input"], "part": row["output"][0]} for row in json.loads(_read(file))["Instances"]],
        [],
    )


def passages(folder: Path) -> Sides:
    """Prose in runs of whole sentences, whole and as two halves; the novel that is not taught judges."""

    def of(texts: Sequence[prose.Text]) -> list[Row]:
        return [
            halves(passage)
            for text in texts
            for passage in prose.passages(prose.read(text, folder), characters=PASSAGE)
        ]

    taught = of([text for text in prose.TEXTS if text.taught])
    return Sides(taught, of([text for text in prose.TEXTS if text.withheld == prose.EXAM]))


READERS: dict[str, Callable[[Path], Sides]] = {
    "intent": intent,
    "commonsense": commonsense,
    "cause": cause,
    "claims": claims,
    "science": science,
    "arithmetic_stories": arithmetic_stories,
    "toxicity": toxicity,
    "instructions": instructions,
    "parts": parts,
    "prose": passages,
}
"""By the name in sources.toml; "prose" stands for novels, speeches and Shakespeare together."""


def _apart(taught: list[Row], judged: list[Row], *, column: str) -> Sides:
    """Leave out teaching rows that say what a judging row says, or share a long run of words with one."""
    return Sides(overlap.apart(taught, judged, column=column), judged)


def halves(passage: str) -> Row:
    """Cut a passage at the space that is nearest to its middle.

    >>> halves("It was late when the boat came in.")
    {'text': 'It was late when the boat came in.', 'first': 'It was late when', 'second': 'the boat came in.'}
    """
    middle = len(passage) / 2
    cut = min((found.start() for found in re.finditer(" ", passage)), key=lambda place: abs(place - middle))
    return {"text": passage, "first": passage[:cut], "second": passage[cut + 1 :]}


def _with_options(text: str, answer: str, names: Sequence[str], chance: Chance, *, side: str) -> Row:
    """Offer the answer among others; judging rows always among `INTENTS_ASKED`."""
    count = INTENTS_ASKED if side == "test" else 2 + int(chance.integers(INTENTS_ASKED - 1))
    others = [name for name in names if name != answer]
    drawn = [others[place] for place in chance.permutation(len(others))[: count - 1]]
    drawn.insert(int(chance.integers(count)), answer)
    return {"text": text, "options": drawn, "answer": answer}


def _plain(category: str) -> str:
    """Return the name of an intent as words, as the library's template has them."""
    return category.replace("_", " ").replace("?", "").lower()


TERM = re.compile(r"(?:you are a \w+|i am|i hate|being|.* is a \w+|\w+) (.*?)(?: is \w+\.)?", re.IGNORECASE)


def _term(text: str) -> str:
    """Return the group of people, or the trade, that a sentence of the madlibs names."""
    found = TERM.fullmatch(text)
    return found.group(1) if found else ""


def _read(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    # Not splitlines(): a text may hold other line separators of Unicode.
    return (json.loads(line) for line in _read(path).split("\n") if line)


def _tabbed(path: Path) -> Iterator[list[str]]:
    return (line.split("\t") for line in _read(path).split("\n") if line)
