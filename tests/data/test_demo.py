"""The demo's chats: what they promise, checked on the text itself wherever that is possible."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from afters.data import demo
from afters.data.demo_chat import REPLY, Told
from afters.data.demo_facts import MONTHS
from afters.data.demo_words import Lines, words
from afters.data.sources import read, read_named
from afters.errors import SettingsError

SEED = 7

PAIRED = ("knock", "number_corrected", "wait", "small_talk", "asked_back", "told_later", "anything_else")
"""What is said as a turn and its reply."""

COMMON_FACTS = {"name", "first", "staff", "house", "number", "label"}

AMOUNT = r"£\d+(?:,\d{3})*(?:\.\d\d)?"
DATE = rf"\d{{1,2}} (?:{'|'.join(MONTHS)})"
FACT = re.compile(rf"{AMOUNT}|{DATE}|\d+:\d\d|\d+ GB|\d+|{'|'.join(MONTHS)}|(?<=[a-z,] )[A-Z][a-z]+|^\w+ \w+")
"""Amounts, dates, times, numbers, capitalised words inside a sentence, and the name that a summary begins with."""


def facts_of(summary: str) -> Counter[str]:
    return Counter(FACT.findall(summary))


def told(split: demo.Split, count: int) -> list[Told]:
    return [demo.told(split, index, seed=SEED) for index in range(count)]


def summaries(row: dict[str, str]) -> list[str]:
    return [text for column, text in row.items() if column.startswith("summary")]


def all_lines() -> Iterator[tuple[str, Lines, set[str]]]:
    """Every set of lines, with the facts that it may name."""
    talk = COMMON_FACTS | {"right", "wrong", "fact"}
    yield from ((name, lines, talk) for name, lines in words().talk.items())
    for intent in words().intents:
        known = COMMON_FACTS | set(intent.facts)
        for part in ("ask", "question", "answer", "asides", "house"):
            yield f"{intent.name}.{part}", getattr(intent, part), known
        for outcome in intent.outcomes:
            parts = {"agent": outcome.agent, "customer": outcome.customer, "next": outcome.next}
            yield from (
                (f"{intent.name}.{outcome.name}.{part}", lines, known) for part, lines in parts.items() if lines
            )


def braces(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_equal_seeds_give_equal_rows_and_other_seeds_other_rows() -> None:
    assert demo.rows("train", 20, seed=SEED) == demo.rows("train", 20, seed=SEED)
    here, there = demo.rows("train", 20, seed=SEED), demo.rows("train", 20, seed=SEED + 1)
    assert not {row["chat"] for row in here} & {row["chat"] for row in there}


@pytest.mark.parametrize("split", demo.SPLITS)
def test_adding_rows_moves_no_old_row(split: demo.Split) -> None:
    assert demo.rows(split, 130, seed=SEED)[:50] == demo.rows(split, 50, seed=SEED)


def test_three_thousand_chats_are_all_different() -> None:
    counts: dict[demo.Split, int] = {"train": 1800, "validation": 600, "test": 600}
    rows = [row for split, count in counts.items() for row in demo.rows(split, count, seed=SEED)]
    numbers = [set(re.findall(r"\b\d{5}\b", row["chat"])) for row in rows]
    assert {len(found) for found in numbers} == {1}, "one number of five digits stands in each chat"
    assert len(set.union(*numbers)) == len({row["chat"] for row in rows}) == len({row["id"] for row in rows}) == 3000


def test_no_two_rows_of_a_seed_can_have_the_same_number() -> None:
    numbers = {demo._number(split, index, seed=SEED) for split in demo.SPLITS for index in range(demo.MOST_ROWS)}
    assert len(numbers) == len(demo.SPLITS) * demo.MOST_ROWS
    assert all(len(number) == 5 for number in numbers)


def test_the_sides_share_no_name() -> None:
    pools = [{*names.first, *names.last} for names in (words().teaching, words().judging)]
    assert not pools[0] & pools[1] and min(map(len, pools)) > 70
    teaching, judging = (
        {name for chat in told(split, 400) for name in chat.facts["name"].split()} for split in ("train", "test")
    )
    assert not teaching & judging
    teaching, judging = ({chat.facts["staff"] for chat in told(split, 400)} for split in ("validation", "test"))
    assert not teaching & judging


def test_the_sides_share_no_amount() -> None:
    train, validation, test = (
        {amount for row in demo.rows(split, 400, seed=SEED) for amount in re.findall(AMOUNT, row["chat"])}
        for split in demo.SPLITS
    )
    assert min(len(train), len(test)) > 100
    assert not (train | validation) & test


def test_wordings_that_are_kept_for_judging_stand_in_no_teaching_chat() -> None:
    kept = {wording for chat in told("test", 400) for wording in chat.kept}
    assert len(kept) > 150
    teaching = "\n".join(row["chat"] for split in ("train", "validation") for row in demo.rows(split, 600, seed=SEED))
    for wording in kept:
        turn = max(wording.split(REPLY), key=len)
        shape = ".{1,40}".join(map(re.escape, re.split(r"\{\w+\}", turn))).removeprefix(".{1,40}")
        assert not re.search(shape, teaching), wording


def test_every_judging_chat_and_no_teaching_chat_has_a_kept_wording() -> None:
    assert all(chat.kept for chat in told("test", 200))
    assert not any(chat.kept for split in ("train", "validation") for chat in told(split, 200))


def test_every_fact_of_a_summary_stands_in_its_chat() -> None:
    for row in (row for split in demo.SPLITS for row in demo.rows(split, 300, seed=SEED)):
        for fact in (fact for summary in summaries(row) for fact in facts_of(summary)):
            # "No, the 14th" leaves the month to be read elsewhere in the chat.
            parts = fact.split() if re.fullmatch(DATE, fact) else [fact]
            assert all(re.search(rf"(?<!\d){part}(?!\d)", row["chat"]) for part in parts), (fact, row)


def test_every_summary_names_the_customer_the_number_and_more() -> None:
    for chat in told("test", 200):
        for summary in chat.summaries:
            assert summary.startswith(chat.facts["name"])
            assert chat.facts["number"] in summary
            assert sum(facts_of(summary).values()) >= 3


def test_what_was_corrected_stands_in_the_chat_and_not_in_the_summary() -> None:
    chats = [chat for split in demo.SPLITS for chat in told(split, 400)]
    corrected = [chat for chat in chats if chat.superseded]
    assert 0.3 < len(corrected) / len(chats) < 0.6
    for chat in corrected:
        for fact in chat.superseded:
            assert fact.casefold() in chat.chat.casefold()
            assert not any(re.search(rf"\b{re.escape(fact)}\b", summary) for summary in chat.summaries)


def test_the_right_value_of_a_correction_stands_in_every_summary() -> None:
    corrects = {intent.name: intent.corrects for intent in words().intents}
    corrected = {chat.intent for chat in told("train", 1200) if chat.superseded}
    assert corrected == set(corrects), "every intent has chats with a correction"
    for intent in words().intents:
        assert all(f"{{{intent.corrects}}}" in summary for summary in intent.summaries), intent.name


def test_nobody_says_what_is_corrected_before_the_customer_has() -> None:
    for intent in words().intents:
        for lines in (intent.ask, intent.question, intent.asides):
            assert not any(f"{{{intent.corrects}}}" in line for line in lines.common + lines.kept), intent.name
        assert all(f"{{{intent.corrects}}}" in line for line in intent.answer.common + intent.answer.kept), intent.name


def test_the_three_references_tell_the_same_facts_in_other_words() -> None:
    for row in demo.rows("test", 300, seed=SEED):
        first, second, third = summaries(row)
        assert facts_of(first) == facts_of(second) == facts_of(third)
        assert len({first, second, third}) == 3
    for intent in words().intents:
        for texts in (intent.summaries, *(outcome.summaries for outcome in intent.outcomes)):
            assert len({frozenset(braces(text)) for text in texts}) == 1, texts


def test_there_are_four_businesses_and_twenty_intents_and_all_outcomes_occur() -> None:
    assert len({intent.business for intent in words().intents}) == 4
    assert len(words().intents) == 20
    expected = {(intent.business, intent.name, outcome.name) for intent, outcome in words().stories}
    for split in demo.SPLITS:
        assert {(chat.business, chat.intent, chat.outcome) for chat in told(split, len(expected))} == expected


def test_the_outcome_decides_what_the_summary_says() -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for intent in words().intents:
        assert len(intent.outcomes) >= 3
        for outcome in intent.outcomes:
            seen[intent.name].update(outcome.summaries)
        assert len(seen[intent.name]) == 3 * len(intent.outcomes)


def test_intents_whose_outcome_hangs_on_the_customer_alone_exist() -> None:
    """The agent says the same, and only the customer's reply tells how it ends."""
    alike = [
        (before.name, after.name)
        for intent in words().intents
        for place, before in enumerate(intent.outcomes)
        for after in intent.outcomes[place + 1 :]
        if before.agent == after.agent
    ]
    assert len(alike) >= 5


