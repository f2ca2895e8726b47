"""Chat templates come from strangers as well: what attacks fails soon, what families use works."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from afters.errors import ModelError
from afters.model.chat import ChatTemplate

TURNS = [{"role": "user", "content": "Is it late?"}, {"role": "assistant", "content": "Yes."}]

WRITTEN = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"


class Tokenizer:
    """What a chat template needs of a tokenizer."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.special_tokens_map = {"bos_token": "<s>", "eos_token": "</s>", "extra_special_tokens": ["<a>"]}

    def get_chat_template(self) -> str:
        return self.template


def written(template: str, turns: Any = TURNS, *, answer_follows: bool = False) -> str:
    return ChatTemplate(Tokenizer(template)).write(turns, answer_follows=answer_follows).text


ATTACKS = {
    # CVE-2024-34359 (llama-cpp-python)
    "{% for c in ().__class__.__base__.__subclasses__() %}{% if 'warning' in c.__name__ %}"
    "{{ c()._module.__builtins__['__import__']('os').popen('touch made') }}{% endif %}{% endfor %}": "reaches",
    # CVE-2026-5760 (SGLang)
    "{{ self.__init__.__globals__.__builtins__.open('made', 'w') }}": "reaches",
    # litellm 2949
    "{{ cycler.__init__.__globals__.os.popen('touch made').read() }}": "reaches",
    # CVE-2024-56326
    "{% set f = ('{0._' ~ '_class__}').format %}{{ f(messages) }}": "refuses",
    # CVE-2025-27516
    "{{ ('{0.x}' | attr('format'))(messages) }}": "broken",
    "{{ raise_exception['_' ~ '_globals__'] }}": "refuses",
    "{% include 'made' %}": "reaches",
    "{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}": "reaches",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}": "refuses",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}": "refuses",
    "{% set n = namespace(v='abc') %}{% for i in range(99) %}{% set n.v = n.v ~ n.v %}{% endfor %}": "refuses",
    "{% set n = namespace(v=[1]) %}{% for i in range(60) %}{% set n.v = [n.v, n.v] %}{% endfor %}{{ n.v }}": "refuses",
    "{{ [[messages]] | tojson(indent=1000000000) }}": "refuses",
    "{{ [[messages]] | tojson(false, 1000000000) }}": "refuses",
    "{{ [[messages]] | tojson(cls=dict) }}": "refuses",
    "{{ messages | tojson(separators=('a' * 900000, 'b')) }}": "refuses",
    "{{ strftime_now('%c' * 9999) }}": "refuses",
    "{{ 'a' * 1000000000 }}": "refuses",
    "{{ " + "(" * 9999 + "1" + ")" * 9999 + " }}": "broken",
}


@pytest.mark.parametrize("template", ATTACKS)
def test_a_chat_template_that_attacks_fails_soon_and_leaves_nothing(
    template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    start = time.process_time()
    with pytest.raises(ModelError, match=ATTACKS[template]):
        written(template + WRITTEN)
    assert time.process_time() - start < 1
    assert os.listdir() == [] and TURNS[0] == {"role": "user", "content": "Is it late?"}
    assert written(WRITTEN) == "user: Is it late?\nassistant: Yes.\n"


def test_a_chat_template_cannot_change_what_the_next_prompt_is_given() -> None:
    changing = "{% set _ = messages.append({'role': 'user', 'content': 'x'}) %}{% set _ = messages[0].clear() %}"
    with pytest.raises(ModelError):
        written(changing + WRITTEN)
    assert len(TURNS) == 2 and TURNS[0]["content"] == "Is it late?"


FAMILIES = {
    "{{ bos_token }}{% generation %}\n{{ messages[0]['content'] }}\n{% endgeneration %}\n"
    "{{ messages[1].content + eos_token }}": "<s>Is it late?\nYes.</s>",
    "{%- for m in messages %}\n    {%- if loop.index0 > 5 %}{% break %}{% endif %}\n"
    "    {{- '%s|' % m.role + m['content'] | trim }}\n{%- endfor %}": "user|Is it late?assistant|Yes.",
    "{% if tools is not none and tools %}{{ tools | tojson }}{% endif %}" + WRITTEN.replace("\n", "#"): (
        "user: Is it late?#assistant: Yes.#"
    ),
    "{{ {'a': '<é>'} | tojson }}{{ strftime_now('%d %b %Y') }}{{ messages[0].content ~ messages[-1].content }}": (
        '{"a": "<é>"}26 Jul 2024Is it late?Yes.'
    ),
    "{% macro turn(m) %}{{ m.content }}{% endmacro %}{% set ns = namespace(n=0) %}{% for m in messages %}"
    "{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ turn(m) }}{% endfor %}": "1Is it late?2Yes.",
}


@pytest.mark.parametrize("template", FAMILIES)
def test_what_the_families_use_works(template: str) -> None:
    assert written(template) == FAMILIES[template]


def test_what_the_template_itself_refuses_is_told_in_its_own_words() -> None:
    with pytest.raises(ModelError, match="refuses these messages") as caught:
        written("{{ raise_exception('roles must alternate') }}")
    assert caught.value.received == "roles must alternate"


def test_a_broken_chat_template_names_its_line() -> None:
    with pytest.raises(ModelError, match="chat template is broken") as caught:
        written("a\n{% if %}")
    assert caught.value.where == "line 2"
