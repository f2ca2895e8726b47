"""Fakes for tests of your own: a model that answers by the book, and Examples in a line. No torch here.

>>> from afters.records import Decoding
>>> model = ScriptedModel({"Is it cold?": "yes"})
>>> asked = examples(("Is it cold?", "yes"), ("Is it late?", "no"))
>>> [one.answers[0] for batch in model.generate(asked, Decoding()) for one in batch]
['yes', '']
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from afters.records import ChoiceScore, Decoding, Example, Prediction

SURE = 0.9
"""The probability that a ScriptedModel gives to the choice it would write; the others share the rest."""


class ScriptedModel:
    """A LanguageModel that answers what a table or a function says, and remembers what it was asked.

    Args:
        answers: from prompt to answer; a prompt that a table does not have is answered with nothing.
        batch_rows: Examples in a batch; batches are cut in the order of the Examples.
        name: tells this model from others, as a real one's hash of weights does.
    """

    def __init__(
        self, answers: Mapping[str, str] | Callable[[str], str], *, batch_rows: int = 4, name: str = "scripted"
    ) -> None:
        self._answers = answers
        self._batch_rows = batch_rows
        self.identity: Mapping[str, str] = {"weights": name, "batch_rows": str(batch_rows)}
        self.asked: list[str] = []
        """The ids of all Examples that were asked, in order; one asked twice stands here twice."""

    def generate(
        self, examples: Sequence[Example], decoding: Decoding, *, done: Container[str] = ()
    ) -> Iterator[list[Prediction]]:
        """Yield the scripted answers, cut after `max_new_tokens` words."""
        for batch in self._batches(examples, done=done):
            yield [self._written(example, decoding) for example in batch]

    def loglikelihood(self, examples: Sequence[Example], *, done: Container[str] = ()) -> Iterator[list[Prediction]]:
        """Yield log-probabilities that are highest for the scripted answer, and equal where it is no choice."""
        for batch in self._batches(examples, done=done):
            yield [self._weighed(example) for example in batch]

    def _batches(self, examples: Sequence[Example], *, done: Container[str]) -> Iterator[Sequence[Example]]:
        for start in range(0, len(examples), self._batch_rows):
            batch = examples[start : start + self._batch_rows]
            if not all(example.id in done for example in batch):
                self.asked += [example.id for example in batch]
                yield batch

    def _answer(self, prompt: str) -> str:
        return self._answers(prompt) if callable(self._answers) else self._answers.get(prompt, "")

    def _written(self, example: Example, decoding: Decoding) -> Prediction:
        words = self._answer(example.prompt).split(" ")
        kept = words[: decoding.max_new_tokens]
        return Prediction(
            example=example.id,
            answers=(" ".join(kept),),
            prompt_hash=hashlib.sha256(example.prompt.encode()).hexdigest()[:16],
            prompt_tokens=len(example.prompt.split()),
            new_tokens=len(kept),
            finished=kept == words,
            shots_used=len(example.shots),
        )

    def _weighed(self, example: Example) -> Prediction:
        answer = self._answer(example.prompt)
        others = len(example.choices) - 1
        shares = [SURE if choice == answer else (1 - SURE) / max(1, others) for choice in example.choices]
        return Prediction(
            example=example.id,
            choices=tuple(
                ChoiceScore(math.log(share), len(choice.split()))
                for share, choice in zip(shares, example.choices, strict=True)
            ),
            prompt_hash=hashlib.sha256(example.prompt.encode()).hexdigest()[:16],
            prompt_tokens=len(example.prompt.split()),
            shots_used=len(example.shots),
        )


def examples(*rows: tuple[str, str], task: str = "task", choices: Sequence[str] = ()) -> list[Example]:
    """Return an Example for each (prompt, reference); ids count from "0", and each stands alone.

    >>> [(one.id, one.prompt, one.references) for one in examples(("Is it cold?", "yes"))]
    [('0', 'Is it cold?', ('yes',))]
    """
    return [
        Example(
            id=str(number),
            task=task,
            source=f"{task}.csv:{number + 2}",
            content=prompt,
            wording="0",
            prompt=prompt,
            references=(reference,),
            choices=tuple(choices),
            group=str(number),
            cluster=prompt,
        )
        for number, (prompt, reference) in enumerate(rows)
    ]
