from __future__ import annotations

import pytest

from afters.metrics.facts import Facts
from afters.records import Case, Example, Prediction

CHAT = """Summarise the chat.

Agent: Hello, how can I help?
Maria Jones: My order AF-10432 has not come. I paid $1,200 on March 14.
Agent: It left the depot in Leeds on Monday."""
REFERENCE = "Maria's order AF-10432, paid on 14 March, has not come; it left Leeds on Monday."


def judged(answer: str | None, *references: str, prompt: str = CHAT) -> tuple[float, ...] | None:
    example = Example("1", "task", "rows.csv:1", "content", "plain", prompt, references or (REFERENCE,))
    return Facts().observe(Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),)))


def test_the_reference_itself_is_perfect() -> None:
    assert judged(REFERENCE) == (1.0, 1.0, 1.0)


def test_other_words_and_forms_for_the_same_facts_are_as_good() -> None:
    answer = "On March 14th maria paid for order af10432. The parcel has been away from LEEDS since monday."
    assert judged(answer) == (1.0, 1.0, 1.0)


def test_leaving_a_fact_out_costs_its_share() -> None:
    # Of maria, af10432, 14 march, leeds and monday, the weekday is missing.
    assert judged("Maria's order AF-10432, paid on 14 March, left Leeds.") == (4 / 5, 1.0, 1.0)


def test_a_wrong_order_number_is_left_out_and_invented() -> None:
    answer = "Maria's order AF-10433, paid on 14 March, has not come; it left Leeds on Monday."
    assert judged(answer) == (4 / 6, 4 / 5, 1.0)


def test_a_fact_of_the_prompt_that_the_reference_leaves_out_is_not_invented() -> None:
    assert judged(REFERENCE + " She paid 1200 dollars.") == (1.0, 1.0, 1.0)


def test_a_name_that_nobody_gave_is_invented() -> None:
    assert judged(REFERENCE + " The agent is called Robert.") == (5 / 6, 5 / 6, 1.0)


def test_an_answer_without_facts_supports_all_it_states() -> None:
    assert judged("The parcel is late.") == (0.0, 1.0, 1.0)


def test_a_reference_without_facts_cannot_be_judged() -> None:
    assert judged("Maria is late.", "The parcel is late.") is None
    assert judged(None) is None


def test_a_fact_of_any_reference_has_a_source() -> None:
    assert judged("Ann left for Oslo.", "Ann left.", "She left for Oslo.", prompt="seen with Ann") == (1.0, 1.0, 1.0)


def test_it_sees_what_rouge_does_not() -> None:
    wrong = judged("It is 20 degrees in Leeds.", "It is 12 degrees in Leeds.", prompt="weather")
    assert wrong == pytest.approx((1 / 3, 0.5, 1.0))
