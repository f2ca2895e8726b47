"""Who did what: stories with questions, reports with headlines, sentences to be put in another form."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from examples.base.generated.texts import capital, fill, lines, wording
from examples.base.generated.words import Side, draw, facts
from examples.base.slots import Chance, happens, pick

Row = dict[str, str]


class Verb(NamedTuple):
    """What one can do with a thing."""

    base: str
    past: str
    participle: str
    rest: str
    """What goes before the other person; of a report's verb, what it can happen to, with commas between."""

    @property
    def present(self) -> str:
        """The form with -s."""
        if self.base.endswith(("s", "sh", "ch", "x", "o")):
            return f"{self.base}es"
        if self.base.endswith("y") and self.base[-2] not in "aeiou":
            return f"{self.base[:-1]}ies"
        return f"{self.base}s"


@cache
def verbs(name: str, side: Side) -> tuple[Verb, ...]:
    """Return the verbs of a table."""
    return tuple(Verb(*(part.strip() for part in line.split("|"))) for line in lines(name, side))


def verb(name: str, chance: Chance, side: Side) -> Verb:
    """Return a verb of a table."""
    found = verbs(name, side)
    return found[int(chance.integers(len(found)))]


# Stories and questions

KINDS = ("person", "first", "thing", "place", "day")


def question(chance: Chance, side: Side) -> Row:
    """A short text in which some people did something, a question, and the answer as it stands in the text."""
    count = 2 + int(chance.integers(4))
    drawn = facts([f"{kind}{number}" for number in range(count) for kind in KINDS], chance, side)
    events = [_event(chance, side, [drawn[f"{kind}{number}"] for kind in KINDS]) for number in range(count)]
    told = [pick(chance, lines("stories", side)).format(**event) for event in events]
    fillers = lines("fillers", side)
    for place in chance.permutation(len(fillers))[: int(chance.integers(3))]:
        told.insert(int(chance.integers(len(told) + 1)), fillers[place])
    event = events[int(chance.integers(count))]
    forms = dict(line.split(": ", 1) for line in lines("questions", side))
    asked = pick(chance, [kind for kind in forms if event[kind]])
    between = "\n" if happens(chance, 0.2) else " "
    return {
        "text": between.join(map(capital, told)),
        "question": wording(forms[asked], chance).format(**event),
        "answer": event[asked],
    }


def _event(chance: Chance, side: Side, parts: list[str]) -> Row:
    who, other, thing, place, day = parts
    done = verb("verbs", chance, side)
    with_other = bool(done.rest)
    return {
        **{"who": who, "thing": thing, "when": day, "base": done.base, "past": done.past, "done": done.participle},
        "where": draw("room", chance, side) if happens(chance, 0.3) else place,
        "other": other if with_other else "",
        "rest": f" {done.rest} {other}" if with_other else "",
        "to": done.rest,
        "To": done.rest.capitalize(),
    }


# Reports and headlines

FIRST = 0.25
"""The share of reports that begin with the news; the others come to it later, so that copying a first line fails."""


def headline(chance: Chance, side: Side) -> Row:
    """A report, and the headline that its one sentence of news asks for: who does what, and where."""
    done = verb("news", chance, side)
    thing = pick(chance, done.rest.split(", "))
    shape = wording(pick(chance, lines("news_shapes", side)), chance)
    written = {"past": done.past, "done": done.participle, "object": thing}
    # The verb and its object are put in now, the other slots are drawn with those of the rest.
    news = shape.format_map(_Open(written))
    others = [lines("news_rest", side)[place] for place in chance.permutation(len(lines("news_rest", side)))]
    told = [wording(line, chance) for line in others[: 2 + int(chance.integers(3))]]
    told.insert(0 if happens(chance, FIRST) else 1 + int(chance.integers(len(told))), news)
    known = {"who": draw(pick(chance, ("name", "name", "first")), chance, side), "town": draw("town", chance, side)}
    head = "{who} {present} {object} in {town}".format_map(_Open({"present": done.present, "object": _bare(thing)}))
    *told, head = fill([*told, head], chance, side, known=known)
    return {"text": " ".join(told), "headline": head}


class _Open(dict[str, str]):
    """What is not known stays open."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def _bare(thing: str) -> str:
    """Leave out the article, as headlines do."""
    for article in ("a ", "an ", "the "):
        if thing.startswith(article):
            return thing.removeprefix(article)
    return thing


# Other forms of a sentence

WHERE: dict[Side, tuple[str, ...]] = {
    "taught": ("", "", " in {room}", " on {weekday}", " in {town}", " at {time}", " on {day} in {town}"),
    "judged": (" near {place}", " before {meal}", " with {person2}", " for {amount}", " twice"),
}
"""What may stand at the end of a sentence."""

FORMS = {
    "the passive voice": ("{who} {past} a {thing}{end}.", "A {thing} was {done} by {who}{end}."),
    "the active voice": ("A {thing} was {done} by {who}{end}.", "{who} {past} a {thing}{end}."),
    "a question": ("{who} {past} a {thing}{end}.", "Did {who} {base} a {thing}{end}?"),
    "a statement": ("Did {who} {base} a {thing}{end}?", "{who} {past} a {thing}{end}."),
    "the negative": ("{who} {past} a {thing}{end}.", "{who} did not {base} a {thing}{end}."),
    "the past": ("{who} {present} a {thing}{end}.", "{who} {past} a {thing}{end}."),
    "the present": ("{who} {past} a {thing}{end}.", "{who} {present} a {thing}{end}."),
    "the future": ("{who} {past} a {thing}{end}.", "{who} will {base} a {thing}{end}."),
    "reported speech": ('{who}: "I {past} a {thing}{end}."', "{who} said that {who} had {done} a {thing}{end}."),
    "direct speech": ("{who} said that {who} had {done} a {thing}{end}.", '{who}: "I {past} a {thing}{end}."'),
    "a promise told by others": ('{who}: "I will {base} a {thing}{end}."', "{who} promised to {base} a {thing}{end}."),
    "a wish told by others": (
        '{who}: "I would like to {base} a {thing}{end}."',
        "{who} wanted to {base} a {thing}{end}.",
    ),
    "a request told by others": (
        '{who} to {first}: "Please {base} the {thing}{end}."',
        "{who} asked {first} to {base} the {thing}{end}.",
    ),
    "an order told by others": (
        '{who} to {first}: "Don\'t {base} the {thing}{end}!"',
        "{who} told {first} not to {base} the {thing}{end}.",
    ),
}
"""From what to what, by the name of the form."""


def rewriting(chance: Chance, side: Side) -> Row:
    """A sentence, the form that it shall take, and the sentence in that form."""
    form = pick(chance, tuple(FORMS))
    done = verb("verbs", chance, side)
    end = pick(chance, WHERE[side])
    if done.rest and happens(chance, 0.5):
        end = f" {done.rest} {{other}}{end}"
    written = {
        **{"base": done.base, "past": done.past, "done": done.participle, "present": done.present, "end": end},
    }
    texts = [text.format_map(_Open(written)) for text in FORMS[form]]
    who = draw("person", chance, side)
    text, answer = fill(texts, chance, side, known={"who": who})
    return {"text": text, "form": form, "answer": answer}
