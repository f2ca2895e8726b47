"""A loaded model answers Examples: prompts, batches, answers and likelihoods under one roof."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from afters.model.batching import Lengths, by_budget
from afters.model.load import Loaded
from afters.model.network import Pair
from afters.model.parallel import ALONE, Processes
from afters.model.prompt import EncodedPrompt
from afters.records import ChoiceScore, Decoding, Example, Prediction

TOKEN_BUDGET = 16_384
"""Padded tokens of a batch: large enough that a step's fixed costs vanish, small enough for a laptop's memory."""


class Answerer:
    """The LanguageModel of `model/protocol.py`, over a transformers model."""

    def __init__(self, loaded: Loaded, *, token_budget: int = TOKEN_BUDGET, processes: Processes = ALONE) -> None:
        self._loaded = loaded
        self._budget = token_budget
        self._processes = processes
        self.identity: Mapping[str, str] = {**loaded.identity, "token_budget": str(token_budget)}

    def generate(
        self, examples: Sequence[Example], decoding: Decoding, *, done: Container[str] = ()
    ) -> Iterator[list[Prediction]]:
        """Yield the written answers, a batch at a time, longest prompts first."""
        prompts = [self._loaded.prompter.prompt(example) for example in examples]
        lengths = [Lengths(len(prompt.ids), decoding.max_new_tokens) for prompt in prompts]
        yield from self._shared_out(
            [batch for batch in by_budget(lengths, tokens=self._budget) if not _known(examples, batch, done)],
            lambda batch: self._write([examples[row] for row in batch], [prompts[row] for row in batch], decoding),
        )

    def loglikelihood(self, examples: Sequence[Example], *, done: Container[str] = ()) -> Iterator[list[Prediction]]:
        """Yield the log-probabilities of every Example's choices, a batch at a time, longest prompts first."""
        prompts = [self._loaded.prompter.prompt(example) for example in examples]
        choices = [self._loaded.prompter.choices(example) for example in examples]
        # A row stands in its batch once for each of its choices.
        lengths = [
            Lengths(len(prompt.ids) * len(texts), max(map(len, texts)) * len(texts))
            for prompt, texts in zip(prompts, choices, strict=True)
        ]
        yield from self._shared_out(
            [batch for batch in by_budget(lengths, tokens=self._budget) if not _known(examples, batch, done)],
            lambda batch: self._score(
                [examples[row] for row in batch], [prompts[row] for row in batch], [choices[row] for row in batch]
            ),
        )

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
            yield from ([_prediction(made) for made in batch] for answered in turn for batch in answered)

    def _write(
        self, examples: Sequence[Example], prompts: Sequence[EncodedPrompt], decoding: Decoding
    ) -> list[Prediction]:
        began = time.perf_counter()
        ends = self._loaded.prompter.end_ids
        written = self._loaded.network.greedy(
            [prompt.ids for prompt in prompts], max_new_tokens=decoding.max_new_tokens, ends=ends
        )
        seconds = (time.perf_counter() - began) / len(examples)
        return [
            Prediction(
                example=example.id,
                answers=(self._loaded.prompter.text(ids),),
                prompt_hash=prompt.hash,
                prompt_tokens=len(prompt.ids),
                new_tokens=len(ids),
                finished=ids[-1] in ends,
                shots_used=prompt.shots_used,
                tokens_cut=prompt.tokens_cut,
                seconds=seconds,
            )
            for example, prompt, ids in zip(examples, prompts, written, strict=True)
        ]

    @torch.inference_mode()
    def _score(
        self,
        examples: Sequence[Example],
        prompts: Sequence[EncodedPrompt],
        choices: Sequence[Sequence[tuple[int, ...]]],
    ) -> list[Prediction]:
        began = time.perf_counter()
        pairs = [Pair(prompt.ids, text) for prompt, texts in zip(prompts, choices, strict=True) for text in texts]
        losses = self._loaded.network.token_losses(pairs)
        sums = iter(-part.sum().item() for part in torch.split(losses, [len(pair.answer) for pair in pairs]))
        seconds = (time.perf_counter() - began) / len(examples)
        return [
            Prediction(
                example=example.id,
                choices=tuple(ChoiceScore(next(sums), len(text)) for text in texts),
                prompt_hash=prompt.hash,
                prompt_tokens=len(prompt.ids),
                shots_used=prompt.shots_used,
                tokens_cut=prompt.tokens_cut,
                seconds=seconds,
            )
            for example, prompt, texts in zip(examples, prompts, choices, strict=True)
        ]


def _known(examples: Sequence[Example], batch: Sequence[int], done: Container[str]) -> bool:
    return all(examples[row].id in done for row in batch)


def _prediction(content: Mapping[str, Any]) -> Prediction:
    """Return what another process has answered."""
    choices = tuple(ChoiceScore(**choice) for choice in content["choices"])
    return Prediction(**{**content, "answers": tuple(content["answers"]), "choices": choices})
