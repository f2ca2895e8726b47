"""How probable a given text is, by a server that repeats it token by token: `/completions` with `echo`.

vLLM does; OpenAI's newer models and llama.cpp's server do not. What is not covered: tokens that hold a part of a
letter only and are told as a sign for the unknown. Then nobody can say which tokens are the choice's, and that is
told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from afters.errors import ModelError
from afters.records import ChoiceScore

TRIED = "Is the sky blue?\nyes"
"""What a server is tried out with."""

MARKS = str.maketrans({"▁": " ", "Ġ": " ", "Ċ": "\n"})
"""How some servers spell white space in tokens."""


class Weighed(NamedTuple):
    """A choice, and how many tokens stand before it."""

    score: ChoiceScore
    prompt_tokens: int


def question(text: str, *, new_tokens: int) -> dict[str, Any]:
    """Return what asks how probable `text` is; some servers write no fewer than one token to it."""
    return {"prompt": text, "echo": True, "logprobs": 1, "max_tokens": new_tokens, "temperature": 0}


def is_echo(reply: Mapping[str, Any], *, new_tokens: int) -> bool:
    """Tell whether the reply to TRIED repeats it, with a log-probability for every token but the first.

    A server that takes no new tokens for its usual number of them is asked for one instead.
    """
    choice = reply["choices"][0]
    told = choice.get("logprobs") or {}
    tokens, logs, offsets = (told.get(name) or [] for name in ("tokens", "token_logprobs", "text_offset"))
    whole = 1 < len(tokens) == len(logs) == len(offsets) and all(log is not None for log in logs[1:])
    text = str(choice.get("text"))
    return whole and (TRIED in text if new_tokens else text.endswith(TRIED))


def weigh(reply: Mapping[str, Any], choice: str, *, new_tokens: int, where: str) -> Weighed:
    """Return the score of the choice that ends the text.

    Which tokens are the choice's is told by their offsets, counted from the end of the text: what a server puts
    before a text, as vLLM its `<s>`, moves the offsets. A token that reaches over the border counts whole: the
    choice then pays for the letters before it too, and gets no letter for free.

    Raises:
        ModelError: the tokens do not spell the choice, or one of them has no log-probability.
    """
    told = reply["choices"][0]["logprobs"]
    written = int((reply.get("usage") or {}).get("completion_tokens", new_tokens)) if new_tokens else 0
    last = len(told["tokens"]) - written
    tokens, offsets, logs = (list(told[name])[:last] for name in ("tokens", "text_offset", "token_logprobs"))
    border = offsets[-1] + len(tokens[-1]) - len(choice)
    ends = [*offsets[1:], offsets[-1] + len(tokens[-1])]
    first = next(place for place, end in enumerate(ends) if end > border)
    if not _spelled(tokens[first:]).endswith(choice):
        received = f"{_spelled(tokens[first:])!r} for {choice!r}"
        raise ModelError("the server's tokens do not spell the choice", where=where, received=received)
    if None in logs[first:]:
        what = "the server does not say how probable a choice's first token is"
        hint = "Some servers put no token before a text, and cannot say how probable its first one is."
        raise ModelError(what, where=where, received=repr(choice), hint=hint)
    total = math.fsum(float(log) for log in logs[first:])
    if not math.isfinite(total):
        raise ValueError("a log-probability that is no number")
    return Weighed(ChoiceScore(total, len(tokens) - first), first)


def _spelled(tokens: Sequence[str]) -> str:
    return "".join(tokens).translate(MARKS)
