"""Templates that set out to reach, to waste or to stay: each fails in under a second and leaves nothing."""

from __future__ import annotations

import copy
import datetime
import os
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from afters.data import sandbox
from afters.errors import TemplateError


class Attack(NamedTuple):
    name: str
    template: str
    said: str
    """What the refusal speaks of."""


ROW: dict[str, Any] = {
    "x": "abc",
    "turns": ["hello", "there"],
    "meta": {"k": [1, 2]},
    "day": datetime.date(2024, 1, 1),
    "long": "a" * 100_000,
}

WORK = "more work"

# Python's objects from a template's values. The published ones name their source; what they would run makes a file.
REACHING = [
    Attack(
        "CVE-2024-34359 (llama-cpp-python)",
        "{% for c in ().__class__.__base__.__subclasses__() %}{% if 'warning' in c.__name__ %}"
        "{{ c()._module.__builtins__['__import__']('os').popen('touch made') }}{% endif %}{% endfor %}",
        "__",
    ),
    Attack("litellm 2949", "{{ cycler.__init__.__globals__.os.popen('touch made').read() }}", "__"),
    Attack("litellm 2949, by lipsum", "{{ lipsum.__globals__['os'].popen('touch made').read() }}", "__"),
    Attack("CVE-2026-5760 (SGLang)", "{{ self.__init__.__globals__.__builtins__.open('made', 'w') }}", "__"),
    Attack("guidance 1475", "{{ joiner.__init__.__globals__.__builtins__['open']('made', 'w') }}", "__"),
    Attack("CVE-2016-10745, str.format", "{{ ('{0._' ~ '_class__._' ~ '_mro__}').format(x) }}", "'__class__' of str"),
    Attack("CVE-2019-10906, format_map", "{{ ('{a._' ~ '_class__}').format_map({'a': x}) }}", "'__class__' of str"),
    Attack(
        "CVE-2024-56326, a format that is kept",
        "{% set f = ('{0._' ~ '_class__}').format %}{{ [x] | map('string') | map('upper') | list }}{{ f(x) }}",
        "'__class__' of str",
    ),
    Attack("CVE-2025-27516, attr", "{{ ('{0.x}' | attr('format'))(x) }}", "attr"),
    Attack("attr by map", "{{ [x] | map('attr', '_' ~ '_class__') | list }}", "No filter named"),
    Attack("the method resolution order", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "__"),
    Attack("an attribute by item", "{{ x['_' ~ '_class__'] }}", "'__class__' of str"),
    Attack("an attribute by a filter", "{{ [x] | map(attribute='_' ~ '_class__') | list }}", "'__class__' of str"),
    Attack("an attribute by a test", "{{ [x] | selectattr('_' ~ '_class__') | list }}", "'__class__' of str"),
    Attack("an attribute by groups", "{{ [x] | groupby('_' ~ '_class__') }}", "'__class__' of str"),
    Attack("an attribute by a sum", "{{ [x] | sum(attribute='_' ~ '_class__') }}", "'__class__' of str"),
    Attack("the loop's own", "{% for t in turns %}{{ loop['_' ~ 'iterator'] }}{% endfor %}", "'_iterator'"),
    Attack("a macro's own", "{% macro f() %}{% endmacro %}{{ f['_' ~ 'environment'] }}", "'_environment'"),
    Attack("a macro's function", "{% macro f() %}{% endmacro %}{{ f.name }}", "'name' of Macro"),
    Attack("a generator's frame", "{{ (turns | map('upper')).gi_frame.f_globals }}", "'gi_frame' of"),
    Attack("a class's order", "{{ dict.mro() }}", "'mro' of type"),
    Attack("a method's owner", "{{ x.upper['_' ~ '_self__'] }}", "'__self__' of builtin"),
    Attack("a method that is not named", "{{ x.encode('utf-8') }}", "'encode' of str"),
    Attack("the built-ins", "{{ __builtins__ }}", "__builtins__"),
    Attack("a namespace's own", "{% set n = namespace() %}{% set n.__class__ = x %}{{ n }}", "__class__"),
    Attack("another file", "{% include '/etc/hostname' %}", "include"),
    Attack("another template", "{% from 'made' import f %}", "import"),
    Attack("a parent", "{% extends 'made' %}", "extends"),
    Attack("a block that calls itself", "{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}", "block"),
    Attack("an extension that writes all it sees", "{% debug %}", "debug"),
    Attack("a translation", "{% trans %}x{% endtrans %}", "trans"),
    Attack("escaping", "{% autoescape true %}{{ x }}{% endautoescape %}", "autoescape"),
    Attack("chance", "{{ turns | random }}", "random"),
]

