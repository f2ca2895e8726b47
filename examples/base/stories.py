"""Tasks on short generated stories of who did what: questions, lists, rewriting, and a little order and addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from examples.base.problem import Problem, Prose, Task
from examples.base.slots import DRAWERS, Chance, facts, happens, pick
from examples.base.tables import blocks


class Verb(NamedTuple):
    """What one can do with a thing."""

    base: str
    past: str
    participle: str
    to: str
    """What goes before the other person: `from`, `to`; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody did something with a thing."""

    verb: Verb
    who: str
    thing: str
    other: str
    """Empty where the verb takes no other person."""
    where: str
    when: str
    paid: str
    """Empty where nothing was paid."""

    @property
    def rest(self) -> str:
        """` to Mia`, or nothing."""
        return f" {self.verb.to} {self.other}" if self.other else ""

    @property
    def price(self) -> str:
        """` for £3`, or nothing."""
        return f" for {self.paid}" if self.paid else ""

    @property
    def active(self) -> str:
        """The event without place and day."""
        return f"{self.who} {self.verb.past} a {self.thing}{self.rest}{self.price}"

    @property
    def passive(self) -> str:
        """The same in the passive voice."""
        return f"A {self.thing} was {self.verb.participle}{self.rest} by {self.who}{self.price}"

    def told(self, chance: Chance) -> str:
        """The event with place and day, in one of several orders."""
        forms = (
            f"{self.active} in {self.where} on {self.when}.",
            f"On {self.when}, {self.active} in {self.where}.",
            f"In {self.where}, {self.active} on {self.when}.",
            f"{self.passive} on {self.when} in {self.where}.",
            f"{self.active}. That was in {self.where}, on {self.when}.",
            f"It was on {self.when} that {self.active} in {self.where}.",
        )
        return pick(chance, forms)


KINDS = ("person", "other", "thing", "place", "day", "amount")
PAID = ("buy", "sell", "hire")
"""What one does for money."""


def _events(chance: Chance, count: int) -> list[Event]:
    """Return events that share no person, thing, place or day."""
    drawn = facts([f"{kind}{index}" for index in range(count) for kind in KINDS], chance)
    return [_event(chance, *(drawn[f"{kind}{index}"] for kind in KINDS)) for index in range(count)]


def _event(chance: Chance, who: str, other: str, thing: str, place: str, when: str, paid: str) -> Event:
    [table] = blocks("events")
    verb = Verb(*(part.strip() for part in pick(chance, table).split("|")))
    where = DRAWERS["room"](chance) if happens(chance, 0.4) else place
    return Event(verb, who, thing, other if verb.to else "", where, when, paid if verb.base in PAID else "")


def _story(chance: Chance) -> tuple[list[Event], str]:
    events = _events(chance, 1 + int(chance.integers(6)))
    between = "\n" if happens(chance, 0.3) else " "
    return events, between.join(event.told(chance) for event in events)


def _one(chance: Chance, events: list[Event]) -> Event:
    return events[int(chance.integers(len(events)))]


def question(chance: Chance, prose: Prose) -> Problem:
    """Who, what, when, where, to whom, for how much; answered in a word or two."""
    events, text = _story(chance)
    wording, answer = _asked(chance, _one(chance, events))
    return Problem(text, answer, {"question": wording})


def questions(chance: Chance, prose: Prose) -> Problem:
    """Two to four such questions at once, so that one reading of the story teaches as many answers."""
    events, text = _story(chance)
    asked = dict(_asked(chance, _one(chance, events)) for _ in range(2 + int(chance.integers(3))))
    return Problem(text, "\n".join(asked.values()), {"questions": "\n".join(asked)})


def _asked(chance: Chance, event: Event) -> tuple[str, str]:
    """Return a question about the event, and its answer."""
    base, past, participle, to = event.verb
    asked = [
        (f"Who {past} the {event.thing}?", event.who),
        (f"What did {event.who} {base}?", f"a {event.thing}"),
        (f"What was {participle} by {event.who}?", f"a {event.thing}"),
        (f"When did {event.who} {base} the {event.thing}?", f"on {event.when}"),
        (f"On which day was the {event.thing} {participle}?", f"on {event.when}"),
        (f"Where did {event.who} {base} the {event.thing}?", f"in {event.where}"),
        (f"Where was the {event.thing} {participle}?", f"in {event.where}"),
    ]
    if to:
        asked += [(f"{to.capitalize()} whom did {event.who} {base} the {event.thing}?", event.other)] * 2
    if event.paid:
        asked += [(f"How much was paid for the {event.thing}?", event.paid)] * 3
    return asked[int(chance.integers(len(asked)))]


def about_person(chance: Chance, prose: Prose) -> Problem:
    """What somebody did, in a whole sentence."""
    events, text = _story(chance)
    event = _one(chance, events)
    return Problem(text, f"{event.active}.", {"who": event.who})


def yes_or_no(chance: Chance, prose: Prose) -> Problem:
    """Whether somebody did something; half of the time it was somebody else, or something else."""
    events, text = _story(chance)
    event = _one(chance, events)
    true = happens(chance, 0.5)
    thing = event.thing if true else facts(["thing"], chance)["thing"]
    if not true and len(events) > 1:
        thing = _one(chance, [other for other in events if other is not event]).thing
    return Problem(text, "yes" if true else "no", {"question": f"Did {event.who} {event.verb.base} a {thing}?"})


def _listing(kind: str) -> Task:
    """A task that asks for all people, things, places, days or amounts of a story."""

    def make(chance: Chance, prose: Prose) -> Problem:
        events, text = _story(chance)
        found = {
            "people": [name for event in events for name in (event.who, event.other)],
            "things": [event.thing for event in events],
            "places": [event.where for event in events],
            "days": [event.when for event in events],
            "amounts of money": [event.paid for event in events],
        }[kind]
        present = sorted({value for value in found if value}, key=text.index)
        return Problem(text, ", ".join(present) or "none", {"kind": kind})

    return Task(
        f"list_{kind.split()[0]}",
        0.35,
        make,
        (
            "List the {kind} in the text.",
            "Which {kind} are named?",
            "Extract all {kind}.",
            "Write down the {kind} that stand in the text, with commas between them.",
        ),
    )


def passive(chance: Chance, prose: Prose) -> Problem:
    """From the active voice to the passive."""
    [event] = _events(chance, 1)
    return Problem(f"{event.active}.", f"{event.passive}.")


def active(chance: Chance, prose: Prose) -> Problem:
    """From the passive voice to the active."""
    [event] = _events(chance, 1)
    return Problem(f"{event.passive}.", f"{event.active}.")


def third_person(chance: Chance, prose: Prose) -> Problem:
    """From `I lost my key` to `Mia lost her key`."""
    events = _events(chance, 1 + int(chance.integers(2)))
    name, (he, his) = events[0].who, (("he", "his"), ("she", "her"))[int(chance.integers(2))]
    said, told = [], []
    for index, event in enumerate(events):
        rest = f"{event.thing}{event.rest} in {event.where} on {event.when}."
        said.append(f"I {event.verb.past} my {rest}")
        told.append(f"{he.capitalize() if index else name} {event.verb.past} {his} {rest}")
    return Problem(" ".join(said), " ".join(told), {"name": name, "he": he})


def in_order(chance: Chance, prose: Prose) -> Problem:
    """Words or numbers, to be put in order."""
    count = 3 + int(chance.integers(4))
    if happens(chance, 0.5):
        items = sorted({str(int(chance.integers(1, 100))) for _ in range(count)}, key=int)
        order = "from small to large"
    else:
        items = sorted({DRAWERS["word"](chance)[:8] for _ in range(count)})
        order = "in the order of the alphabet"
    shuffled = [items[index] for index in chance.permutation(len(items))]
    return Problem(", ".join(shuffled), ", ".join(items), {"order": order})


def addition(chance: Chance, prose: Prose) -> Problem:
    """Two small numbers."""
    first, second = int(chance.integers(1, 30)), int(chance.integers(1, 30))
    form = pick(chance, ("{} + {}", "{} and {}", "{} plus {}"))
    return Problem(form.format(first, second), str(first + second))


TASKS = (
    Task(
        "question",
        1.6,
        question,
        ("{question}", "{question}", "Answer the question: {question}", "Question: {question}"),
    ),
    Task("questions", 1.6, questions, ("{questions}", "Answer each question on a line of its own.\n{questions}")),
    Task("about_person", 0.6, about_person, ("What did {who} do?", "Say what {who} did.", "Tell me what {who} did.")),
    Task("yes_or_no", 0.25, yes_or_no, ("{question}", "{question} Answer yes or no.", "Yes or no: {question}")),
    *map(_listing, ("people", "things", "places", "days", "amounts of money")),
    Task(
        "passive",
        0.2,
        passive,
        ("Rewrite in the passive voice.", "Put this into the passive:", "Say it in the passive."),
    ),
    Task("active", 0.2, active, ("Rewrite in the active voice.", "Put this into the active:", "Say it in the active.")),
    Task(
        "third_person",
        0.3,
        third_person,
        (
            'Rewrite this about {name}, with "{he}" instead of "I".',
            "{name} says this. Tell it in the third person ({he}).",
            "Change I to {name} ({he}).",
        ),
    ),
    Task("in_order", 0.25, in_order, ("Put these {order}.", "Sort {order}.", "Write them {order}:")),
    Task("addition", 0.15, addition, ("How much is it?", "Add the numbers.", "What is the sum?")),
)
