"""One demo chat: a customer and an agent talk, and three notes say what it came to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from afters.data import demo_facts
from afters.data.demo_facts import Chance, Slip
from afters.data.demo_words import Intent, Lines, Outcome, Summaries, Words

REPLY = " -> "
"""What stands between a turn and the reply that belongs to it."""

TURNS = range(6, 15)
WORDS_LONG = range(60, 161)
"""How long a chat may be; others are drawn again."""

SLIP_IN_FACT, SLIP_IN_NUMBER = 0.35, 0.1
"""The shares of chats in which the customer corrects a fact of the request, or the order number."""

KEPT_SHARE = 0.3
"""How often the judging side takes one of the wordings that are kept for it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A chat, and all that is known about it."""

    business: str
    intent: str
    outcome: str
    chat: str
    summaries: Summaries
    facts: Mapping[str, str]
    """Everything that the chat may tell, whether this one tells it or not."""
    superseded: tuple[str, ...]
    """What the customer said first and then corrected."""
    kept: tuple[str, ...]
    """The wordings in it that only the judging side has, with their braces."""


@dataclass
class Talk:
    """A chat that is being written."""

    chance: Chance
    words: Words
    intent: Intent
    outcome: Outcome
    facts: Mapping[str, str]
    slip: Slip | None
    """What the customer says wrongly at first of the fact that the intent `corrects`."""
    lost_digit: str | None
    """The number as the customer mistypes it."""
    turns: list[tuple[str, str]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)

    def line(self, lines: Lines | str, **said: str) -> str:
        """Return one of the wordings, filled in; `said` replaces facts."""
        lines = self.words.talk[lines] if isinstance(lines, str) else lines
        keep = self.chance.judging and lines.kept and self.chance.happens(KEPT_SHARE)
        wording = self.chance.one_of(lines.kept if keep else lines.common)
        if keep:
            self.kept.append(wording)
        return REPLY.join(_sentence(part.format_map({**self.facts, **said})) for part in wording.split(REPLY))

    def customer(self, *parts: str) -> None:
        """Let the customer say the parts in one turn."""
        self.turns.append(("customer", " ".join(filter(None, parts))))

    def agent(self, *parts: str) -> None:
        """Let the agent say the parts in one turn, which goes on where the agent has just spoken."""
        before = [self.turns.pop()[1]] if self.turns and self.turns[-1][0] == "agent" else []
        self.turns.append(("agent", " ".join(filter(None, [*before, *parts]))))

    def agent_asks(self, lines: Lines | str, **said: str) -> None:
        """Let the agent say a line, and the customer its reply."""
        turn, reply = self.line(lines, **said).split(REPLY)
        self.agent(turn)
        self.customer(reply)

    def customer_asks(self, lines: Lines | str, **said: str) -> None:
        """Let the customer say a line, and the agent its reply."""
        turn, reply = self.line(lines, **said).split(REPLY)
        self.customer(turn)
        self.agent(reply)


def told(chance: Chance, *, words: Words, intent: Intent, outcome: Outcome, number: str, attempts: int = 100) -> Told:
    """Return a chat about the intent that ends with the outcome.

    Args:
        chance: where the draws come from; all that the result depends on beside the arguments.
        words: what is said.
        intent: what the customer wants.
        outcome: one of the intent's outcomes.
        number: the customer's order number, or what the business calls it.
        attempts: how many chats are drawn until one is well formed; about one in six is not.
    """
    for _ in range(attempts):
        chat = _drawn(chance, words=words, intent=intent, outcome=outcome, number=number)
        if _well_formed(chat, judging=chance.judging):
            return chat
    raise AssertionError(f"{intent.business}/{intent.name}/{outcome.name}: none of {attempts} chats is well formed")


def _drawn(chance: Chance, *, words: Words, intent: Intent, outcome: Outcome, number: str) -> Told:
    facts, slip = _facts(chance, words=words, intent=intent, number=number)
    lost_digit = None
    if not slip and chance.happens(SLIP_IN_NUMBER / (1 - SLIP_IN_FACT)):
        lost_digit = demo_facts.shortened(number, chance=chance)
    talk = Talk(chance, words, intent, outcome, facts, slip, lost_digit)
    _write(talk)
    return Told(
        business=intent.business,
        intent=intent.name,
        outcome=outcome.name,
        chat=_with_speakers(talk),
        summaries=_summaries(intent, outcome, facts=facts),
        facts=facts,
        superseded=tuple(talk.superseded),
        kept=tuple(talk.kept),
    )


class Drawn(NamedTuple):
    """What a chat is about."""

    facts: Mapping[str, str]
    slip: Slip | None


def _facts(chance: Chance, *, words: Words, intent: Intent, number: str) -> Drawn:
    names, today = words.judging if chance.judging else words.teaching, demo_facts.a_day(chance)
    first, last = demo_facts.person(chance, names=names)
    others = [name for name in names.first if name != first]
    facts = {"first": first, "name": f"{first} {last}", "staff": chance.one_of(others), "number": number}
    keep = chance.judging and chance.happens(KEPT_SHARE)
    facts |= {"label": intent.label, "house": chance.one_of(intent.house.kept if keep else intent.house.common)}
    facts |= {name: demo_facts.fact(kind, today=today, chance=chance) for name, kind in intent.facts.items()}
    if not chance.happens(SLIP_IN_FACT):
        return Drawn(facts, None)
    kind, right = intent.facts[intent.corrects], facts[intent.corrects]
    return Drawn(facts, demo_facts.slip(right, kind=kind, today=today, chance=chance))


def _write(talk: Talk) -> None:
    """Write the turns: the request, in one of the orders in which it comes out, then what comes of it."""
    opening = "" if talk.chance.happens(0.3) else "welcome"
    if opening:
        talk.agent(talk.line("welcome"))
    else:
        talk.customer_asks("knock")
    ORDERS[_share(talk.chance, ORDER_SHARES)](talk, talk.line("hello") if opening and talk.chance.happens(0.7) else "")
    _aside(talk)
    _outcome(talk)
    _ending(talk)


def _asked_in_turn(talk: Talk, hello: str) -> None:
    talk.customer(hello, talk.line(talk.intent.ask))
    _introduction(talk)
    talk.agent(talk.line("thanks"), talk.line(talk.intent.question))
    _answer(talk)


def _named_at_once(talk: Talk, hello: str) -> None:
    talk.customer(hello, talk.line(talk.intent.ask), talk.line("me_at_once"))
    talk.agent(talk.line("thanks"), talk.line(talk.intent.question))
    _answer(talk)


def _told_at_once(talk: Talk, hello: str) -> None:
    _answer(talk, hello, talk.line(talk.intent.ask))
    _introduction(talk)


def _details_first(talk: Talk, hello: str) -> None:
    talk.customer(hello, talk.line(talk.intent.ask))
    talk.agent(talk.line(talk.intent.question))
    _answer(talk)
    _introduction(talk)


def _number_later(talk: Talk, hello: str) -> None:
    """The customer has to look for the number, and finds it when something else is being talked about."""
    talk.customer(hello, talk.line(talk.intent.ask))
    talk.agent(talk.line("who"))
    talk.customer(talk.line("me_without_number"))
    talk.agent(talk.line("meanwhile"), talk.line(talk.intent.question))
    _answer(talk)
    talk.customer(talk.line("number_found"))


ORDERS: tuple[Callable[[Talk, str], None], ...] = (
    _asked_in_turn,
    _named_at_once,
    _told_at_once,
    _details_first,
    _number_later,
)
ORDER_SHARES = (0.3, 0.2, 0.15, 0.2, 0.15)


def _introduction(talk: Talk) -> None:
    talk.agent(talk.line("who"))
    talk.customer(talk.line("me", number=talk.lost_digit or talk.facts["number"]))
    if talk.lost_digit:
        talk.superseded.append(talk.lost_digit)
        talk.agent_asks("number_corrected", wrong=talk.lost_digit)


def _answer(talk: Talk, *before: str) -> None:
    """Let the customer tell the details: at once as they are, or wrongly first."""
    if not talk.slip:
        talk.customer(*before, talk.line(talk.intent.answer))
        return
    slip = talk.slip
    talk.superseded.append(slip.full)
    wrong_answer = talk.line(talk.intent.answer, **{talk.intent.corrects: slip.full})
    how = talk.chance.below(3)
    talk.customer(*before, wrong_answer, talk.line("said_wrongly", right=slip.right) if how == 0 else "")
    if how == 1:
        talk.agent_asks("asked_back", wrong=slip.full, right=slip.right)
    if how == 2:
        fact = talk.facts[talk.intent.corrects]
        talk.customer_asks("told_later", wrong=slip.wrong, right=slip.right, fact=fact)


def _aside(talk: Talk) -> None:
    """Talk of something that the summary leaves out."""
    if talk.chance.happens(0.4):
        talk.agent_asks(talk.intent.asides)
    elif talk.chance.happens(0.4):
        talk.agent_asks("small_talk")
    elif talk.chance.happens(0.1):
        talk.customer(talk.line("away"))
    if talk.chance.happens(0.3):
        talk.agent_asks("wait")


def _outcome(talk: Talk) -> None:
    talk.agent(talk.line(talk.outcome.agent))
    talk.customer(talk.line(talk.outcome.customer))


def _ending(talk: Talk) -> None:
    """Say what is left to do, and part."""
    left = talk.line(talk.outcome.next) if talk.outcome.next else ""
    if talk.chance.happens(0.5):
        question, reply = talk.line("anything_else").split(REPLY)
        talk.agent(left, question)
        talk.customer(reply)
        if talk.chance.happens(0.7):
            talk.agent(talk.line("bye"))
    elif left:
        talk.agent(left)
        if talk.chance.happens(0.6):
            talk.customer(talk.line("end"))
    else:
        talk.agent(talk.line("bye"))


def _with_speakers(talk: Talk) -> str:
    """Return the turns, one a line, under the speakers' parts or their first names."""
    labels = {"customer": "Customer", "agent": "Agent"}
    if talk.chance.happens(0.4):
        labels = {"customer": talk.facts["first"], "agent": talk.facts["staff"]}
    return "\n".join(f"{labels[speaker]}: {text}" for speaker, text in talk.turns)


def _summaries(intent: Intent, outcome: Outcome, *, facts: Mapping[str, str]) -> Summaries:
    first, second, third = (
        f"{request} {result}".format_map(facts)
        for request, result in zip(intent.summaries, outcome.summaries, strict=True)
    )
    return first, second, third


def _well_formed(chat: Told, *, judging: bool) -> bool:
    """Return whether the chat is of good length, and nothing that was corrected stands in its summary anyway."""
    again = (re.search(rf"\b{re.escape(fact)}\b", text) for fact in chat.superseded for text in chat.summaries)
    fits = chat.chat.count("\n") + 1 in TURNS and len(chat.chat.split()) in WORDS_LONG
    return fits and not any(again) and (bool(chat.kept) or not judging)


def _share(chance: Chance, shares: tuple[float, ...]) -> int:
    place, drawn = 0.0, chance.generator.random()
    for index, share in enumerate(shares):
        place += share
        if drawn < place:
            return index
    return len(shares) - 1


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
