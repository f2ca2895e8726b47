"""Tasks that need nothing but copying: lists, tables, and sentences of prose."""

from __future__ import annotations

from examples.base.problem import Problem, Prose, Task
from examples.base.prose import sentences
from examples.base.slots import DRAWERS, Chance, facts, happens, pick

VALUES = ("word", "person", "place", "thing", "number", "code", "phone", "amount", "date", "time", "email")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def repeat(chance: Chance, prose: Prose) -> Problem:
    """A row of words, numbers and names, to be said again."""
    kind = pick(chance, (*VALUES, "mixed"))
    count = 1 + int(chance.integers(8))
    items = [DRAWERS[pick(chance, VALUES) if kind == "mixed" else kind](chance) for _ in range(count)]
    text = pick(chance, (" ", ", ", "\n", "; ")).join(items)
    return Problem(text, text)


def look_up(chance: Chance, prose: Prose) -> Problem:
    """A table of keys and values; one key is asked for."""
    keys, values = pick(chance, ("word", "person", "thing", "place", "code")), pick(chance, VALUES)
    count = 2 + int(chance.integers(14 if happens(chance, 0.3) else 5))
    names = list(facts([f"{keys}{index}" for index in range(count)], chance).values())
    found = [DRAWERS[values](chance) for _ in names]
    mark = pick(chance, (": ", " = ", " - ", " | ", " has ", ", "))
    asked = int(chance.integers(count))
    text = "\n".join(f"{name}{mark}{value}" for name, value in zip(names, found, strict=True))
    return Problem(text, found[asked], {"key": names[asked]})


def look_up_several(chance: Chance, prose: Prose) -> Problem:
    """A table of keys and values; two to four keys are asked for, so that a row teaches as many look-ups."""
    keys, values = pick(chance, ("word", "person", "thing", "place", "code")), pick(chance, VALUES)
    count = 3 + int(chance.integers(5))
    names = list(facts([f"{keys}{index}" for index in range(count)], chance).values())
    found = {name: DRAWERS[values](chance) for name in names}
    mark = pick(chance, (": ", " = ", " - ", " | ", " has ", ", "))
    asked = [names[place] for place in chance.permutation(count)[: 2 + int(chance.integers(3))]]
    text = "\n".join(f"{name}{mark}{value}" for name, value in found.items())
    between = pick(chance, ("; ", "\n"))
    return Problem(text, between.join(found[name] for name in asked), {"keys": "; ".join(asked)})


def replace(chance: Chance, prose: Prose) -> Problem:
    """A sentence in which one word becomes another."""
    sentence = pick(chance, sentences(_passage(chance, prose)))
    words = sentence.split()[:25]
    old = pick(chance, words).strip(".,;:!?\"'()-")
    new = DRAWERS[pick(chance, ("word", "person"))](chance)
    text = " ".join(words)
    if not old.isalpha() or text.count(old) != 1:
        return replace(chance, prose)
    return Problem(text, text.replace(old, new), {"old": old, "new": new})


def nth_sentence(chance: Chance, prose: Prose) -> Problem:
    """The first, second, … or last sentence of a passage."""
    found = _short_enough(chance, prose)
    place = int(chance.integers(min(len(found), 3)))
    which = ORDINALS[place]
    if happens(chance, 0.5):
        place, which = len(found) - 1, "last"
    return Problem(" ".join(found), found[place], {"which": which})


