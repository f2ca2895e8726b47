"""Where a model answers over HTTP, and under what name: an address as a study says it, and the key for it.

http://localhost:8000/v1#qwen2.5-7b                  a chat model
completions:http://localhost:8000/v1#gpt2            a model without chat: prompts go as one text
https://example.com/v1#our-deployment=gpt-4o         a server's own name for a model that answers as gpt-4o
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from afters.errors import ModelError

PLAIN = "completions:"
"""Stands before an address whose model has no chat. Said, not tried out: what a server offers may change from one day
to the next, and what a model is asked may not."""

EXPECTED = "the server's address, '#', and the model's name, as http://localhost:8000/v1#qwen2.5-7b"

KEYS = ("AFTERS_API_KEY", "OPENAI_API_KEY")
"""Where a key is looked for, and nowhere else."""

LOCAL = ("localhost", "127.0.0.1", "::1")

SNAPSHOT = re.compile(r"[-@:](latest|\d{3,4}|\d{6}|\d{8}|\d{4}-\d{2}-\d{2})")
"""What a server adds to the name of a model that it keeps in several states: a date, or the number of one."""


@dataclass(frozen=True, slots=True)
class Address:
    """A model behind a server."""

    url: str
    """Of the interface, as `http://localhost:8000/v1`; `/chat/completions` is added to it."""
    model: str
    """The name that it is asked by."""
    answers_as: str
    """The name that it answers under."""
    chat: bool
    """Whether it is asked as a chat; else prompts go as one text."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address; one that holds a password or a query, where keys are found, is refused and not repeated.

        Raises:
            ModelError: it is none, or says more than where and which.
        """
        place, _, name = text.removeprefix(PLAIN).partition("#")
        parts = _split(place)
        if parts.username is not None or parts.password is not None or parts.query:
            _refuse("an address must hold no password and no query: it is written into the run folder")
        model, _, other = name.partition("=")
        if not parts.hostname or parts.scheme not in ("http", "https"):
            _refuse("no server's address")
        if not model.strip() or "#" in name:
            _refuse("the address names no model")
        return cls(place.rstrip("/"), model.strip(), other.strip() or model.strip(), not text.startswith(PLAIN))

    def __str__(self) -> str:
        alias = "" if self.answers_as == self.model else f"={self.answers_as}"
        return f"{'' if self.chat else PLAIN}{self.url}#{self.model}{alias}"

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self.host in LOCAL

    def is_name(self, replied: str) -> bool:
        """Tell whether a reply under this name is the model's, or a dated state of it.

        >>> address = Address.parse("https://api.openai.com/v1#gpt-4o")
        >>> [address.is_name(one) for one in ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini")]
        [True, True, False]
        """
        own, more = replied[: len(self.answers_as)], replied[len(self.answers_as) :]
        return own == self.answers_as and (not more or SNAPSHOT.fullmatch(more) is not None)


def is_address(name: str) -> bool:
    """Tell whether a model's name is an address, be it a good one or not."""
    return name.removeprefix(PLAIN).startswith(("http://", "https://"))


def key_for(address: Address, *, environment: Mapping[str, str] = os.environ) -> str:
    """Return the key for a server, from the environment; empty where there is none.

    AFTERS_API_KEY goes to any server that is asked. OPENAI_API_KEY, which lies about in many a shell, goes to OpenAI
    and to this machine alone.

    Raises:
        ModelError: it cannot stand in a header; it is not repeated.
    """
    own = address.is_local or (address.url.startswith("https:") and address.host.endswith(".openai.com"))
    for name in KEYS if own else KEYS[:1]:
        if key := environment.get(name, "").strip():
            if not all("!" <= letter <= "~" for letter in key):
                raise ModelError(f"the key in {name} cannot be sent", expected="letters of ASCII, without spaces")
            return key
    return ""


def _split(place: str) -> SplitResult:
    try:
        parts = urlsplit(place)
        _ = parts.port
    except ValueError:
        _refuse("no server's address")
    return parts


def _refuse(what: str) -> NoReturn:
    raise ModelError(what, expected=EXPECTED, hint=f"A key belongs in the environment, as {KEYS[0]}.") from None
