"""A conversation as a chat model reads it: the template's own text, and where in it the messages stand.

The template came with the tokenizer, from a stranger. It gets what transformers would give it, but pays for its work
(`bounded.py`), and its day is always the same.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser

from afters import bounded
from afters.errors import ModelError

Message = dict[str, str]
Span = tuple[int, int]

TODAY = datetime.date(2024, 7, 26)
"""What a template is told of the day: a prompt must be the same tomorrow. It is Llama 3's default."""

EDGE = "\x1f"
"""White space to Python, and in nobody's text: a template that trims a message takes it off, which shows."""

MARK = re.compile(f"({EDGE}?)\ue000(\\d+)\ue001({EDGE}?)")


class Written(NamedTuple):
    """A conversation as text."""

    text: str
    spans: tuple[Span, ...]
    """Where each message stands in the text, in the order of the messages."""


class _Generation(Extension):
    """`{% generation %}`, around what the model writes: where that is, the marks tell."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        """Return what is inside, in a scope of its own as in transformers."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


def _json(
    value: Any, *, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: Any) -> None:
    raise jinja2.TemplateError(str(message))


def _day(form: str) -> str:
    return bounded.day(TODAY, form)


@lru_cache(maxsize=1)
def _environment() -> bounded.Environment:
    environment = bounded.Environment(
        finalize=bounded.written, trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _day}
    environment.filters["tojson"] = _json
    environment.seal()
    return environment


def _read(text: str) -> jinja2.Template:
    try:
        tree, template = _environment().read(text)
    except jinja2.TemplateSyntaxError as error:
        where = f"line {error.lineno}"
        raise ModelError("the tokenizer's chat template is broken", where=where, received=error.message) from None
    for line, name in bounded.reaches(tree, _environment().filters):
        raise ModelError(
            "the tokenizer's chat template reaches for more than the messages", where=f"line {line}", received=name
        )
    return template


class ChatTemplate:
    """A tokenizer's chat template, held to writing every message once and as it is.

    Raises:
        ModelError: the template is broken, or reaches for more than the messages.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._template = _read(tokenizer.get_chat_template())
        controls = {name: text for name, text in tokenizer.special_tokens_map.items() if isinstance(text, str)}
        # What is taught are answers without thoughts, so that is also how the model is asked.
        self._given = {"tools": None, "documents": None, "enable_thinking": False, **controls}
        self._marked: dict[tuple[str, ...], str] = {}

    def write(self, messages: Sequence[Message], *, answer_follows: bool = False, where: str | None = None) -> Written:
        """Return the conversation; with `answer_follows`, up to where the model begins its own message.

        Raises:
            ModelError: the template refuses the messages, leaves one out, or changes what one says; `where` is told.
        """
        marked = self._marks(messages, answer_follows=answer_follows, where=where)
        text, place = "", 0
        spans: dict[int, Span] = {}
        for found in MARK.finditer(marked):
            number = int(found[2])
            content = messages[number]["content"]
            content = content if found[1] else content.lstrip()
            content = content if found[3] else content.rstrip()
            text += marked[place : found.start()]
            spans[number] = (len(text), len(text) + len(content))
            text, place = text + content, found.end()
        text += marked[place:]
        if text != self._render(messages, answer_follows=answer_follows, where=where):
            raise ModelError(
                "the tokenizer's chat template does not write the messages as they are",
                where=where,
                hint="What is taught could not be told from the rest. Give the tokenizer a plain chat template.",
            )
        return Written(text, tuple(spans[number] for number in range(len(messages))))

    def _marks(self, messages: Sequence[Message], *, answer_follows: bool, where: str | None) -> str:
        """Return the template's text with a mark for each message, the same for all messages of these roles."""
        roles = tuple(message["role"] for message in messages)
        key = (*roles, "answer follows" if answer_follows else "")
        if key not in self._marked:
            marks = [f"{EDGE}\ue000{number}\ue001{EDGE}" for number in range(len(roles))]
            spelled = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
            text = self._render(spelled, answer_follows=answer_follows, where=where)
            numbers = sorted(int(found[2]) for found in MARK.finditer(text))
            if numbers != list(range(len(roles))):
                missing = next((role for number, role in enumerate(roles) if number not in numbers), None)
                what = f"leaves a message out ({missing})" if missing else "writes a message twice"
                raise ModelError(
                    f"the tokenizer's chat template {what}", where=where, hint="Use another base model or template."
                )
            self._marked[key] = text
        return self._marked[key]

    def _render(self, messages: Sequence[Message], *, answer_follows: bool, where: str | None) -> str:
        own = [dict(message) for message in messages]
        try:
            return bounded.write(
                self._template, {**self._given, "messages": own, "add_generation_prompt": answer_follows}
            )
        except Exception as error:  # a template may fail in any way that Python can
            system = any(message["role"] == "system" for message in messages)
            raise ModelError(
                "the tokenizer's chat template refuses these messages",
                where=where,
                received=bounded.told(error),
                hint="It may know no system part: say that in the wording's prompt instead." if system else None,
            ) from None
