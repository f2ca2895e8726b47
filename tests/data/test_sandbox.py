from __future__ import annotations

from typing import Any

import pytest

from afters.data import sandbox
from afters.errors import TemplateError

REACHING = [
    "{{ ''.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ x._private }}",
    "{{ x | attr('format') }}",
    "{% if y %}{{ x | attr('format') }}{% endif %}",
    "{{ [x] | map(attribute='__class__') | list }}",
    "{{ __builtins__ }}",
    "{% include 'other' %}",
    "{% import 'other' as other %}",
    "{% extends 'other' %}",
    "{{ [1, 2] | random }}",
]


@pytest.mark.parametrize("text", REACHING)
def test_reaching_beyond_the_row_is_refused_before_any_row(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        sandbox.columns("one\n" + text)
    assert caught.value.where == "line 2"
    assert caught.value.received


FAILING = [
    "{{ ('_' ~ '_class__') | list | join and x['_' ~ '_class__'] }}",
    "{{ '%s' % x }}",
    "{{ 'a' * 100000000 }}",
    "{{ 100000000 * 'a' }}",
    "{{ [1] * 100000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'a'.ljust(100000000) }}",
    "{% for i in range(100000) %}{{ x }}{{ 'aaaaaaaaaa' }}{% endfor %}",
    "{% for i in range(10000000) %}{% endfor %}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ x.y }}",
    "{{ x + 1 }}",
]


@pytest.mark.parametrize("text", FAILING)
def test_what_only_shows_on_a_row_fails_on_that_row(text: str) -> None:
    with pytest.raises(TemplateError, match="fails on this row"):
        sandbox.render(text, {"x": "abc"})


def test_the_row_stays_as_it_is_and_own_lists_may_change() -> None:
    row: dict[str, Any] = {"turns": ["a", "b"], "meta": {"k": [1]}}
    text = "{% set own = [] %}{% for turn in turns %}{% set _ = own.append(turn | upper) %}{% endfor %}{{ own | join }}"
    assert sandbox.render(text, row) == "AB"
    sandbox.render("{% set _ = turns.append('c') %}{% set _ = meta.k.clear() %}", row)
    assert row == {"turns": ["a", "b"], "meta": {"k": [1]}}


def test_null_writes_nothing_and_outer_white_space_goes() -> None:
    assert sandbox.render("\n {{ x }} a {{ y }}\n", {"x": None, "y": 0}) == "a 0"


def test_a_gap_to_be_filled_is_no_attack() -> None:
    assert sandbox.columns("{{ sentence.replace('_', '____') }}") == {"sentence"}


def test_columns_are_the_names_that_the_template_does_not_set() -> None:
    text = "{% set n = a | length %}{% for t in range(n) %}{{ loop.index }}{{ t }}{{ b['c'] }}{% endfor %}"
    assert sandbox.columns(text) == {"a", "b"}


def test_a_broken_template_says_in_which_line() -> None:
    for text in ("a\nb {{ x", "a\n{% fi %}", "a\n{{ x | no_such }}"):
        with pytest.raises(TemplateError) as caught:
            sandbox.columns(text)
        assert caught.value.where == "line 2"


def test_an_expression_keeps_its_type() -> None:
    assert sandbox.value("{{ options }}", {"options": ["a", "b"]}) == ["a", "b"]
    with pytest.raises(TemplateError):
        sandbox.value("{{ a }} {{ b }}", {"a": 1, "b": 2})
