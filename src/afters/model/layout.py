"""How system part, shots and question stand together: as the turns of a chat, or as one text. No tokenizer here."""

from __future__ import annotations

from collections.abc import Sequence

from afters.model.chat import Message
from afters.records import Shot


def turns(system: str, question: str, shots: Sequence[Shot]) -> list[Message]:
    """Return the messages of a chat: the system part, each shot as two turns, the question."""
    messages = [{"role": "system", "content": system}] if system else []
    for shot in shots:
        messages += [{"role": "user", "content": shot.question}, {"role": "assistant", "content": shot.answer}]
    return [*messages, {"role": "user", "content": question}]


def text(system: str, question: str, shots: Sequence[Shot]) -> str:
    r"""Return one text: each shot is its question, a line break, its answer; an empty line parts what follows.

    >>> text("", "Cold?", [Shot("Warm?", "no")])
    'Warm?\nno\n\nCold?'
    """
    blocks = [f"{shot.question}\n{shot.answer}" for shot in shots]
    return "\n\n".join([*([system] if system else []), *blocks, question])
