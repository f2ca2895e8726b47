"""Tasks on conversations, reports, letters and single sentences: to sum up, to find, to fill in, to name."""

from __future__ import annotations

from examples.base import material
from examples.base.problem import Problem, Prose, Task
from examples.base.slots import Chance, happens, pick

KINDS = {
    "person": "names of people",
    "amount": "amounts of money",
    "phone": "telephone numbers",
    "time": "times",
    "place": "places",
    "day": "days",
    "code": "codes",
    "thing": "things",
}

ALIKE = {"place": ("room",), "day": ("weekday", "date")}
"""Kinds that a reader would list too, so that the question is not asked where they stand in the text."""


def _conversation(chance: Chance) -> material.Told:
    return material.conversation(
        chance, plans=2 if happens(chance, 0.15) else 1, small_talk=int(chance.choice((0, 0, 1, 2, 4, 6)))
    )


def summary(chance: Chance, prose: Prose) -> Problem:
    """What a conversation comes to."""
    told = _conversation(chance)
    return Problem(told.text, told.gist)


def headline(chance: Chance, prose: Prose) -> Problem:
    """What stands above a report."""
    told = material.report(chance)
    return Problem(told.text, told.gist)


def form(chance: Chance, prose: Prose) -> Problem:
    """A letter's facts, each under its label."""
    told, fields = material.letter(chance)
    return Problem(told.text, told.gist, {"labels": ", ".join(fields)})


def form_field(chance: Chance, prose: Prose) -> Problem:
    """One of a letter's facts."""
    told, fields = material.letter(chance)
    label = pick(chance, list(fields))
    return Problem(told.text, fields[label], {"label": label})


def form_several(chance: Chance, prose: Prose) -> Problem:
    """Some facts of a letter or a meeting, without their labels, in the order in which they are asked for."""
    told, fields = (material.letter if happens(chance, 0.4) else material.meeting)(chance)
    if len(fields) < 2:
        return form_several(chance, prose)
    labels = [list(fields)[place] for place in chance.permutation(len(fields))[: 2 + int(chance.integers(3))]]
    between = pick(chance, ("; ", "\n"))
    return Problem(told.text, between.join(fields[label] for label in labels), {"labels": "; ".join(labels)})


def meeting_form(chance: Chance, prose: Prose) -> Problem:
    """A meeting's facts, each under its label."""
    told, fields = material.meeting(chance)
    filled = "\n".join(f"{label}: {value}" for label, value in fields.items())
    return Problem(told.text, filled, {"labels": ", ".join(fields)})


def meeting_summary(chance: Chance, prose: Prose) -> Problem:
    """What a meeting comes to."""
    told, _ = material.meeting(chance)
    return Problem(told.text, told.gist)


def values(chance: Chance, prose: Prose) -> Problem:
    """All names, amounts, times, … of a conversation, a report or a letter."""
    make = (_conversation, material.report, lambda chance: material.letter(chance)[0])[int(chance.integers(3))]
    told = make(chance)
    kinds = [kind for kind in KINDS if told.values(kind) and not any(map(told.values, ALIKE.get(kind, ())))]
    if not kinds:
        return values(chance, prose)
    kind = pick(chance, kinds)
    return Problem(told.text, ", ".join(told.values(kind)), {"kind": KINDS[kind]})


def line(chance: Chance, prose: Prose) -> Problem:
    """What somebody said first or last, word by word."""
    told = _conversation(chance)
    name = pick(chance, (told.drawn["a"], told.drawn["b"]))
    said = [spoken.removeprefix(f"{name}: ") for spoken in told.lines if spoken.startswith(f"{name}: ")]
    which = pick(chance, ("first", "last"))
    return Problem(told.text, said[0 if which == "first" else -1], {"name": name, "which": which})


def who_said(chance: Chance, prose: Prose) -> Problem:
    """Whose words they are."""
    told = _conversation(chance)
    spoken = pick(chance, told.lines)
    speaker, said = spoken.split(": ", 1)
    return Problem(told.text, speaker, {"said": said})


def _labelling(table: str) -> Task:
    """A task that asks for the topic or the feeling of a sentence."""

    def make(chance: Chance, prose: Prose) -> Problem:
        text, label, labels = material.labelled(chance, table)
        return Problem(text, label, {"labels": ", ".join(labels[place] for place in chance.permutation(len(labels)))})

    wordings = {
        "topics": (
            "What is the topic? {labels}",
            "Choose the topic: {labels}",
            "What is this about?\nOptions: {labels}",
        ),
        "feelings": ("Is this {labels}?", "How does the writer feel? {labels}", "Feeling ({labels}):"),
    }[table]
    return Task(table, 0.2, make, wordings)


SUMMARISE = (
    "Summarise the conversation.",
    "Summarize this dialogue in a sentence or two.",
    "What is this conversation about?",
    "Sum up what was said.",
    "Write a short summary of the chat.",
    "What do they agree on?",
    "Give the main points of the conversation:",
    "In short, what happened here?",
)

FILL_IN = (
    "Fill in the form: {labels}",
    "Write down these facts, one on each line: {labels}",
    "Find in the letter: {labels}",
)

TASKS = (
    Task("summary", 2.0, summary, SUMMARISE),
    Task("meeting_summary", 1.0, meeting_summary, SUMMARISE),
    Task("headline", 0.8, headline, ("Write a headline.", "Give this report a title.", "What could the headline be?")),
    Task("form", 0.7, form, FILL_IN),
    Task("meeting_form", 0.7, meeting_form, FILL_IN),
    Task(
        "form_several",
        1.6,
        form_several,
        ("{labels}:", "Fill in: {labels}", "Find these: {labels}", "Give these facts, in this order: {labels}"),
    ),
    Task(
        "form_field",
        0.8,
        form_field,
        ("{label}:", "Fill in: {label}", "What is to be written beside {label}?", "Find in the letter: {label}"),
    ),
    Task(
        "values",
        1.2,
        values,
        (
            "List the {kind} in the text.",
            "Which {kind} are mentioned?",
            "Extract all {kind}.",
            "Write down the {kind} that stand in the text, with commas between them.",
        ),
    ),
    Task("line", 0.5, line, ("What did {name} say {which}?", "Copy the {which} thing that {name} said.")),
    Task("who_said", 0.3, who_said, ('Who said "{said}"?', "Whose words are these: {said}")),
    *map(_labelling, ("topics", "feelings")),
)