def complete(chance: Chance, prose: Prose) -> Problem:
    """A sentence of the passage, of which the beginning is given."""
    found = _short_enough(chance, prose)
    place = int(chance.integers(len(found)))
    words = found[place].split()
    cut = max(1, len(words) // 3)
    if len(words) < 3:
        return complete(chance, prose)
    return Problem(" ".join(found), " ".join(words[cut:]), {"beginning": " ".join(words[:cut])})


def sentence_with(chance: Chance, prose: Prose) -> Problem:
    """The sentence of the passage that has a certain word, when there is only one."""
    found = _short_enough(chance, prose)
    place = int(chance.integers(len(found)))
    word = pick(chance, found[place].split()).strip(".,;:!?\"'()-")
    holding = [sentence for sentence in found if word in sentence]
    if len(word) < 4 or len(holding) != 1:
        return sentence_with(chance, prose)
    return Problem(" ".join(found), holding[0], {"word": word})


def hidden(chance: Chance, prose: Prose) -> Problem:
    """A note that was slipped into a passage of prose, to be found by the name in it."""
    note, about = _note(chance)
    found = _short_enough(chance, prose)
    found.insert(int(chance.integers(len(found) + 1)), note)
    return Problem(" ".join(found), note, {"about": about})


def next_words(chance: Chance, prose: Prose) -> Problem:
    """How a passage of prose goes on."""
    words = _passage(chance, prose).split()
    cut = len(words) - 8 - int(chance.integers(8))
    return Problem(" ".join(words[:cut]), " ".join(words[cut:]))


def _note(chance: Chance) -> tuple[str, str]:
    kind = pick(chance, ("amount", "phone", "code", "date", "thing", "place", "email", "time"))
    drawn = facts(["person", "person2", kind], chance)
    form = {
        "amount": ("{person} owes {person2} {amount}.", "{person} has paid {amount} for {person2}."),
        "phone": ("{person} can be reached at {phone}.", "The number of {person} is {phone}."),
        "code": ("{person} has ticket {code}.", "The key of {person} has the number {code}."),
        "date": ("{person} was born on {date}.", "{person} will meet {person2} on {date}."),
        "thing": ("{person} gave {person2} a {thing}.", "{person} is looking for a {thing}."),
        "place": ("{person} lives in {place}.", "{person} went to {place} with {person2}."),
        "email": ("{person} writes from {email}.", "The address of {person} is {email}."),
        "time": ("{person} comes at {time}.", "{person} wants to see {person2} at {time}."),
    }[kind]
    return pick(chance, form).format(**drawn), drawn["person"]


def _passage(chance: Chance, prose: Prose) -> str:
    return pick(chance, prose)


def _short_enough(chance: Chance, prose: Prose) -> list[str]:
    """Return two to eight sentences in a row, none of them longer than 40 words."""
    found = [sentence for sentence in sentences(_passage(chance, prose)) if len(sentence.split()) <= 40]
    count = 2 + int(chance.integers(7))
    start = int(chance.integers(max(1, len(found) - count)))
    return found[start : start + count] if len(found) > 1 else _short_enough(chance, prose)


TASKS = (
    Task(
        "repeat",
        1.0,
        repeat,
        (
            "Repeat:",
            "Copy this text.",
            "Write this again, exactly as it is.",
            "Say it again.",
            "Copy without a change:",
        ),
    ),
    Task(
        "look_up",
        1.6,
        look_up,
        (
            "What belongs to {key}?",
            "What stands beside {key}?",
            "Look up {key}.",
            "{key}?",
            "Which entry does {key} have?",
            "Find the value for {key} in the list.",
        ),
    ),
    Task(
        "look_up_several",
        1.6,
        look_up_several,
        (
            "What belongs to these: {keys}",
            "Look up {keys}.",
            "{keys}?",
            "Which entries do these have? {keys}",
            "Find the values, in this order: {keys}",
        ),
    ),
    Task(
        "replace",
        0.4,
        replace,
        (
            'Write "{new}" instead of "{old}".',
            "Replace {old} by {new} in this sentence.",
            "Write the text again, but with {new} in the place of {old}.",
        ),
    ),
    Task(
        "nth_sentence",
        0.5,
        nth_sentence,
        ("Copy the {which} sentence.", "What is the {which} sentence of the text?", "Give the {which} sentence."),
    ),
    Task(
        "complete",
        0.7,
        complete,
        (
            'Complete the quotation from the text: "{beginning} …"',
            "One sentence of the text begins with: {beginning}\nHow does it go on?",
            'What follows after "{beginning}"?',
        ),
    ),
    Task(
        "sentence_with",
        0.5,
        sentence_with,
        (
            'Which sentence has the word "{word}"?',
            "Copy the sentence in which {word} stands.",
            "Find the sentence with {word}.",
        ),
    ),
    Task(
        "hidden",
        1.0,
        hidden,
        (
            "What does the text say about {about}?",
            "What do we learn about {about}?",
            "Copy the sentence about {about}.",
            "Which sentence tells us something about {about}?",
        ),
    ),
    Task(
        "next_words",
        0.3,
        next_words,
        ("Go on:", "Continue this text.", "How might this go on?", "Write the next words."),
    ),
)
