"""The model card: what afters-tiny was taught, what it scores, and what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from examples.base import prose, teaching
from examples.base.judging import TaskScore

TEMPLATE = Path(__file__).with_name("card.md")


class Made(NamedTuple):
    """How a model came to be, as its card tells it."""

    shape: str
    weights: int
    vocabulary: int
    bytes: int
    """Of weights, configuration and tokenizer, without the card."""
    steps: int
    batch: int
    seconds: float
    threads: int
    precision: str
    loss: float
    """On held-out prose, in nats per piece."""


def text(made: Made, scores: Sequence[TaskScore]) -> str:
    """Return the card as Markdown."""
    taught = [text for text in prose.TEXTS if text.taught]
    rows = made.steps * made.batch
    return TEMPLATE.read_text(encoding="utf-8").format(
        shape=made.shape,
        weights=f"{made.weights / 1e6:.1f} million",
        vocabulary=f"{made.vocabulary:,}",
        bytes=f"{made.bytes:,}",
        steps=f"{made.steps:,}",
        batch=made.batch,
        seconds=f"{made.seconds:,.0f}",
        threads=made.threads,
        precision=made.precision,
        loss=f"{made.loss:.2f}",
        rows=f"{rows:,}",
        task_share=round(100 * (1 - teaching.HOLES)),
        hole_share=round(100 * teaching.HOLES),
        judged=scores[0].rows,
        scores="\n".join(map(_row, scores)),
        longest=teaching.LONGEST,
        first=min(text.published for text in taught),
        last=max(text.published for text in taught),
        texts="\n".join(f"- `{text.file}`: {text.why}" for text in taught),
    )


def _row(score: TaskScore) -> str:
    facts = "" if score.facts is None else f"{score.facts:.2f}"
    shares = (score.exact, score.rouge1, score.first_exact, score.first_rouge1)
    exact, rouge1, first_exact, first_rouge1 = (f"{share:.2f}" for share in shares)
    return f"| {score.task} | {exact} | {rouge1} | {facts} | {first_exact} | {first_rouge1} |"
