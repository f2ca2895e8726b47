"""The grammar with two sides: what teaches and what judges have nothing in common, and answers are right."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from afters.data.task import TaskSettings, prepare
from afters.metrics.metric import reduce
from afters.metrics.rouge import Rouge
from afters.records import Case, Example, Prediction
from afters.seeds import stream
from examples.base import tables
from examples.base.generated import dialogues, events, labels, words
from examples.base.generated.tasks import TASKS, TEMPLATES, Row, row
from examples.base.generated.words import DRAWERS, MATERIAL, Side
from examples.base.prose import sentences
from examples.base.slots import SLOT

SIDES: tuple[Side, ...] = ("taught", "judged")
TABLES = sorted(path.stem for path in (MATERIAL / "judged").iterdir())
TEMPLATE_FOLDER = Path(words.__file__).parents[1] / "templates"


def rows(task: str, side: Side, *, count: int = 60) -> list[Row]:
    return [row(task, side, index, seed=3) for index in range(count)]


def answer_of(task: str, found: Row) -> str:
    return str(found[{"summary": "summary", "title": "title", "headline": "headline"}.get(task, "answer")])


# Two sides


@pytest.mark.parametrize("name", words.pools())
def test_every_word_of_a_pool_stands_on_one_side(name: str) -> None:
    taught, judged = ({*words.pool(name, side)} for side in SIDES)
    assert not taught & judged
    assert taught | judged == {*words.pools()[name]}
    assert len(judged) >= 2


def test_no_proper_name_stands_on_both_sides_in_different_pools() -> None:
    taught, judged = ({word for name in words.NAMES for word in words.pool(name, side)} for side in SIDES)
    assert not taught & judged


@pytest.mark.parametrize("kind", ["first", "word", "town", "thing", "firm", "email", "job", "duty", "club"])
def test_what_is_drawn_for_one_side_is_never_drawn_for_the_other(kind: str) -> None:
    taught, judged = ({DRAWERS[kind](stream(1, side, n), side) for n in range(400)} for side in SIDES)
    assert len(taught) > 10
    assert not taught & judged


def test_all_tables_stand_on_both_sides() -> None:
    assert TABLES == sorted(path.stem for path in (MATERIAL / "taught").iterdir())


def sentences_of(name: str, side: Side) -> set[str]:
    """The wordings of a table, without what stands before them."""
    text = (MATERIAL / side / f"{name}.txt").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if line and not line.startswith("#")]
    if name == "fields":  # labels and slots are shared: they are what is asked for
        kept = [line for line in kept if "{" in line]
    if name == "questions":
        kept = [line.split(": ", 1)[1] for line in kept]
    if name in ("verbs", "news"):
        return {line.split(" | ")[0] for line in kept}
    if name == "exchanges" and side == "taught":  # the older conversations teach too
        kept += [line for block in tables.blocks("conversations") for line in block]
    if name == "acts":  # what it comes to is told in the same words, or it would be another task
        kept = [line for line in kept if not line.startswith(("=> ", "= "))]
    marks = re.compile(r"^(\?|=> |= |[AB]: |plus: |minus: |times: |positive:|negative:)+")
    return {wording for line in kept for wording in marks.sub("", line).split(" | ") if wording}


@pytest.mark.parametrize("name", TABLES)
def test_no_sentence_stands_on_both_sides(name: str) -> None:
    taught, judged = (sentences_of(name, side) for side in SIDES)
    assert taught and judged
    assert not taught & judged


@pytest.mark.parametrize("task", TASKS)
def test_no_text_is_taught_and_judged(task: str) -> None:
    taught, judged = ({json.dumps(found) for found in rows(task, side, count=200)} for side in SIDES)
    assert not taught & judged


# Rows


@pytest.mark.parametrize("task", TASKS)
def test_a_row_is_a_function_of_its_arguments(task: str) -> None:
    assert rows(task, "taught") == rows(task, "taught")
    assert row(task, "taught", 5, seed=3) != row(task, "taught", 5, seed=4)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("task", TASKS)
def test_no_slot_stays_open_and_no_answer_is_empty(task: str, side: Side) -> None:
    for found in rows(task, side):
        assert not SLOT.search(json.dumps(found)), found
        answer = answer_of(task, found)
        assert answer.strip() == answer != "", found


@pytest.mark.parametrize("task", TASKS)
def test_rows_hardly_repeat(task: str) -> None:
    found = Counter(json.dumps(one) for one in rows(task, "taught", count=300))
    assert len(found) > (200 if task == "arithmetic" else 290)


@pytest.mark.parametrize("task", TASKS)
def test_the_template_asks_every_row_in_at_least_six_wordings(task: str, tmp_path: Path) -> None:
    for side in SIDES:
        lines = [json.dumps(found) for found in rows(task, side, count=40)]
        (tmp_path / f"{side}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    made = prepare(
        TaskSettings(
            name=task, train="taught.jsonl", test="judged.jsonl", template=f"{TEMPLATE_FOLDER}/{TEMPLATES[task]}"
        ),
        seed=1,
        folder=tmp_path,
    )
    assert len([wording for wording in made.template.wordings if not wording.inverted]) >= 6
    assert len(made.test) >= 30
    for example in made.test:
        assert example.references[0] and "{" not in example.prompt, example


# Answers


@pytest.mark.parametrize("side", SIDES)
def test_what_was_done_is_answered_in_words_of_the_text(side: Side) -> None:
    for found in rows("question", side, count=200):
        assert found["answer"].lower() in found["text"].lower(), found


@pytest.mark.parametrize("side", SIDES)
def test_a_form_says_what_the_message_says(side: Side) -> None:
    for found in rows("form", side):
        filled = dict(line.split(": ", 1) for line in found["answer"].splitlines())
        assert ", ".join(filled) == found["labels"]
        assert all(value == "not told" or value.lower() in found["text"].lower() for value in filled.values()), found


@pytest.mark.parametrize("side", SIDES)
def test_entities_stand_in_the_text_in_their_order(side: Side) -> None:
    for found in rows("entities", side):
        if found["answer"] != "none" and "each with" not in found["kind"]:
            items = re.split(r", (?!\d{4}(?!-))", found["answer"])  # a date may hold a comma before its year
            places = [found["text"].index(item) for item in items]
            assert places == sorted(places), found


@pytest.mark.parametrize("side", SIDES)
def test_a_headline_names_who_and_where(side: Side) -> None:
    for found in rows("headline", side):
        *_, where = found["headline"].split(" in ")
        assert where in found["text"] and found["headline"].split()[0] in found["text"], found


@pytest.mark.parametrize("side", SIDES)
def test_copying_the_first_sentence_is_no_headline(side: Side) -> None:
    found = rows("headline", side, count=150)
    assert rouge([(sentences(one["text"])[0], one["headline"]) for one in found]) < 0.4


@pytest.mark.parametrize("side", SIDES)
def test_copying_the_first_turn_is_no_summary(side: Side) -> None:
    found = rows("summary", side, count=100)
    assert rouge([(one["dialogue"].split("\n")[0], one["summary"]) for one in found]) < 0.35


def rouge(pairs: list[tuple[str, str]]) -> float:
    metric = Rouge()
    cases = []
    for number, (answer, reference) in enumerate(pairs):
        example = Example(str(number), "t", "s", "c", "w", "p", (reference,))
        cases.append(Case(example.id, example.id, (example,), (Prediction(example.id, (answer,)),)))
    return reduce(metric, [metric.observe(case) for case in cases])["rouge1"]


def test_verbs_get_their_s() -> None:
    assert [events.Verb(base, "", "", "").present for base in ("carry", "buy", "wash", "lose")] == [
        *("carries", "buys"),
        *("washes", "loses"),
    ]


@pytest.mark.parametrize("side", SIDES)
def test_sums_are_right(side: Side) -> None:
    checked = 0
    for found in rows("arithmetic", side, count=200):
        sum_ = re.search(r"(\d+) (\+|-|×|plus|minus|times) (\d+)", found["text"])
        if sum_:
            first, sign, second = int(sum_[1]), sum_[2], int(sum_[3])
            result = {"+": first + second, "-": first - second, "×": first * second}
            assert found["answer"] == str(result[{"plus": "+", "minus": "-", "times": "×"}.get(sign, sign)]), found
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("side", SIDES)
def test_what_is_sorted_loses_and_gains_nothing(side: Side) -> None:
    for found in rows("sorting", side):
        after = found["answer"].split(", ")
        before = re.split(r", |; |\n| / " if len(after) > 1 else "$", found["text"])
        if len(before) != len(after):
            before = found["text"].split(" ")
        assert sorted(before) == sorted(after), found


@pytest.mark.parametrize("side", SIDES)
def test_labels_come_about_equally_often_and_are_among_the_options(side: Side) -> None:
    for task, most in (("sentiment", 0.65), ("topic", 0.2)):
        found = rows(task, side, count=200)
        assert all(one["answer"] in one["options"] for one in found)
        [(_, often)] = Counter(one["answer"] for one in found).most_common(1)
        assert often / len(found) < most
    assert {len(one["options"]) for one in rows("topic", "judged")} == {labels.TOPICS_JUDGED}
    assert {*map(str, rows("sentiment", "judged")[0]["options"])} == {*labels.FEELINGS}


# Dialogues


@pytest.mark.parametrize("side", SIDES)
def test_dialogues_have_six_to_twenty_turns_of_two_who_take_turns(side: Side) -> None:
    for number in range(150):
        turns = dialogues.dialogue(stream(5, side, number), side).turns
        speakers = [turn.split(": ", 1)[0] for turn in turns]
        assert dialogues.FEWEST <= len(turns) <= dialogues.MOST
        assert len({*speakers}) == 2, turns
        assert all(one != other for one, other in zip(speakers, speakers[1:], strict=False)), turns


def begin_a_sentence(side: Side) -> set[str]:
    """Words with a capital that stand in the tables at the beginning of a summary's sentence."""
    gists = [line.removeprefix("=> ") for found in dialogues._every(side) for line in found if line.startswith("=> ")]
    first = {word.capitalize() for gist in gists for word in re.findall(r"(?:^|[.:] |\| )(\w+)", gist)}
    return first | {"Then", "Later"}


@pytest.mark.parametrize("side", SIDES)
def test_a_summary_states_no_name_and_no_number_that_was_not_said(side: Side) -> None:
    known = begin_a_sentence(side) - {name for kind in words.NAMES for name in words.pools()[kind]}
    for number in range(300):
        found = dialogues.dialogue(stream(6, side, number), side)
        for word in re.findall(r"[A-Z][a-z]+|\d[\d.,:/-]*\d|\d", found.summary):
            said = found.text.lower()
            assert word.lower() in said or word in known, (word, found)


def test_nothing_looks_like_the_dialogues_that_are_never_seen() -> None:
    text = " ".join(path.read_text(encoding="utf-8").lower() for path in MATERIAL.rglob("*.txt"))
    labels_ = " ".join(label for pairs in dialogues.LABELS.values() for pair in pairs for label in pair)
    assert "#person" not in text + labels_.lower()
    for word in ("customer", "refund", "agent", "support", "helpdesk", "complaint number", "order number"):
        assert not re.search(rf"\b{word}s?\b", text), word
