"""A run told by hand, with hostile texts in it; nothing here was computed by the code under test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from afters.metrics.metric import Array, mean_from_totals
from afters.records import Case, Comparison, Direction, Example, Kind, Prediction, Result, Row, Score
from afters.report.told import Told

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "</script></style></title><img src=x onerror=alert(1)>",
    "pay \u202egnp.exe\u2066 now",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x9b2J",
    "=cmd|' /C calc'!A0",
    "w" * 400,
    "[bold]markup[/bold] :bomb: {{ 7 * 7 }} {% raw %}",
    "https://evil.example/x.png javascript:alert(1)",
    "\ud800 lone \u2028 line \u200b zero \ufeff bom \u0000 nul",
    "",
    "The customer wants the parcel sent to her office on Tuesday.",
)


class Words:
    """One number per Case, given by hand; `overlap` twice over is told as two scores."""

    name = "overlap"
    names: tuple[str, ...] = ("overlap1", "overlap2")
    kind: Kind = "case"
    direction: Direction = "higher"
    chance: float | None = None
    signature = "nrefs:mean|version:1"

    def observe(self, case: Case) -> Row | None:
        raise AssertionError("a report never observes")

    def from_totals(self, totals: Array) -> Array:
        return mean_from_totals(totals)


BEFORE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
AFTER = (0.9, 0.1, 0.35, 0.4, 0.95, 0.2, 0.45, 0.55, 0.65, 0.75, 0.5, math.nan)


def case(place: int, *, answer: str) -> Case:
    example = Example(
        id=f"row-{place}",
        task="chats",
        source=f"chats.csv:{place + 2}",
        content=HOSTILE[place],
        wording="0",
        prompt=f"Summarise this chat.\n\n{HOSTILE[place]}\n\nSummary:",
        references=(f"A person wrote {HOSTILE[place]}", "The parcel goes to the office."),
        cluster=f"cluster-{place // 2}",
    )
    cut = place % 2
    prediction = Prediction(example.id, (answer,), prompt_tokens=40, new_tokens=8, tokens_cut=cut, seconds=0.35)
    return Case(example.id, example.cluster, (example,), (prediction,))


def result(label: str, *, values: tuple[float, ...], shift: float = 0.0) -> Result:
    rows = tuple(None if math.isnan(value) else (value + shift, value / 2, 1.0) for value in values)
    judged = [value + shift for value in values if not math.isnan(value)]
    mean = float(np.mean(judged))
    numbers = {"overlap1": mean, "overlap2": mean / 2}
    scores = tuple(
        Score(name, "overlap", value, "case", "higher", len(judged), 12 - len(judged), Words.signature)
        if name == "overlap2"
        else Score(
            name,
            "overlap",
            value,
            "case",
            "higher",
            len(judged),
            12 - len(judged),
            Words.signature,
            low=value - 0.07,
            high=value + 0.08,
        )
        for name, value in numbers.items()
    )
    cases = tuple(case(place, answer=f"{label}: {HOSTILE[place]}") for place in range(12))
    identity = {"weights": "0" * 64}
    return Result(label, "chats", identity, cases, {"overlap": rows}, scores, seconds=4.2)


def comparison(**changes: Any) -> Comparison:
    fields: dict[str, Any] = dict(
        task="chats", metric="overlap1", kind="tuning", before="before", after="after", primary=True,
        direction="higher", cases=11, clusters=6, unjudged=1, before_value=0.3272727, after_value=0.5272727,
        difference=0.2, low=0.0412345678901234, high=0.3587654321, confidence=0.95,
        interval="BCa bootstrap over clusters", p_value=0.00042, p_corrected=0.0126, test="paired sign-flip",
        smallest_effect=0.01, better=7, worse=2, same=2, detectable=0.12, cases_needed=24, verdict="improved",
        sentence="Fine-tuning improved overlap1 from 0.327 to 0.527, on 11 rows that it had not been taught.",
        not_checked=("precision",),
    )  # fmt: skip
    return Comparison(**{**fields, **changes})


def steps() -> tuple[Mapping[str, float], ...]:
    """Forty steps of a loss that falls from 8 to about 1, with four checks on validation rows."""
    lines = []
    for step in range(1, 41):
        loss = 1.0 + 7.0 * 0.9**step + 0.2 * math.sin(step * 2.1)
        line = {
            "step": step,
            "rows": 8 * step,
            "loss": loss,
            "learning_rate": 3e-4,
            "gradient_norm": 1.0,
            "seconds": 0.1,
        }
        lines.append({**line, "validation": 1.2 + 6.0 * 0.9**step} if step % 10 == 0 else line)
    return tuple(lines)


@pytest.fixture
def hostile() -> tuple[str, ...]:
    """Texts that would act where they are not made inert; each stands in a prompt, a reference and two answers."""
    return HOSTILE


@pytest.fixture
def told() -> Told:
    """A study with every part that a report tells."""
    return Told(
        name='chats <b onclick="x">',
        results=(
            result("before", values=BEFORE),
            result("shots=1", values=BEFORE, shift=0.02),
            result("shots=4", values=BEFORE, shift=0.05),
            result("nearest", values=BEFORE, shift=-0.05),
            result("after", values=AFTER),
        ),
        comparisons=(
            comparison(),
            comparison(
                kind="prompting", before="shots=4", primary=False, before_value=0.377, difference=0.15, low=-0.01,
                high=0.31, verdict="cannot_tell", sentence="Whether tuning beats 4 shots cannot be told from 11 rows.",
            ),
            comparison(
                kind="baseline", before="nearest", primary=False, before_value=0.277, difference=0.25,
                verdict="improved_effect_unproven", sentence="Tuning beats copying the nearest taught answer.",
            ),
            comparison(metric="overlap2", primary=False, verdict="worse", sentence="overlap2 fell.", difference=-0.1),
        ),
        primary="overlap1",
        metric=Words(),
        steps=steps(),
        data={
            "train": {"read": 1203, "used": 1200, "set_aside": 3},
            "validation": {"read": 50, "used": 50, "set_aside": 0},
            "test": {"read": 12, "used": 12, "set_aside": 0},
            "set_aside": [
                {
                    "side": "train",
                    "reason": "empty answer",
                    "count": 2,
                    "examples": [{"source": "chats.csv:17", "detail": HOSTILE[2]}],
                },
                {"reason": "stands in test", "count": 1, "examples": []},
            ],
            "lengths": {
                "prompt_tokens": {"train": [12, 141, 388, 1024], "test": [15, 139, 371, 702]},
                "answer_tokens": {"train": [3, 22, 51, 90], "test": [4, 24, 49, 77]},
            },
            "overlap": {"test": {"judging_rows": 1, "teaching_rows": 1}, "validation_in_test": 0},
            "notes": ["2 test rows have no second reference."],
            "cut": {"train": {"prompts": 4, "tokens": 231}},
        },
        settings={
            "name": "chats",
            "seed": 7,
            "model": {"base": "afters-tiny"},
            "task": [{"name": "chats", "template": "summarise", "metrics": ["overlap"]}],
            "train": {"method": "full", "learning_rate": 3e-4, "epochs": 3, "resume": None, "note": HOSTILE[0]},
        },
        versions={"afters": "0.1.0", "torch": "2.9.0"},
        not_measured=("What the base model had read before it was released is not known.", "One seed was run."),
        costs={"before_seconds": 12.4, "train_seconds": 314.0, "after_seconds": 12.1, "peak_memory_mb": 1834.0},
    )  # fmt: skip