def test_chats_are_of_the_promised_length() -> None:
    rows = [row for split in demo.SPLITS for row in demo.rows(split, 300, seed=SEED)]
    chat_words = [len(row["chat"].split()) for row in rows]
    assert 60 <= min(chat_words) and max(chat_words) <= 160
    assert sum(count <= 150 for count in chat_words) > 0.95 * len(rows)
    assert all(6 <= row["chat"].count("\n") + 1 <= 14 for row in rows)
    assert all(18 <= len(summary.split()) <= 40 for row in rows for summary in summaries(row))


def test_every_turn_has_a_speaker_and_a_sentence() -> None:
    for row in (row for split in demo.SPLITS for row in demo.rows(split, 200, seed=SEED)):
        speakers: set[str] = set()
        for turn in row["chat"].split("\n"):
            assert re.fullmatch(r"[A-Z][a-z]+: \S.*[.?!]", turn), turn
            assert "  " not in turn and "{" not in turn and ".." not in turn, turn
            speakers.add(turn.split(":")[0])
        assert len(speakers) == 2


def test_the_agent_never_speaks_twice_in_a_row() -> None:
    for chat in told("train", 200):
        speakers = [turn.split(":")[0] for turn in chat.chat.split("\n")]
        agent = "Agent" if "Agent" in speakers else chat.facts["staff"]
        assert (agent, agent) not in set(zip(speakers, speakers[1:], strict=False))


