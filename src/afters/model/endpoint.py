"""Endpoint: a model behind a server of the OpenAI interface, as vLLM, llama.cpp and hosted models have it. No torch.

What differs from a model that is loaded here:

- The server applies the chat template and counts tokens. So nothing is dropped or cut to fit; a prompt that is too
  long is refused by the server, and that is told. What the model really reads is not known, and a prompt has no hash.
- Its identity is what is known before it is asked: where, by what name, by which interface. What the name stands for
  may change; the name in each reply, as `gpt-4o-2024-08-06`, is kept beside the answer.
- Answers do not depend on what else is asked. So of a batch that is known in part only the rest is asked.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self

from afters.errors import InputError, ModelError
from afters.model import echo, layout
from afters.model.address import Address, key_for
from afters.model.at_once import at_once
from afters.model.server import TRIES, Refused, Reply, Server
from afters.records import ChoiceScore, Decoding, Example, Prediction
from afters.seeds import number

BATCH_ROWS = 32
"""Answers that are handed on together: what a kill can lose of one batch."""

CUT_SHORT = ("length", "max_tokens", "content_filter")
"""Reasons to finish that are not the model's own."""

NEWER = "max_completion_tokens"
"""What OpenAI's newer models call the most tokens of an answer; they refuse the name that all others know."""

NO_ECHO = (400, 404, 405, 422, 500, 501)
"""What servers say that cannot repeat a text; llama.cpp's says 500."""


