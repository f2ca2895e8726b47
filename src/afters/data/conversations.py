"""Rows that are conversations, as ShareGPT or OpenAI's messages: the last answer is taught, what came before is asked.

A turn of the system becomes the system part; each earlier question with its answer becomes a shot, which a chat model
gets as real turns. What does not fit that form is set aside, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from afters.data.columns import halved, rows_of, to_table
from afters.data.sources import Rows
from afters.errors import DataError
from afters.records import SetAside

NAME = "conversation"
"""The library's template for such rows."""

COLUMNS = ("messages", "conversations", "conversation")
"""What the column of turns may be called."""

ROLES: Mapping[str, str] = {
    **{"user": "user", "human": "user"},
    **{"assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant"},
    **{"system": "system", "developer": "system"},
    **{"tool": "tool", "function": "tool", "function_call": "tool", "observation": "tool"},
}
"""Who speaks, by the names that such rows use."""


def unfolded(rows: Rows, *, strict: bool = False) -> Rows:
    """Return the rows with the columns `question`, `answer`, `system` and `turns` instead of the column of turns.

    Raises:
        DataError: there is no such column, no row fits, or, with `strict`, one does not.
    """
    names = rows.table.column_names
    column = next((name for name in COLUMNS if name in names), None)
    if column is None:
        expected = f"a column of turns, called {' or '.join(COLUMNS)}"
        raise DataError("no conversations", where=rows.file, expected=expected, received=", ".join(names))
    set_aside: list[SetAside] = []
    fitting: list[int] = []

    def usable() -> Iterator[Mapping[str, Any]]:
        for position, row in enumerate(rows_of(rows.table)):
            turns = row.pop(column)
            try:
                found = parted(turns)
            except DataError as problem:
                if strict:
                    where = f"{rows.source(position)}:{column}"
                    raise DataError(
                        problem.what, where=where, expected=problem.expected, received=problem.received
                    ) from None
                set_aside.append(SetAside(rows.source(position), problem.what, problem.received or ""))
            else:
                fitting.append(position)
                yield {**row, **found}

    table = to_table(usable())
    if not fitting:
        received = f"{len(set_aside)} others, the first at {set_aside[0].source}: {set_aside[0].reason}"
        raise DataError("no usable conversation", where=rows.file, expected="at least one", received=received)
    return replace(rows.take(fitting), table=table, set_aside=(*rows.set_aside, *set_aside))


def parted(turns: object) -> dict[str, Any]:
    """Return question, answer, system part and earlier turns of a conversation.

    Raises:
        DataError: it does not end with an answer, or does not go to and fro between two.
    """
    said = [_turn(turn) for turn in _listed(turns)]
    system = said.pop(0)[1] if said and said[0][0] == "system" else ""
    speakers = [speaker for speaker, _ in said]
    if "tool" in speakers:
        raise DataError("a conversation with a tool", expected="a user and an assistant", received=", ".join(speakers))
    if "system" in speakers:
        raise DataError("a system part in the middle of a conversation", expected="at most one, in front")
    if not said or speakers[-1] != "assistant":
        expected = "an answer at the end, which is taught"
        raise DataError("a conversation that ends with the user", expected=expected, received=", ".join(speakers))
    if speakers != ["user", "assistant"] * (len(said) // 2):
        expected = "user and assistant in turn"
        raise DataError("a conversation that is no to and fro", expected=expected, received=", ".join(speakers))
    if not all(text.strip() for _, text in said):
        raise DataError("an empty turn", expected="something said")
    pairs = [{"question": said[at][1], "answer": said[at + 1][1]} for at in range(0, len(said), 2)]
    return {**pairs[-1], "system": system, "turns": pairs[:-1]}


def _listed(turns: object) -> list[Any]:
    if isinstance(turns, str):  # a column of several types is kept as text
        try:
            turns = json.loads(turns)
        except (ValueError, RecursionError):
            turns = None
        if problem := halved(turns):
            raise problem
    if not isinstance(turns, list) or not turns:
        raise DataError("no turns", expected='[{"role": "user", "content": "…"}, …]', received=str(turns)[:80])
    return turns


def _turn(turn: object) -> tuple[str, str]:
    """Return who speaks and what is said."""
    told = turn if isinstance(turn, dict) else {}
    name, said = told.get("role") or told.get("from"), told.get("content", told.get("value"))
    speaker = ROLES.get(str(name).casefold())
    if speaker is None:
        known = ", ".join(ROLES)
        raise DataError("an unknown speaker", expected=f"one of {known}", received=str(name or turn)[:80])
    if told.get("tool_calls") or told.get("function_call"):
        speaker = "tool"
    if isinstance(said, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in said):
        said = "".join(part["text"] for part in said)
    if not isinstance(said, str) and speaker != "tool":
        raise DataError("a turn that is no text", expected="text", received=str(said)[:80])
    return speaker, said if isinstance(said, str) else ""