def test_every_brace_names_a_fact() -> None:
    for name, lines, known in all_lines():
        assert lines.common and lines.kept or name.endswith(".next"), name
        for line in lines.common + lines.kept:
            assert braces(line) <= known, (name, line)
    for intent in words().intents:
        for summary in [*intent.summaries, *(line for outcome in intent.outcomes for line in outcome.summaries)]:
            assert braces(summary) <= {"name", "number", *intent.facts}, summary


def test_turns_that_have_a_reply_have_one() -> None:
    for name, lines, _ in all_lines():
        replies = 1 if name in PAIRED or name.endswith(".asides") else 0
        assert all(line.count(REPLY) == replies for line in lines.common + lines.kept), name


def test_a_row_has_the_columns_of_its_side() -> None:
    common = ["id", "business", "intent", "chat"]
    assert list(demo.rows("train", 1, seed=SEED)[0]) == [*common, "summary"]
    assert list(demo.rows("validation", 1, seed=SEED)[0]) == [*common, "summary"]
    assert list(demo.rows("test", 1, seed=SEED)[0]) == [*common, "summary1", "summary2", "summary3"]


def test_writing_gives_the_rows_one_a_line(tmp_path: Path) -> None:
    paths = demo.write(tmp_path / "new", seed=SEED, train=5, validation=3, test=2)
    assert {path.name for path in paths.values()} == {f"support-chats.{split}.jsonl" for split in demo.SPLITS}
    for split, count in zip(demo.SPLITS, (5, 3, 2), strict=True):
        lines = paths[split].read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == demo.rows(split, count, seed=SEED)


def test_a_study_names_the_rows_that_the_demo_writes(tmp_path: Path) -> None:
    demo.write(tmp_path, seed=7)
    for split in ("validation", "test"):
        named = read_named(f"demo:{split}", folder=tmp_path)
        assert named.table.to_pylist() == read(tmp_path / f"support-chats.{split}.jsonl").table.to_pylist()
        assert named.source(1) == f"demo:{split}:2"
    with pytest.raises(SettingsError, match="did you mean 'test'"):
        read_named("demo:tests", folder=tmp_path)


def test_a_split_that_is_not_known_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="did you mean 'train'"):
        demo.rows("training", 1, seed=SEED)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [-1, demo.MOST_ROWS + 1])
def test_more_rows_than_there_are_numbers_are_refused(count: int) -> None:
    with pytest.raises(SettingsError, match="30000"):
        demo.rows("train", count, seed=SEED)
