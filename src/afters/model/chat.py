"""A conversation as a chat model reads it: the template's own text, and where in it the messages stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from jinja2 import TemplateError

from afters.errors import ModelError

Message = dict[str, str]
Span = tuple[int, int]

TODAY = "{%- macro strftime_now(format) -%}{{ '2024-07-26' if '-' in format else '26 Jul 2024' }}{%- endmacro -%}"
"""Put before a template that writes the day: a prompt must be the same tomorrow. The day is Llama 3's default."""

EDGE = "\x1f"
"""White space to Python, and in nobody's text: a template that trims a message takes it off, which shows."""

MARK = re.compile(f"({EDGE}?)\ue000(\\d+)\ue001({EDGE}?)")


class Written(NamedTuple):
    """A conversation as text."""

    text: str
    spans: tuple[Span, ...]
    """Where each message stands in the text, in the order of the messages."""


class ChatTemplate:
    """A tokenizer's chat template, held to writing every message once and as it is."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        template = tokenizer.get_chat_template()
        self._template = TODAY + template if "strftime_now" in template else template
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
        try:
            written = self._tokenizer.apply_chat_template(
                list(messages), chat_template=self._template, tokenize=False, add_generation_prompt=answer_follows
            )
        except TemplateError as error:
            system = any(message["role"] == "system" for message in messages)
            raise ModelError(
                "the tokenizer's chat template refuses these messages",
                where=where,
                received=str(error),
                hint="It may know no system part: say that in the wording's prompt instead." if system else None,
            ) from None
        return str(written)