DOUBLED = "{% set n = namespace(v=(x, x), w=(x, x)) %}{% for i in range(60) %}{% set n.v = "

DEEP = "{% set n = namespace(v=x) %}{% for i in range(90000) %}{% set n.v = "

# Time.
LONG = [
    Attack("a long range", "{% for i in range(10 ** 9) %}{% endfor %}", "Range too big"),
    Attack("ranges in ranges", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", WORK),
    Attack("a long body", "{% for i in range(99999) %}" + "{% if x %}{% endif %}" * 2000 + "{% endfor %}", WORK),
    Attack(
        "a list that grows while it is read", "{% for t in long %}{% for u in long %}{% endfor %}{% endfor %}", WORK
    ),
    Attack(
        "macros that branch",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
        WORK,
    ),
    Attack("a macro without end", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
    Attack(
        "callers that branch",
        "{% macro f() %}{{ caller() }}{{ caller() }}{% endmacro %}{% macro g(n) %}{% if n %}"
        "{% call f() %}{{ g(n - 1) }}{% endcall %}{% endif %}{% endmacro %}{{ g(30) }}",
        WORK,
    ),
    Attack("a loop that calls itself", "{% for t in turns recursive %}{{ loop(turns) }}{% endfor %}", "calls itself"),
    Attack("one long text, often", "{% for i in range(9999) %}{{ long | upper | length }}{% endfor %}", WORK),
    Attack("one long search, often", "{% for i in range(9999) %}{{ 'zz' in long }}{% endfor %}", WORK),
    Attack("one long slice, often", "{% for i in range(9999) %}{% set y = long[1:] %}{% endfor %}", WORK),
    Attack("one long form, often", "{% for i in range(9999) %}{{ long.format() | length }}{% endfor %}", WORK),
    Attack("one long split, often", "{% for i in range(9999) %}{{ long.split() | length }}{% endfor %}", WORK),
    Attack("one long comparison, often", "{% for i in range(9999) %}{{ long == long ~ x }}{% endfor %}", WORK),
    Attack("a search backwards", "{{ (long * 9).rfind('b' ~ long * 4) }}", WORK),
    Attack("a strip of many characters", "{{ (long * 9).strip('b' * 900000 ~ 'a') }}", WORK),
    Attack(
        "lists in front of lists", "{% set o = [] %}{% for i in range(99999) %}{{ o.insert(0, i) }}{% endfor %}", WORK
    ),
    Attack("a sum of lists", "{{ range(99999) | map('string') | map('list') | sum(start=[]) | length }}", WORK),
    Attack("a sort by many attributes", "{{ range(50000) | sort(attribute='" + "a," * 500 + "a') }}", WORK),
    Attack("a sort that calls", "{% set o = [x, x] %}{{ o.sort(key=long.count) }}", "key"),
    Attack("hashes that are equal", "{{ 2305843009213693951 * 2 }}", "whole number"),
    Attack("work that is paid back", "{{ [-(10 ** 15)] | map('(body)') | list }}{{ long * 999 }}", "No filter named"),
    Attack("loops that are paid back", "{{ [x] | map('(turns)', -9999) | list }}", "No filter named"),
    Attack("a power", "{{ 9 ** (9 ** 9) }}", "a number beyond"),
    Attack("a square of squares", "{% set n = namespace(v=9) %}" + "{% set n.v = n.v * n.v %}" * 9, "whole number"),
    Attack("a number of many digits", "{{ long.replace('a', '1') | int(base=2) }}", "100 digits"),
    Attack("a literal of many digits", "{{ " + "9" * 40_000 + " }}", "digits"),
    Attack("a rounding to minus a billion", "{{ 5 | round(-1000000000) }}", "a number beyond"),
    Attack("chance, often", "{{ ([x] * 9999) | map('random') | list }}", "No filter named"),
    Attack("parentheses in parentheses", "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}", "RecursionError"),
    Attack("a sum of many", "{{ " + "1+" * 20_000 + "1 }}", "RecursionError"),
    Attack("not, not, not", "{{ " + "not " * 10_000 + "1 }}", "RecursionError"),
    Attack("many branches", "{% if x %}" + "{% elif x %}" * 4_000 + "{% endif %}", "RecursionError"),
    Attack("many filters", "{{ x" + " | upper" * 5_000 + " }}", "RecursionError"),
    Attack("a long template", "a" * 50_001, "at most"),
]

# Memory.
LARGE = [
    Attack(
        "doubling by ~",
        "{% set n = namespace(v=x) %}{% for i in range(99) %}{% set n.v = n.v ~ n.v %}{% endfor %}",
        WORK,
    ),
    Attack(
        "doubling by +",
        "{% set n = namespace(v=x) %}{% for i in range(99) %}{% set n.v = n.v + n.v %}{% endfor %}",
        WORK,
    ),
    Attack("doubling by a set block", "{% set v = long %}" + "{% set v %}{{ v }}{{ v }}{% endset %}" * 20, WORK),
    Attack("doubling by a list", "{% set o = [1] %}{% for i in range(60) %}{{ o.extend(o) }}{% endfor %}", WORK),
    Attack("pairs of pairs, written", DOUBLED + "(n.v, n.v) %}{% endfor %}{{ n.v }}", WORK),
    Attack("pairs of pairs, joined", DOUBLED + "(n.v, n.v) %}{% endfor %}{{ x ~ n.v }}", WORK),
    Attack("pairs of pairs, as JSON", DOUBLED + "[n.v, n.v] %}{% endfor %}{{ n.v | tojson }}", WORK),
    Attack("pairs of pairs, hashed", DOUBLED + "(n.v, n.v) %}{% endfor %}{{ {n.v: 1} | length }}", WORK),
    Attack("pairs of pairs, looked up", DOUBLED + "(n.v, n.v) %}{% endfor %}{{ meta[n.v] }}", WORK),
    Attack("a namespace of pairs", DOUBLED + "(n.v, n.v) %}{% endfor %}{{ n }}", WORK),
    Attack(
        "pairs of pairs, compared",
        DOUBLED + "(n.v, n.v) %}{% set n.w = (n.w, n.w) %}{% endfor %}{{ n.v == n.w }}",
        WORK,
    ),
    Attack("pairs of pairs, in a message", DOUBLED + "[n.v, n.v] %}{% endfor %}{{ meta[n.v] }}", WORK),
    Attack("a tuple 90,000 deep, hashed", DEEP + "(n.v,) %}{% endfor %}{{ {n.v: 1} }}", "100 deep"),
    Attack("a tuple 90,000 deep, looked up", DEEP + "(n.v,) %}{% endfor %}{{ meta.get(n.v) }}", "100 deep"),
    Attack("a list 90,000 deep, written", DEEP + "[n.v] %}{% endfor %}{{ n.v }}", "100 deep"),
    Attack("a list in itself", "{% set o = [x] %}{{ o.append(o) }}{{ o | tojson }}", "100 deep"),
    Attack("a text times a billion", "{{ x * 1000000000 }}", "characters"),
    Attack("a list times a billion", "{{ [x] * 1000000000 }}", "characters"),
    Attack("a replacement between all", "{{ long.replace('', long) }}", WORK),
    Attack("a replacement in escaped text", "{{ (long | e).replace('', long) }}", WORK),
    Attack("a join of escaped text", "{{ (long | e).join(long) }}", WORK),
    Attack("replacements of constants", "{{ 'x'" + " | replace('', 'yyyyyyyyyy')" * 60 + " }}", WORK),
    Attack("a wide indent", "{{ long.replace('a', '\n') | indent(1000) }}", WORK),
    Attack("a join between many", "{{ range(99999) | join(long) }}", WORK),
    Attack("a join of a text", "{{ long.join(long) }}", WORK),
    Attack("a wide field", "{{ '{:>1000000000}'.format(x) }}", "a field as wide"),
    Attack("a wide field by another", "{{ '{:>{w}}'.format(x, w=1000000000) }}", "a field as wide"),
    Attack("a wide field by percent", "{{ '%1000000000d' % 1 }}", "too wide"),
    Attack("a wide field by a key", "{{ '%(k)1000000000d' % {'k': 1} }}", "too wide"),
    Attack("a wide field behind a key", "{{ '%((k))1000000000d' % {'(k)': 1} }}", "too wide"),
    Attack("a precise field", "{{ '%.1000000000f' % 1 }}", "too wide"),
    Attack("a wide field by a star", "{{ '%*d' | format(1000000000, 1) }}", "too wide"),
    Attack("many fields", "{{ ('{0}' * 9999).format(long) }}", WORK),
    Attack("deep JSON", "{{ [[[[x]]]] | tojson(indent=1000000000) }}", "a number beyond"),
    Attack("many slices", "{{ x | slice(1000000000) | list }}", "a number beyond"),
    Attack("a full batch", "{{ x | batch(1000000000, x) | list }}", "a number beyond"),
    Attack("a centred text", "{{ x | center(1000000000) }}", "center"),
    Attack("a justified text", "{{ x.ljust(1000000000) }}", "'ljust' of str"),
    Attack("tabs", "{{ '\t'.expandtabs(1000000000) }}", "'expandtabs' of str"),
    Attack("a long day", "{{ day.strftime('%c' * 9999) }}", "100 characters"),
    Attack("a long lorem ipsum", "{{ lipsum(n=1000000) }}", "'lipsum' is undefined"),
    Attack("many lists", "{% set o = [] %}{% for i in range(99999) %}{{ o.append(long | list) }}{% endfor %}", WORK),
    Attack("too much text", "{% for i in range(99999) %}{{ turns }}{% endfor %}", "characters"),
]

ATTACKS = [*REACHING, *LONG, *LARGE]


def left() -> tuple[Any, ...]:
    """What an attack might leave behind: files here, threads, child processes, names and colours of the environment."""
    tasks = Path("/proc/self/task")
    children = [path.read_text() for path in tasks.glob("*/children")] if tasks.is_dir() else []
    environment = sandbox._environment("strict")
    known = (dict(environment.filters), dict(environment.tests), dict(environment.globals))
    return os.listdir("."), threading.enumerate(), children, dict(os.environ), known


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_fails_soon_and_leaves_nothing(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = copy.deepcopy(ROW)
    before = left()
    start = time.process_time()
    with pytest.raises(TemplateError) as caught:
        sandbox.columns(attack.template)
        sandbox.render(attack.template, row)
    assert time.process_time() - start < 1
    assert attack.said in str(caught.value)
    assert row == ROW and left() == before
    assert sandbox.render("{{ x | upper }}{{ turns | length }}", row) == "ABC2"


HARMLESS = {
    "{{ dict['mro']() }}": "{}",
    "{% set o = [1] %}{% for x in o %}{% set _ = o.append(1) %}{% endfor %}{{ o | length }}": "2",
    "{% set _ = turns.append('c') %}{% set _ = meta.k.clear() %}{{ turns | length }}{{ meta.k }}": "3[]",
    "{% set range = 3 %}{{ range }}": "3",
    "{% macro f(o=[]) %}{% set _ = o.append(1) %}{{ o | length }}{% endmacro %}{{ f() }}{{ f() }}": "11",
    "{{ '{{ x }}' }}{% raw %}{{ x }}{% endraw %}": "{{ x }}{{ x }}",
    "{{ x | map('upper') | list }}": "['A', 'B', 'C']",
    "{{ '\uff3f\uff3fclass\uff3f\uff3f' in x }}": "False",
}


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_an_attack_is_written_and_changes_no_row(text: str) -> None:
    row = copy.deepcopy(ROW)
    assert [sandbox.render(text, row), sandbox.render(text, row)] == [HARMLESS[text]] * 2
    assert row == ROW


LEGAL = {
    "{{ '%s has %d' % (x, 3) }} {{ '%-5s|' | format(x) }} {{ '{:>5}|{a:.2f}'.format(x, a=2) }}": (
        "abc has 3 abc  |   abc|2.00"
    ),
    "{{ 2 ** 10 }} {{ 7 // 2 }} {{ -7 % 3 }} {{ 1.5 * 2 }}": "1024 3 2 3.0",
    "{{ '-' * 3 }} {{ [1] + [2] }} {{ [0] * 2 }}": "--- [1, 2] [0, 0]",
    "{{ day.year }} {{ day.strftime('%d.%m.') }} {{ day }}": "2024 01.01. 2024-01-01",
    "{{ turns | sort(reverse=true) | join(', ') }} {{ turns[::-1] }}": "there, hello ['there', 'hello']",
    "{% for k, v in meta.items() %}{{ k }}{{ v | sum }}{{ loop.last }}{% endfor %}": "k3True",
    "{% for n, all in [{'a': 1, 'b': 2}] | groupby('a') %}{{ n }}{{ all[0].b }}{% endfor %}": "12",
    "{{ x | replace('b', '--') | indent(2) | title | trim }} {{ x.split('b') | tojson }}": 'A--C ["a", "c"]',
    "{% for c in long[:50000] %}{{ c if loop.first or loop.last }}{% endfor %}": "aa",
    "{% macro list(items) %}{% for i in items %}{{ loop.index }}{{ i }} {% endfor %}{% endmacro %}{{ list(turns) }}": (
        "1hello 2there"
    ),
}


@pytest.mark.parametrize("text", LEGAL)
def test_honest_templates_are_not_in_the_way(text: str) -> None:
    assert sandbox.render(text, copy.deepcopy(ROW)) == LEGAL[text]


def test_a_row_as_long_as_any_context_is_no_attack() -> None:
    row = {"text": "word " * 190_000, "turns": [{"who": "A", "says": "yes, of course"}] * 10_000}
    text = (
        "{{ text | trim | replace('  ', ' ') }}{{ text.split(' ') | length }}"
        "{% for turn in turns if turn.says %}{{ turn.who ~ ':' }}{% endfor %}"
    )
    assert len(sandbox.render(text, row)) > 900_000
