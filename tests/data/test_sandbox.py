from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from afters import bounded
from afters.data import sandbox
from afters.errors import TemplateError

REACHING = [
    "{{ ''.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ x._private }}",
    "{{ x | attr('format') }}",
    "{% if y %}{{ x | attr('format') }}{% endif %}",
    "{{ [x] | map(attribute='__class__') | list }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{% for y in x recursive %}{{ loop(y) }}{% endfor %}",
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
    "{{ '%99999s' % x }}",
    "{{ 'a' * 100000000 }}",
    "{{ 100000000 * 'a' }}",
    "{{ [1] * 100000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'a'.ljust(100000000) }}",
    "{% for i in range(100000) %}{{ x }}{{ 'aaaaaaaaaa' }}{% endfor %}",
    "{% for i in range(10000000) %}{% endfor %}",
    "{{ ('{0._' ~ '_class__}').format(x) }}",
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


def lenient(text: str, row: dict[str, Any], *, seed: int = 0) -> str:
    return sandbox.render(text, row, dialect="lenient", seed=seed)


def test_a_lenient_template_leaves_white_space_and_what_is_not_there() -> None:
    assert lenient("\n {{ missing }}{{ x }} \n|||\n{{ y }} ", {"x": "a", "y": None}) == "\n a \n|||\nNone "
    assert lenient("{% for a, b in zip(x, y) %}{{ a }}{{ b }}{% endfor %}", {"x": "ab", "y": [1, 2]}) == "a1b2"
    assert lenient("{{ x | most_frequent | join(',') }} {{ 'a' | highlight }}", {"x": ["c", "b", "a", "b", "c"]}) == (
        "c,b <span style='color: #F08080'>a</span>"
    )
    assert lenient("{{ [] | most_frequent }}", {}) == "None"


def test_a_lenient_template_draws_by_the_seed_of_its_row_alone() -> None:
    text = "{{ range(1000) | choice }} {{ range(1000) | random }}"
    drawn = {lenient(text, {}, seed=seed) for seed in range(20)}
    assert len(drawn) > 15
    assert {lenient("{{ ['p', 'q', 'r'] | choice }}", {}, seed=seed) for seed in range(20)} == {"p", "q", "r"}
    assert lenient(text, {}, seed=3) == lenient(text, {}, seed=3)
    first, second = lenient(text, {}, seed=3).split()
    assert first != second


def test_the_strict_dialect_has_none_of_the_lenient_names() -> None:
    assert sandbox.columns("{{ zip(x, y) | list }}") == {"zip", "x", "y"}
    assert sandbox.columns("{{ zip(x, y) | choice }}", dialect="lenient") == {"x", "y"}
    with pytest.raises(TemplateError):
        sandbox.columns("{{ x | choice }}")


VALUES = ["a", " b\n", "{{ x }}", "1" * 200, "", 0, 7, -3, True, False, 1.0, 1.5, None, ["c", 1], {"e": 2}]


@pytest.mark.parametrize(
    "text", ["{{ x }}", " {{ x }}{{ y }} ", "a {{- x -}} b", "{# no #}{% raw %}{{ y }}{% endraw %}", "c"]
)
@pytest.mark.parametrize("dialect", ["strict", "lenient"])
def test_words_and_columns_are_put_together_as_jinja_would(text: str, dialect: sandbox.Dialect) -> None:
    for x, y in product(VALUES, VALUES):
        written = sandbox._rendered(text, {"x": x, "y": y}, dialect=dialect, seed=0)
        assert sandbox.render(text, {"x": x, "y": y}, dialect=dialect) == (
            written if dialect == "lenient" else written.strip()
        )


def test_what_is_remembered_of_short_values_tells_alike_ones_apart() -> None:
    text = "{{ x ~ '' }}"
    for _ in range(2):
        assert [sandbox.render(text, {"x": value}) for value in (1, True, 1.0, "1", 0, False, ("1",))] == (
            ["1", "True", "1.0", "1", "0", "False", "('1',)"]
        )
        with pytest.raises(TemplateError):
            sandbox.render(text, {"y": 1})


def test_a_text_of_words_and_columns_has_an_end_too() -> None:
    with pytest.raises(TemplateError) as caught:
        sandbox.render("{{ x }}{{ x }}", {"x": "a" * bounded.LONGEST})
    assert "characters" in str(caught.value)
