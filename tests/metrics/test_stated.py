from __future__ import annotations

import time

import pytest

from afters.metrics.stated import forms, names_in, stated


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("it costs 1,200 or £1,200.00", {"1200"}),
        ("it costs 1.50, 1.5 and 10", {"1.5", "10"}),
        ("call 10432, please", {"10432"}),
        ("order AF-10432 or af10432", {"af10432"}),
        ("order #10432.", {"10432"}),
        ("a 15-minute call, 15 minutes long", {"15"}),
        ("at 10:30am, 3pm", {"10:30", "3"}),
        ("version 1.2.3", {"1.2.3"}),
        ("number 00120", {"00120"}),
        ("on 14 March, on March 14th, on Mar 14", {"14 march"}),
        ("on 2025-03-04", {"4 march", "2025"}),
        ("on March 4, 2025", {"4 march", "2025"}),
        ("in March 2025", {"march", "2025"}),
        ("we march on, you may go", set()),
        ("May I go? That is in May.", {"may"}),
        ("on Mondays and on monday", {"monday"}),
        ("#Person1# calls #Person2#.", {"person1", "person2"}),
        ("she met Mr. Smith-Jones and J. Doe", {"smith-jones", "j", "doe"}),
        ("Yesterday I'm told Anna's cat ran", {"anna"}),
        ("THE ORDER IS LATE", set()),
        ('he said: "Please wait"', set()),
        ("- First point\n- Second point", set()),
        ("", set()),
    ],
)
def test_facts_are_read_in_a_normal_form(text: str, facts: set[str]) -> None:
    assert stated(text) == facts


def test_a_word_that_opens_a_sentence_is_a_name_only_when_known_as_one() -> None:
    assert stated("Anna left. Bread fell.") == set()
    assert stated("Anna left. Bread fell.", names=frozenset({"anna"})) == {"anna"}
    assert stated("Anna left. I saw Anna.") == {"anna"}


def test_names_are_shown_inside_sentences_and_by_who_speaks() -> None:
    chat = "Maria Jones: Hello Tom\nHe said: no\nTHE END: OF ALL THINGS"
    assert names_in(chat) >= {"maria", "jones"}
    assert not names_in(chat) & {"he", "said", "hello", "of", "all", "things"}


def test_a_mention_is_wider_than_a_fact() -> None:
    mentioned = forms("Two parcels came on 14 March to maria's house")
    assert mentioned >= {"2", "14 march", "14", "march", "maria"}
    assert stated("Two parcels came") == set()


def test_long_odd_text_takes_no_long_time() -> None:
    began = time.perf_counter()
    stated("a" * 100_000 + "1," * 50_000 + "'" * 50_000 + "A." * 20_000)
    names_in(" " * 50_000 + "A b " * 20_000)
    assert time.perf_counter() - began < 3
