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
    seconds: float
    threads: int
    precision: str
    loss: float
    """On held-out prose, in nats per piece."""


def text(made: Made, scores: Sequence[TaskScore]) -> str:
    """Return the card as Markdown."""
    taught = [text for text in prose.TEXTS if text.taught]
    by_stage = [stage.steps * stage.batch_rows for stage in teaching.STAGES]
    rows = sum(by_stage)
    # No passage is short enough for the stages before the last.
    holes = round(100 * teaching.HOLES * by_stage[-1] / rows)
    return TEMPLATE.read_text(encoding="utf-8").format(
        shape=made.shape,
        weights=f"{made.weights / 1e6:.1f} million",
        vocabulary=f"{made.vocabulary:,}",
        bytes=f"{made.bytes:,}",
        stages=", then ".join(
            f"{stage.steps:,} steps of {stage.batch_rows} rows of up to {stage.longest} pieces"
            for stage in teaching.STAGES
        ),
        seconds=f"{made.seconds:,.0f}",
        threads=made.threads,
        precision=made.precision,
        loss=f"{made.loss:.2f}",
        rows=f"{rows:,}",
        task_share=100 - holes,
        hole_share=holes,
        judged=scores[0].rows,
        scores="\n".join(map(_row, scores)),
        longest=teaching.STAGES[-1].longest,
        first=min(text.published for text in taught),
        last=max(text.published for text in taught),
        texts="\n".join(f"- `{text.file}`: {text.why}" for text in taught),
    )


def _row(score: TaskScore) -> str:
    facts = "" if score.facts is None else f"{score.facts:.2f}"
    shares = (score.exact, score.rouge1, score.first_exact, score.first_rouge1)
    exact, rouge1, first_exact, first_rouge1 = (f"{share:.2f}" for share in shares)
    return f"| {score.task} | {exact} | {rouge1} | {facts} | {first_exact} | {first_rouge1} |"
