"""The words of the demo's chats, read from `demo_words.toml`: lines, outcomes, intents, businesses."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

Summaries = tuple[str, str, str]
"""Three wordings of the same facts."""

KEPT = "* "
"""What a line begins with that only the judging side says."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The wordings of one turn, or of a turn and its reply."""

    common: tuple[str, ...]
    kept: tuple[str, ...]
    """Those that only the judging side says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of a request: what the agent says, how the customer takes it, what is left to do."""

    name: str
    agent: Lines
    customer: Lines
    next: Lines | None
    summaries: Summaries


@dataclass(frozen=True, slots=True)
class Intent:
    """What a customer wants, and what may come of it."""

    business: str
    name: str
    label: str
    """What the business calls its numbers, as "order number"."""
    house: Lines
    """The names of such businesses."""
    facts: Mapping[str, Mapping[str, Any]]
    """For each fact the kind that it is drawn from."""
    corrects: str
    """The fact that customers get wrong at first."""
    ask: Lines
    question: Lines
    answer: Lines
    asides: Lines
    summaries: Summaries
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """First and last names of one side."""

    first: tuple[str, ...]
    last: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """All of the file."""

    talk: Mapping[str, Lines]
    """What is said whatever the business is, by what it is for."""
    teaching: Names
    judging: Names
    intents: tuple[Intent, ...]

    @property
    def stories(self) -> Sequence[tuple[Intent, Outcome]]:
        """Every outcome with its intent, in the file's order."""
        return [(intent, outcome) for intent in self.intents for outcome in intent.outcomes]


@lru_cache(maxsize=1)
def words() -> Words:
    """Return the words that ship."""
    content = tomllib.loads(files("afters.data").joinpath("demo_words.toml").read_text(encoding="utf-8"))
    talk = {name: _lines(text) for name, text in content.pop("talk").items()}
    names = {name: tuple(text.split()) for name, text in content.pop("names").items()}
    return Words(
        talk=talk,
        teaching=Names(names["first"], names["last"]),
        judging=Names(names["first_of_judging"], names["last_of_judging"]),
        intents=tuple(
            _intent(business, name, said=content[business], told=told, talk=talk)
            for business in content
            for name, told in content[business]["intents"].items()
        ),
    )


def _intent(
    business: str, name: str, *, said: Mapping[str, Any], told: Mapping[str, Any], talk: Mapping[str, Lines]
) -> Intent:
    return Intent(
        business=business,
        name=name,
        label=said["label"],
        house=_lines(said["house"]),
        facts=told["facts"],
        corrects=told["corrects"],
        summaries=_summaries(told["summaries"]),
        outcomes=tuple(_outcome(outcome, talk=talk) for outcome in told["outcomes"]),
        **{part: _lines(told[part]) for part in ("ask", "question", "answer", "asides")},
    )


def _outcome(told: Mapping[str, Any], *, talk: Mapping[str, Lines]) -> Outcome:
    """Return the outcome; where it does not say how the customer takes it, the mood does."""
    return Outcome(
        name=told["name"],
        agent=_lines(told["agent"]),
        customer=_lines(told["customer"]) if "customer" in told else talk[told["mood"]],
        next=_lines(told["next"]) if "next" in told else None,
        summaries=_summaries(told["summaries"]),
    )


def _lines(text: str) -> Lines:
    lines = text.strip().splitlines()
    kept = tuple(line.removeprefix(KEPT) for line in lines if line.startswith(KEPT))
    return Lines(common=tuple(line for line in lines if not line.startswith(KEPT)), kept=kept)


def _summaries(text: str) -> Summaries:
    first, second, third = text.strip().splitlines()
    return first, second, third
