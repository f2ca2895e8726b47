"""A loaded model answers Examples: prompts, batches, answers and likelihoods under one roof."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from afters.model.batching import Lengths, by_budget
from afters.model.cache import AnswerCache
from afters.model.decoding import beams, greedy, sampled
from afters.model.load import Loaded
from afters.model.network import Ids
from afters.model.parallel import ALONE, Processes
from afters.model.prompt import EncodedPrompt
from afters.model.recall import Question, Recall
from afters.model.scoring import log_likelihoods
from afters.model.sharing import families
from afters.records import ChoiceScore, Decoding, Example, Prediction
from afters.seeds import stream

TOKEN_BUDGET = 16_384
"""Padded tokens of a batch: large enough that a step's fixed costs vanish, small enough for a laptop's memory."""


class Answerer:
    """The LanguageModel of `model/protocol.py`, over a transformers model."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        token_budget: int = TOKEN_BUDGET,
        processes: Processes = ALONE,
        cache: AnswerCache | None = None,
    ) -> None:
        self._loaded = loaded
        self._budget = token_budget
        self._processes = processes
        self._recall = Recall(loaded, cache)
        self.identity: Mapping[str, str] = {**loaded.identity, "token_budget": str(token_budget)}

    def generate(
        self, examples: Sequence[Example], decoding: Decoding, *, done: Container[str] = ()
    ) -> Iterator[list[Prediction]]:
        """Yield the written answers, a batch at a time, longest prompts first."""
        prompts = [self._loaded.prompter.prompt(example) for example in examples]
        abreast = {"greedy": 1, "beam": decoding.beams, "sample": decoding.answers}[decoding.method]
        lengths = [Lengths(len(prompt.ids) * abreast, decoding.max_new_tokens * abreast) for prompt in prompts]
        yield from self._shared_out(
            [batch for batch in self._batches(prompts, lengths) if not _known(examples, batch, done)],
            lambda batch: self._recall.answers(
                [Question(examples[row].id, prompts[row]) for row in batch],
                lambda: self._write([examples[row] for row in batch], [prompts[row] for row in batch], decoding),
                decoding=decoding,
            ),
        )

    def loglikelihood(self, examples: Sequence[Example], *, done: Container[str] = ()) -> Iterator[list[Prediction]]:
        """Yield the log-probabilities of every Example's choices, a batch at a time, longest prompts first."""
        prompts = [self._loaded.prompter.prompt(example) for example in examples]
        choices = [self._loaded.prompter.choices(example) for example in examples]
        lengths = [_room(prompt, texts) for prompt, texts in zip(prompts, choices, strict=True)]
        yield from self._shared_out(
            [batch for batch in self._batches(prompts, lengths) if not _known(examples, batch, done)],
            lambda batch: self._recall.answers(
                [Question(examples[row].id, prompts[row], choices[row]) for row in batch],
                lambda: self._score(
                    [examples[row] for row in batch], [prompts[row] for row in batch], [choices[row] for row in batch]
                ),
            ),
        )

    def _batches(self, prompts: Sequence[EncodedPrompt], lengths: Sequence[Lengths]) -> list[list[int]]:
        """Cut rows into batches; prompts that begin alike stay together where that is read once."""
        if self._loaded.prompter.encoder_decoder:
            return by_budget(lengths, tokens=self._budget)
        return [
            [group[place] for place in batch]
            for group in families([prompt.ids for prompt in prompts])
            for batch in by_budget([lengths[row] for row in group], tokens=self._budget)
        ]

    def _shared_out(
        self, batches: Sequence[Sequence[int]], answer: Callable[[Sequence[int]], list[Prediction]]
    ) -> Iterator[list[Prediction]]:
        """Yield every batch's answers, in order, in every process; in each turn a process answers one batch."""
        if self._processes.count == 1:
            yield from map(answer, batches)
            return
        for first in range(0, len(batches), self._processes.count):
            own = batches[first + self._processes.rank : first + self._processes.rank + 1]
            turn = self._processes.gathered([[asdict(made) for made in answer(batch)] for batch in own])
            yield from ([Prediction.read(made) for made in batch] for answered in turn for batch in answered)

    def _write(
        self, examples: Sequence[Example], prompts: Sequence[EncodedPrompt], decoding: Decoding
    ) -> list[Prediction]:
        began = time.perf_counter()
        prompter = self._loaded.prompter
        written = self._written(examples, [prompt.ids for prompt in prompts], decoding)
        seconds = (time.perf_counter() - began) / len(examples)
        return [
            Prediction(
                example=example.id,
                answers=tuple(prompter.text(ids, stop=decoding.stop) for ids in answers),
                prompt_hash=prompt.hash,
                prompt_tokens=len(prompt.ids),
                new_tokens=sum(map(len, answers)),
                finished=all(ids[-1] in prompter.end_ids or prompter.stops(ids, decoding.stop) for ids in answers),
                shots_used=prompt.shots_used,
                tokens_cut=prompt.tokens_cut,
                seconds=seconds,
            )
            for example, prompt, answers in zip(examples, prompts, written, strict=True)
        ]

    def _written(
        self, examples: Sequence[Example], prompts: Sequence[Ids], decoding: Decoding
    ) -> list[list[list[int]]]:
        """Return the token ids of each prompt's answers."""
        network, prompter = self._loaded.network, self._loaded.prompter

        def over(ids: Ids) -> bool:
            return prompter.stops(ids, decoding.stop)

        limits: dict[str, Any] = {"max_new_tokens": decoding.max_new_tokens, "ends": prompter.end_ids, "over": over}
        match decoding.method:
            case "greedy":
                return [[ids] for ids in greedy(network, prompts, **limits)]
            case "beam":
                return [[ids] for ids in beams(network, prompts, width=decoding.beams, **limits)]
            case "sample":
                chances = [
                    [stream(decoding.seed, "answer", example.id, number) for number in range(decoding.answers)]
                    for example in examples
                ]
                drawn: dict[str, Any] = {"temperature": decoding.temperature, "top_p": decoding.top_p}
                return sampled(network, prompts, chances=chances, **drawn, **limits)

    def _score(
        self,
        examples: Sequence[Example],
        prompts: Sequence[EncodedPrompt],
        choices: Sequence[Sequence[tuple[int, ...]]],
    ) -> list[Prediction]:
        began = time.perf_counter()
        told = log_likelihoods(self._loaded.network, [prompt.ids for prompt in prompts], choices)
        seconds = (time.perf_counter() - began) / len(examples)
        return [
            Prediction(
                example=example.id,
                choices=tuple(ChoiceScore(score, len(text)) for score, text in zip(scores, texts, strict=True)),
                prompt_hash=prompt.hash,
                prompt_tokens=len(prompt.ids),
                shots_used=prompt.shots_used,
                tokens_cut=prompt.tokens_cut,
                seconds=seconds,
            )
            for example, prompt, scores, texts in zip(examples, prompts, told, choices, strict=True)
        ]


def _room(prompt: EncodedPrompt, choices: Sequence[Ids]) -> Lengths:
    """Return what a row takes: its prompt stands once, and once more before each choice of several tokens."""
    longer = [len(choice) for choice in choices if len(choice) > 1]
    return Lengths(len(prompt.ids) * max(1, len(longer)), max(longer, default=1) * max(1, len(longer)))


def _known(examples: Sequence[Example], batch: Sequence[int], done: Container[str]) -> bool:
    return all(examples[row].id in done for row in batch)