class Endpoint:
    """The LanguageModel of `model/protocol.py`, over HTTP. Close it, or use it in a `with`.

    Args:
        address: where it is and what it is called, as `http://localhost:8000/v1#qwen2.5-7b`; see `model/address.py`.
        key: for the server; None: what the environment holds for it.
        in_flight: how many requests are under way at most.
        timeout_seconds: for how long nothing may come.
        tries: how often one request is sent at most.
        wait: waits for so many seconds; for tests.
    """

    def __init__(
        self,
        address: Address | str,
        *,
        key: str | None = None,
        in_flight: int = 8,
        timeout_seconds: float = 120.0,
        tries: int = TRIES,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.address = Address.parse(address) if isinstance(address, str) else address
        self.identity: Mapping[str, str] = {
            "weights": self.address.model,
            "endpoint": self.address.url,
            "interface": "chat" if self.address.chat else "completions",
        }
        self._in_flight = in_flight
        self._server = Server(
            self.address,
            key=key_for(self.address) if key is None else key,
            timeout_seconds=timeout_seconds,
            tries=tries,
            wait=wait,
        )
        self._limit = "max_tokens"
        """What the server calls the most tokens of an answer."""
        self._echoes: int | None = None
        """How many new tokens to ask for with an echo, once that is known."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def generate(
        self, examples: Sequence[Example], decoding: Decoding, *, done: Container[str] = ()
    ) -> Iterator[list[Prediction]]:
        """Yield the written answers, each batch as soon as it is whole.

        Raises:
            ModelError: the server cannot be asked this, or gave no answer; what had come is yielded before.
        """
        self._check(examples)
        if decoding.method == "beam":
            raise ModelError(
                "beam search cannot be asked of a server",
                where=str(self.address),
                expected="greedy decoding, or sampling",
                received="beam",
            )
        yield from self._batches(examples, done, lambda example: self._write(example, decoding))

    def loglikelihood(self, examples: Sequence[Example], *, done: Container[str] = ()) -> Iterator[list[Prediction]]:
        """Yield the log-probabilities of every Example's choices, each batch as soon as it is whole.

        Context and choice are joined as for a model without chat: chats are not repeated token by token.

        Raises:
            ModelError: the server does not repeat a text with its log-probabilities, which is tried out first; or as
                above.
        """
        self._check(examples)
        if any(example.id not in done for example in examples):
            new_tokens = self._tried_out()
            yield from self._batches(examples, done, lambda example: self._weigh(example, new_tokens))

    def _check(self, examples: Sequence[Example]) -> None:
        for example in examples:
            if example.objective != "answer":
                raise ModelError(
                    "a text without a question cannot be asked of a server",
                    where=f"{self.address}, {example.source}",
                    expected="Examples with answers",
                    received=f'objective = "{example.objective}"',
                )

    def _batches(
        self, examples: Sequence[Example], done: Container[str], answer: Callable[[Example], Prediction]
    ) -> Iterator[list[Prediction]]:
        """Ask what is not done, several at once; after a fault, yield what has come and raise it."""
        batch_of = {example.id: place // BATCH_ROWS for place, example in enumerate(examples)}
        asked = [example for example in examples if example.id not in done]
        sizes = Counter(batch_of[example.id] for example in asked)
        whole: defaultdict[int, list[Prediction]] = defaultdict(list)
        fault, kept = None, len(examples) - len(asked)
        self._server.stopped.clear()
        for example, came in at_once(asked, answer, most=self._in_flight, stopped=self._server.stopped):
            if isinstance(came, Exception):
                fault = fault or came  # what comes after the first was only given up for it
                continue
            kept += 1
            batch = batch_of[example.id]
            whole[batch].append(came)
            if len(whole[batch]) == sizes[batch]:
                yield whole.pop(batch)
        if fault is not None:
            yield from whole.values()
            raise _told(fault, kept=kept, of=len(examples))

    def _write(self, example: Example, decoding: Decoding) -> Prediction:
        path = "/chat/completions" if self.address.chat else "/completions"
        turns = layout.turns(example.system, example.prompt, example.shots)
        asked = {"messages": turns} if self.address.chat else {"prompt": _context(example)}
        question: dict[str, Any] = {**asked, **_wishes(decoding, example)}
        read = partial(_written, example=example, answers=decoding.answers, began=time.perf_counter())
        limit = self._limit
        try:
            return self._server.ask(path, {**question, limit: decoding.max_new_tokens}, read=read, about=example.source)
        except Refused as refusal:
            if limit == NEWER or NEWER not in refusal.said:
                raise
        self._limit = NEWER
        return self._server.ask(path, {**question, NEWER: decoding.max_new_tokens}, read=read, about=example.source)

    def _weigh(self, example: Example, new_tokens: int) -> Prediction:
        context, began = _context(example), time.perf_counter()
        scores, prompt_tokens, name = list[ChoiceScore](), 0, ""
        for choice in example.choices:
            if not choice:  # of no token, as certain as can be
                scores.append(ChoiceScore(0.0, 0))
                continue
            weighed, name = self._server.ask(
                "/completions",
                echo.question(context + choice, new_tokens=new_tokens),
                read=partial(_weighed, choice=choice, new_tokens=new_tokens, where=f"{self.address}, {example.source}"),
                about=example.source,
            )
            scores.append(weighed.score)
            prompt_tokens = prompt_tokens or weighed.prompt_tokens
        return Prediction(
            example=example.id,
            choices=tuple(scores),
            prompt_tokens=prompt_tokens,
            shots_used=len(example.shots),
            seconds=time.perf_counter() - began,
            answered_by=name,
        )

    def _tried_out(self) -> int:
        """Return how many new tokens the server wants to write to a text that it repeats: none where it can.

        Raises:
            ModelError: it does not repeat a text with its log-probabilities.
        """
        self._server.stopped.clear()  # an earlier question may have left it set, and no pause would be waited for
        said = "no log-probability for each token of the text"
        for new_tokens in (0, 1) if self._echoes is None else ():
            try:
                question = echo.question(echo.TRIED, new_tokens=new_tokens)
                read = partial(echo.is_echo, new_tokens=new_tokens)
                if self._server.ask("/completions", question, read=read, final=NO_ECHO):
                    self._echoes = new_tokens
                    break
            except Refused as refusal:
                if refusal.status not in NO_ECHO:
                    raise
                said = f"{refusal.status}: {refusal.said}"
        if self._echoes is None:
            raise ModelError(
                "the server does not say how probable a choice is",
                where=str(self.address),
                expected="/completions with echo and logprobs, as vLLM has it",
                received=said,
                hint="Leave `choices` out of the task to have the answers written instead.",
            )
        return self._echoes


def _context(example: Example) -> str:
    """Return what stands before an answer that is not part of a chat."""
    if not (example.prompt or example.system or example.shots):
        return ""
    return layout.text(example.system, example.prompt, example.shots) + "\n"


def _wishes(decoding: Decoding, example: Example) -> dict[str, Any]:
    """Return a Decoding in the interface's words, but for the most tokens."""
    stop = {"stop": list(decoding.stop)} if decoding.stop else {}
    if decoding.method == "greedy":
        return {"temperature": 0, **stop}
    several = {"n": decoding.answers} if decoding.answers > 1 else {}
    # Its own for each Example; llama.cpp's seeds have 32 bits.
    seed = number(decoding.seed, "sample", example.id) % 2**31
    return {"temperature": decoding.temperature, "top_p": decoding.top_p, "seed": seed, **several, **stop}


def _weighed(reply: Reply, choice: str, *, new_tokens: int, where: str) -> tuple[echo.Weighed, str]:
    return echo.weigh(reply, choice, new_tokens=new_tokens, where=where), _name(reply)


def _written(reply: Reply, example: Example, *, answers: int, began: float) -> Prediction:
    choices, usage = reply["choices"], reply.get("usage") or {}
    texts = [one["message"].get("content") if "message" in one else one["text"] for one in choices]
    if len(texts) != answers or not all(text is None or isinstance(text, str) for text in texts):
        raise ValueError("not as many answers as were asked for")
    return Prediction(
        example=example.id,
        answers=tuple((text or "").strip() for text in texts),
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        new_tokens=int(usage.get("completion_tokens") or 0),
        finished=all(one.get("finish_reason") not in CUT_SHORT for one in choices),
        shots_used=len(example.shots),
        seconds=time.perf_counter() - began,
        answered_by=_name(reply),
    )


def _name(reply: Reply) -> str:
    return str(reply.get("model") or "")


def _told(fault: Exception, *, kept: int, of: int) -> Exception:
    """Return the fault with what it cost: nothing that has come, where answers are kept."""
    if not isinstance(fault, InputError):
        return fault
    stand = f"{kept:,} of {of:,} answers have come, and none of them is asked again: run the same command to go on."
    hint = f"{fault.hint}\n  {stand}" if fault.hint else stand
    return ModelError(fault.what, where=fault.where, expected=fault.expected, received=fault.received, hint=hint)
